import type {
  AgentClient,
  AttachOptions,
  CallOptions,
  GuestPort,
  GuestProcess,
  GuestProcessInfo,
  GuestStats,
  ProcessTarget,
} from "@virga/guest";
import type { Logger } from "@virga/vm";
import { explainStart } from "./explain-start.ts";
import { withImageDefaults } from "./image-defaults.ts";
import type { Image } from "../images/image.ts";
import { forwardPort } from "./forward-port.ts";
import type { ForwardOptions, PortForward } from "./forward-port.ts";
import { checkRunOptions, checkSpawnOptions } from "./run-options.ts";
import type { RunOptions, RunResult, SpawnOptions } from "./run-options.ts";
import { SandboxProcess } from "./sandbox-process.ts";
import { SHELL, SandboxTerminal } from "./sandbox-terminal.ts";
import type { TerminalOptions } from "./sandbox-terminal.ts";

/** What {@link GuestCommands} needs of the sandbox. */
export interface GuestAccess {
  /** The agent. Throws or rejects when nothing can be done in the sandbox any more; `what` says for the error what was to be done. */
  readonly agent: (what: string) => AgentClient | Promise<AgentClient>;
  /** Who commands run as, and where, when nobody says. */
  readonly image: Pick<Image, "user" | "workdir">;
  /** Environment of every command. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes of an error of the guest's what went wrong with the sandbox, where it did. */
  readonly explain: (
    what: string,
    error: unknown,
    signal: AbortSignal | undefined,
  ) => Promise<unknown>;
  readonly logger: Logger;
}

/** How to take over a process: see `AttachOptions` of `@virga/guest`, and `run` for the rest. */
export type SandboxAttachOptions = AttachOptions & Pick<RunOptions, "maxOutputBytes" | "reject">;

/** What is done inside of a sandbox by its agent: commands, processes, ports. */
export class GuestCommands {
  readonly #access: GuestAccess;
  readonly #forwards = new Set<PortForward>();

  constructor(access: GuestAccess) {
    this.#access = access;
  }

  /** See `Sandbox.run`. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    checkRunOptions(command, options);
    return await this.spawn(command, options);
  }

  /** See `Sandbox.spawn`. */
  spawn(command: readonly string[], options: SpawnOptions = {}): SandboxProcess {
    checkSpawnOptions(command, options);
    const what = `run ${command[0] ?? ""}`;
    const { signal } = options;
    return new SandboxProcess({
      command,
      started: this.#start(what, command, options),
      options,
      explain: (error) => this.#access.explain(what, error, signal),
    });
  }

  /** See `Sandbox.terminal`. */
  async terminal(options: TerminalOptions = {}): Promise<SandboxTerminal> {
    const { command = SHELL, columns = 80, rows = 24, term = "xterm-256color", ...rest } = options;
    const process = this.spawn(command, { ...rest, pty: { rows, cols: columns, term } });
    return new SandboxTerminal(process, await process.started);
  }

  /** See `Sandbox.attach`. */
  attach(target: ProcessTarget, options: SandboxAttachOptions = {}): SandboxProcess {
    const { maxOutputBytes, reject, ...attach } = options;
    const name = typeof target === "number" ? String(target) : target.tag;
    const what = `attach to process ${name}`;
    return new SandboxProcess({
      command: [name],
      started: this.#call(what, options.signal, (agent) => agent.attach(target, attach)),
      options: {
        ...(maxOutputBytes !== undefined && { maxOutputBytes }),
        ...(reject !== undefined && { reject }),
      },
      explain: (error) => this.#access.explain(what, error, options.signal),
    });
  }

  /** See `Sandbox.processes`. */
  async processes(options: CallOptions = {}): Promise<GuestProcessInfo[]> {
    return this.#call("list its processes", options.signal, (agent) => agent.processes(options));
  }

  /** See `Sandbox.signal`. */
  async signal(
    target: ProcessTarget,
    signal: string | number,
    options: CallOptions & { readonly group?: boolean } = {},
  ): Promise<void> {
    await this.#call("send a signal", options.signal, (agent) =>
      agent.signal(target, signal, options),
    );
  }

  /** See `Sandbox.stats`. */
  async stats(options: CallOptions = {}): Promise<GuestStats> {
    return this.#call("measure it", options.signal, (agent) => agent.stats(options));
  }

  /** See `Sandbox.ports`. */
  async ports(options: CallOptions = {}): Promise<GuestPort[]> {
    return this.#call("list its ports", options.signal, (agent) => agent.ports(options));
  }

  /** See `Sandbox.forward`. */
  async forward(port: number, options: ForwardOptions = {}): Promise<PortForward> {
    const what = `forward port ${port}`;
    const { host } = options;
    // What cannot be reached at all is told now, not to the first who comes.
    await this.#access.agent(what);
    const forward = await forwardPort({
      onError: (error) => this.#access.logger.warn({ port, error }, "cannot forward a connection"),
      ...options,
      port,
      connect: (signal) =>
        this.#call(what, signal, (agent) =>
          agent.tunnel(port, { signal, ...(host !== undefined && { host }) }),
        ),
    });
    const close = async (): Promise<void> => {
      await forward.close();
      this.#forwards.delete(tracked);
    };
    const tracked: PortForward = { ...forward, close, [Symbol.asyncDispose]: close };
    this.#forwards.add(tracked);
    return tracked;
  }

  /** Ends what would go on by itself: what is forwarded. */
  async close(): Promise<void> {
    await Promise.all([...this.#forwards].map((forward) => forward.close()));
  }

  async #start(
    what: string,
    command: readonly string[],
    given: SpawnOptions,
  ): Promise<GuestProcess> {
    const { maxOutputBytes: _bytes, reject: _reject, stdin, ...exec } = given;
    const options = withImageDefaults(this.#access.image, {
      ...exec,
      ...(stdin !== undefined && { stdin: stdin !== false }),
    });
    const { env } = this.#access;
    return this.#call(what, given.signal, async (agent) => {
      try {
        return await agent.exec(command, options);
      } catch (error) {
        throw explainStart(error, { command, options, env });
      }
    });
  }

  async #call<T>(
    what: string,
    signal: AbortSignal | undefined,
    call: (agent: AgentClient) => Promise<T>,
  ): Promise<T> {
    const agent = await this.#access.agent(what);
    try {
      return await call(agent);
    } catch (error) {
      throw await this.#access.explain(what, error, signal);
    }
  }
}
