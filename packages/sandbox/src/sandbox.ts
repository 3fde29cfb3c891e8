import type {
  AgentClient,
  CallOptions,
  GuestFiles,
  GuestPort,
  GuestProcessInfo,
  GuestStats,
  ProcessTarget,
} from "@virga/guest";
import type { Logger, Vm } from "@virga/vm";
import { readyTimeoutMs } from "./boot-guest.ts";
import type { Guest } from "./boot-guest.ts";
import type { ForwardOptions, PortForward } from "./commands/forward-port.ts";
import { GuestCommands } from "./commands/guest-commands.ts";
import type { SandboxAttachOptions } from "./commands/guest-commands.ts";
import type { RunOptions, RunResult, SpawnOptions } from "./commands/run-options.ts";
import type { SandboxProcess } from "./commands/sandbox-process.ts";
import type { SandboxTerminal, TerminalOptions } from "./commands/sandbox-terminal.ts";
import { identityOf } from "./guest-agent.ts";
import { checkCopy, copyInto } from "./copy-into.ts";
import { homePaths } from "./home.ts";
import { Host } from "./host.ts";
import { ensureImage } from "./images/ensure-image.ts";
import { keepImage } from "./images/image.ts";
import type { Image } from "./images/image.ts";
import { bootCold, restoreClone } from "./make-guest.ts";
import type { Undo } from "./make-guest.ts";
import { ownVm } from "./owner-record.ts";
import { newSandboxId } from "./sandbox-id.ts";
import { resolveSandboxOptions } from "./sandbox-options.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import { planTemplate } from "./templates/template-plan.ts";
import { Timings } from "./timings.ts";
import { destroyedError, explainLoss, isAborted, isLoss, whileAlive } from "./vm-death.ts";

interface SandboxParts extends Guest {
  readonly env: Readonly<Record<string, string>>;
  readonly image: Image;
  readonly timings: Timings;
  readonly logger: Logger;
  /** Undoes what was done before the VM, the last first. */
  readonly undo: readonly Undo[];
}

/**
 * A microVM to run commands in. Its life is bound to this process: `destroy()` (or `await using`) ends it, and when this process is killed, the next one that
 * opens a host here removes it.
 */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  readonly vm: Vm;
  /** How long each step took until it was ready. */
  readonly timings: Timings;
  readonly #agent: AgentClient;
  readonly #undo: readonly Undo[];
  readonly #commands: GuestCommands;
  #destroying: Promise<void> | undefined;
  /** From the first call of `destroy()` on: what was under way ends by it, and nothing begins any more. */
  #isOver = false;

  private constructor(parts: SandboxParts) {
    this.vm = parts.vm;
    this.id = parts.vm.id;
    this.timings = parts.timings;
    this.#agent = parts.agent;
    this.#commands = new GuestCommands({
      agent: (what) => {
        this.#checkAlive(what);
        return parts.agent;
      },
      image: parts.image,
      env: parts.env,
      explain: (what, error, signal) => this.#explain(what, error, signal),
      logger: parts.logger,
    });
    this.#undo = [() => this.#commands.close(), ...parts.undo];
  }

  /**
   * Makes a sandbox: a clone of the template of its kind, which is made first where there is none yet, or a cold boot. A failure leaves nothing behind.
   * `INVALID_CONFIG`, `NOT_FOUND` and `UNSUPPORTED` for options that cannot be met, `SETUP_NEEDED` with the command to run where this machine lacks something.
   */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const { signal, timings = new Timings() } = options;
    const resolved = resolveSandboxOptions(options);
    const { vcpus, memoryMib, diskMib, hypervisor, cold } = resolved;
    const image = await ensureImage(resolved.image, {
      ...hostOptions(options),
      home: options.host?.home ?? homePaths(),
    });
    const host = options.host ?? (await Host.open({ ...hostOptions(options), timings }));
    const probe = host.choose(hypervisor);
    const shape = { image, diskMib, vcpus, memoryMib, hypervisor: probe };
    const plan = await planTemplate(host, shape);
    const env = { ...image.environment, ...options.env };
    const id = newSandboxId();
    const undo: Undo[] = [];
    try {
      undo.unshift(await keepImage(image, host.home.images, signal));
      const ownership = await ownVm(host.home, id, "sandbox");
      // A VM that could not be destroyed keeps its record: the next process tries again.
      undo.unshift(async () => {
        if (host.manager.get(id) === undefined) await ownership.release();
      });
      const making = { host, plan, id, timings, signal, accelerator: probe.accelerator, undo };
      const guest = await (cold ? bootCold(making) : restoreClone(making));
      undo.unshift(
        () => guest.agent.close(),
        () => guest.vm.destroy(),
      );
      await timings.measure("init", () =>
        whileAlive(
          guest.vm,
          "initialise the guest",
          guest.agent.init(identityOf(id, env), {
            connectTimeoutMs: readyTimeoutMs(host, probe.accelerator),
            ...(signal && { signal }),
          }),
        ),
      );
      return new Sandbox({ ...guest, env, image, timings, logger: host.logger, undo });
    } catch (error) {
      await unwind(undo).catch((failure: unknown) =>
        host.logger.error(
          { vm: id, error: failure },
          "cannot remove a sandbox that failed to start",
        ),
      );
      throw error;
    }
  }

  /**
   * Runs a command to its end, as the image's user in the image's directory where the options name none, and gives what it wrote. One that fails is a
   * {@link CommandError}, unless `reject` is false. `GUEST_NOT_FOUND` when there is no such program, `VM_DESTROYED` when the sandbox is destroyed before or
   * meanwhile. When the connection is lost, `details.outcome` says whether the command may have run.
   */
  async run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.#commands.run(command, options);
  }

  /** Starts a command, as `run`. What it gives can be awaited for the result of `run`, or be read while it runs: see {@link SandboxProcess}. */
  spawn(command: readonly string[], options: SpawnOptions = {}): SandboxProcess {
    return this.#commands.spawn(command, options);
  }

  /** Starts a command on a terminal: by default a shell. */
  async terminal(options: TerminalOptions = {}): Promise<SandboxTerminal> {
    return this.#commands.terminal(options);
  }

  /**
   * Takes over a process that was started here, by this process or another: its last output comes first, then what follows. Who had it before gets
   * `GUEST_TAKEN_OVER`. One that was started with `detach` and has ended meanwhile still tells its last output and its end, once.
   */
  attach(target: ProcessTarget, options: SandboxAttachOptions = {}): SandboxProcess {
    return this.#commands.attach(target, options);
  }

  /** The processes that were started by `run`, `spawn` and `terminal` and still run, or have ended without anybody being told. */
  async processes(options: CallOptions = {}): Promise<GuestProcessInfo[]> {
    return this.#commands.processes(options);
  }

  /** Sends a signal to one of these processes, by default to its whole group. Nothing happens when it has ended. */
  async signal(
    target: ProcessTarget,
    signal: string | number,
    options: CallOptions & { readonly group?: boolean } = {},
  ): Promise<void> {
    await this.#commands.signal(target, signal, options);
  }

  /** Measures the guest: processors, memory, disk. */
  async stats(options: CallOptions = {}): Promise<GuestStats> {
    return this.#commands.stats(options);
  }

  /** The TCP ports that something in the sandbox listens on. */
  async ports(options: CallOptions = {}): Promise<GuestPort[]> {
    return this.#commands.ports(options);
  }

  /**
   * Makes a TCP port of the sandbox reachable on 127.0.0.1 of this machine, one that only listens on its loopback included, until it is closed or the
   * sandbox destroyed. Nothing need listen there yet.
   */
  async forward(port: number, options: ForwardOptions = {}): Promise<PortForward> {
    return this.#commands.forward(port, options);
  }

  /** The files of the sandbox: read, write, list, watch and change them, as any of its users. Errors are those of `@virga/guest`. */
  get files(): GuestFiles {
    return this.#agent.files;
  }

  /** Copies a file or a directory of this machine into the guest. */
  async copyIn(
    source: string,
    destination: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await checkCopy({ source, destination });
    this.#checkAlive(`copy ${source}`);
    try {
      await copyInto(this.#agent.files, { source, destination }, options.signal);
    } catch (error) {
      throw await this.#explain(`copy ${source}`, error, options.signal);
    }
  }

  /** Tells why the VM ended, where that is what an error of a stream or of `exited` comes from; else gives the error back. */
  async explain(what: string, error: unknown): Promise<unknown> {
    return this.#explain(what, error, undefined);
  }

  /** Ends the sandbox and removes everything of it. Resolves also when that was done before. */
  async destroy(): Promise<void> {
    this.#isOver = true;
    this.#destroying ??= unwind(this.#undo).catch((error: unknown) => {
      // It may be tried again, as a VM's destroy may.
      this.#destroying = undefined;
      throw error;
    });
    await this.#destroying;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  #checkAlive(what: string): void {
    if (this.#isOver) throw destroyedError(this.id, what);
  }

  async #explain(what: string, error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    // Its connections are closed first of all, which the guest's client takes for an abort.
    if (this.#isOver && signal?.aborted !== true && (isAborted(error) || isLoss(error))) {
      return destroyedError(this.id, what, error);
    }
    return explainLoss(this.vm, what, error);
  }
}

async function unwind(undo: readonly Undo[]): Promise<void> {
  for (const step of undo) await step();
}

function hostOptions(options: SandboxOptions): Parameters<typeof Host.open>[0] {
  const { logger, onProgress, onSetup, signal } = options;
  return {
    ...(logger && { logger }),
    ...(onProgress && { onProgress }),
    ...(onSetup && { onSetup }),
    signal,
  };
}
