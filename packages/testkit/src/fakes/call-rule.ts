import { readBehaviour, type CallRule, type FakeCall } from "./behaviour.ts";
import { logCall } from "./call-log.ts";

/** What a control call came to: a value to answer with, or an error chain. */
export type Outcome =
  | { readonly status: number; readonly value?: unknown }
  | { readonly status: number; readonly chain: readonly string[] };

/** How an outcome goes out: as an answer, or in one of the ways that break a protocol. */
export type Reply =
  | { readonly how: "answer"; readonly outcome: Outcome }
  | { readonly how: "garbage" }
  | { readonly how: "flood"; readonly bytes: number }
  | { readonly how: "cut"; readonly outcome: Outcome };

/** Runs control calls one at a time, as a hypervisor's one control thread does, each by the rule the behaviour has for it. */
export class CallRunner {
  readonly #directory: string;
  readonly #counts = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** `call` is the hypervisor's own name, `shared` the name both fakes share, if there is one. */
  run(
    call: string,
    shared: FakeCall | undefined,
    argument: unknown,
    effect: () => Promise<Outcome>,
  ) {
    const result = this.#last.then(() => this.#runNow(call, shared, argument, effect));
    this.#last = result;
    return result;
  }

  async #runNow(
    call: string,
    shared: FakeCall | undefined,
    argument: unknown,
    effect: () => Promise<Outcome>,
  ): Promise<Reply> {
    logCall(this.#directory, { call, phase: "start", argument });
    const rule = this.#ruleOf(call, shared);
    const reply = await this.#apply(rule, effect);
    logCall(this.#directory, { call, phase: "end" });
    return reply;
  }

  #ruleOf(call: string, shared: FakeCall | undefined): CallRule | undefined {
    const rules = readBehaviour(this.#directory).calls ?? {};
    const key = [call, shared, "*"].find((name) => name !== undefined && name in rules);
    const rule = key === undefined ? undefined : rules[key];
    if (key === undefined || rule?.times === undefined) return rule;
    const used = this.#counts.get(key) ?? 0;
    if (used >= rule.times) return undefined;
    this.#counts.set(key, used + 1);
    return rule;
  }

  async #apply(rule: CallRule | undefined, effect: () => Promise<Outcome>): Promise<Reply> {
    switch (rule?.do) {
      case undefined:
        return { how: "answer", outcome: await effect() };
      case "refuse":
        return { how: "answer", outcome: { status: rule.status ?? 500, chain: rule.chain } };
      case "hang":
        return await new Promise<never>(() => undefined);
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, rule.delayMs));
        return { how: "answer", outcome: await effect() };
      case "die":
        if (rule.after === true) await effect();
        return await die(rule);
      case "garbage":
        return { how: "garbage" };
      case "flood":
        return { how: "flood", bytes: rule.bytes };
      case "cut":
        return { how: "cut", outcome: await effect() };
    }
  }
}

function die(rule: { readonly signal?: NodeJS.Signals; readonly code?: number }): Promise<never> {
  if (rule.code !== undefined) process.exit(rule.code);
  process.kill(process.pid, rule.signal ?? "SIGKILL");
  return new Promise<never>(() => undefined);
}
