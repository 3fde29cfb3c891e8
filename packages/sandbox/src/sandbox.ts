import type { AgentClient, ExecOptions, GuestFiles, GuestProcess } from "@virga/guest";
import type { Vm } from "@virga/vm";
import { readyTimeoutMs } from "./boot-guest.ts";
import type { Guest } from "./boot-guest.ts";
import { identityOf } from "./guest-agent.ts";
import { checkCopy, copyInto } from "./copy-into.ts";
import { explainStart } from "./explain-start.ts";
import { homePaths } from "./home.ts";
import { Host } from "./host.ts";
import { withImageDefaults } from "./image-defaults.ts";
import { ensureImage } from "./images/ensure-image.ts";
import { keepImage } from "./images/image.ts";
import type { Image } from "./images/image.ts";
import { bootCold, restoreClone } from "./make-guest.ts";
import type { Undo } from "./make-guest.ts";
import { ownVm } from "./owner-record.ts";
import { checkRunOptions, collect } from "./run-command.ts";
import type { RunOptions, RunResult } from "./run-command.ts";
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
  /** Undoes what was done before the VM, the last first. */
  readonly undo: readonly Undo[];
}

/** How to start a command: see `ExecOptions` of `@virga/guest`. */
export type SpawnOptions = ExecOptions;

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
  readonly #env: Readonly<Record<string, string>>;
  readonly #image: Image;
  #destroying: Promise<void> | undefined;
  /** From the first call of `destroy()` on: what was under way ends by it, and nothing begins any more. */
  #isOver = false;

  private constructor(parts: SandboxParts) {
    this.vm = parts.vm;
    this.id = parts.vm.id;
    this.timings = parts.timings;
    this.#agent = parts.agent;
    this.#undo = parts.undo;
    this.#env = parts.env;
    this.#image = parts.image;
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
      return new Sandbox({ ...guest, env, image, timings, undo });
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
   * Runs a command to its end and gives what it wrote. A command that fails is no error: see `exitCode`. `GUEST_NOT_FOUND` when there is no such program,
   * `VM_DESTROYED` when the sandbox is destroyed before or meanwhile.
   */
  async run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    checkRunOptions(command, options);
    const { env, cwd, user, timeoutMs, signal, stdin } = options;
    const process = await this.spawn(command, {
      stdin: stdin !== undefined,
      ...(env && { env }),
      ...(cwd !== undefined && { cwd }),
      ...(user !== undefined && { user }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(signal && { signal }),
    });
    try {
      return await collect(process, options);
    } catch (error) {
      throw await this.#explain(`run ${command[0] ?? ""}`, error, signal);
    }
  }

  /** Starts a command, as the image's user in the image's directory where the options name none, and gives its streams. */
  async spawn(command: readonly string[], given: SpawnOptions = {}): Promise<GuestProcess> {
    const { signal } = given;
    this.#checkAlive(`run ${command[0] ?? ""}`);
    const options = withImageDefaults(this.#image, given);
    try {
      return await this.#agent.exec(command, options);
    } catch (error) {
      const explained = explainStart(error, { command, options, env: this.#env });
      throw await this.#explain(`run ${command[0] ?? ""}`, explained, signal);
    }
  }

  /** The files of the guest: read, write, list, watch and change them, as any of its users. Errors are those of `@virga/guest`. */
  get files(): GuestFiles {
    return this.#agent.files;
  }

  /** Copies a file or a directory of this machine into the guest. */
  async copyIn(
    source: string,
    destination: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const copy = await checkCopy({ source, destination });
    this.#checkAlive(`copy ${source}`);
    try {
      await copyInto((command, exec) => this.#agent.exec(command, exec), copy, options.signal);
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
