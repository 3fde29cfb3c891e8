import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** Options of `virga fork`. */
export interface ForkFlags extends JsonFlag {
  readonly count: number;
}

/** `virga fork`: makes sandboxes that go on from what this one is at the moment, and prints their ids. All of them, or none. */
export async function forkCommand(name: string, flags: ForkFlags): Promise<number> {
  const signal = interruptSignal();
  await useSandbox(name, async (sandbox) => {
    const children = await sandbox.fork(flags.count, { signal });
    if (flags.json === true) printJson(await Promise.all(children.map((child) => child.info())));
    else for (const { id } of children) printLine(id);
    await Promise.all(children.map((child) => child.disconnect()));
  });
  return 0;
}
