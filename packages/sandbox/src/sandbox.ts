import type {
  CallOptions,
  GuestFiles,
  GuestPort,
  GuestProcessInfo,
  GuestStats,
  ProcessTarget,
} from "@virga/guest";
import type { Vm } from "@virga/vm";
import type { SandboxRow } from "./catalog/rows.ts";
import type { ForwardOptions, PortForward } from "./commands/forward-port.ts";
import { GuestCommands } from "./commands/guest-commands.ts";
import type { SandboxAttachOptions } from "./commands/guest-commands.ts";
import type { RunOptions, RunResult, SpawnOptions } from "./commands/run-options.ts";
import type { SandboxProcess } from "./commands/sandbox-process.ts";
import type { SandboxTerminal, TerminalOptions } from "./commands/sandbox-terminal.ts";
import { checkCopy, copyInto } from "./commands/copy-into.ts";
import { openAccess } from "./life/access.ts";
import type { Access, AccessOptions } from "./life/access.ts";
import { balloonSandbox } from "./life/balloon-sandbox.ts";
import { createSandbox } from "./life/create-sandbox.ts";
import type { CreatedSandbox } from "./life/create-sandbox.ts";
import { destroySandbox } from "./life/destroy-sandbox.ts";
import { destroyUnknown } from "./life/destroy-unknown.ts";
import { forkSandbox } from "./life/fork-sandbox.ts";
import type { ForkOptions } from "./life/fork-sandbox.ts";
import { GuestLink } from "./life/guest-link.ts";
import type { LifeOptions } from "./life/life-tools.ts";
import { pauseSandbox } from "./life/pause-sandbox.ts";
import { resumeSandbox } from "./life/resume-sandbox.ts";
import { sandboxInfo, wholeSandboxInfo } from "./life/sandbox-info.ts";
import type { SandboxInfo } from "./life/sandbox-info.ts";
import { stateError } from "./life/sandbox-state.ts";
import { suspendSandbox } from "./life/suspend-sandbox.ts";
import { takeSnapshot } from "./life/take-snapshot.ts";
import type { TakeSnapshotOptions } from "./life/take-snapshot.ts";
import type { SandboxOptions } from "./life/sandbox-options.ts";
import { snapshotInfo } from "./snapshots/snapshot-info.ts";
import type { SnapshotInfo } from "./snapshots/snapshot-info.ts";
import { Timings } from "./timings.ts";
import { destroyedError, isAborted, isLoss } from "./guest/vm-death.ts";

interface SandboxParts {
  readonly access: Access;
  readonly row: SandboxRow;
  readonly vm: Vm | undefined;
  readonly timings: Timings;
}

/** How to take a snapshot. */
export type SnapshotOptions = Pick<TakeSnapshotOptions, "name" | "signal" | "timings">;

/** How to reach sandboxes that are there. */
export interface ConnectOptions extends AccessOptions {
  /** Default: this machine, opened for these sandboxes alone. */
  readonly host?: Access;
}

/**
 * A microVM to run commands in. It outlives the process that made it, unless that was asked for (`ephemeral`), and any process can use it: `Sandbox.connect`.
 * `destroy()` (or `await using`) ends it.
 *
 * ```ts
 * import { Sandbox } from "virga";
 *
 * await using sandbox = await Sandbox.create();
 * await sandbox.files.write("/tmp/note", "before\n");
 * const [fork] = await sandbox.fork();
 * await sandbox.files.write("/tmp/note", "after\n");
 * console.log((await fork?.run(["cat", "/tmp/note"]))?.stdout);
 * await fork?.destroy();
 * ```
 */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  /** As it was given; null for none. */
  readonly name: string | null;
  /** How long each step took until it was ready. */
  readonly timings: Timings;
  readonly #access: Access;
  readonly #row: SandboxRow;
  readonly #link: GuestLink;
  readonly #commands: GuestCommands;
  #destroying: Promise<void> | undefined;
  /** From the first call of `destroy()` on: what was under way ends by it, and nothing begins any more. */
  #isOver = false;

  private constructor({ access, row, vm, timings }: SandboxParts) {
    this.id = row.id;
    this.name = row.name;
    this.timings = timings;
    this.#access = access;
    this.#row = row;
    this.#link = new GuestLink(access, row.id, vm);
    this.#commands = new GuestCommands({
      agent: async (what) => {
        await this.#check(what);
        return this.#link.agent;
      },
      image: row.spec,
      env: row.spec.env,
      explain: (what, error, signal) => this.#explain(what, error, signal),
      logger: access.logger,
    });
  }

  /**
   * Makes a sandbox: a clone of the template of its kind, which is made first where there is none yet, or a cold boot, or a clone of a snapshot. A failure leaves
   * nothing behind. `INVALID_CONFIG`, `NOT_FOUND` and `UNSUPPORTED` for options that cannot be met, `VM_EXISTS` for a name that is taken, `SETUP_NEEDED` with the
   * command to run where this machine lacks something.
   */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const { timings = new Timings() } = options;
    return Sandbox.#of(await createSandbox({ ...options, timings }));
  }

  /** A sandbox that is there, by its id, its name, or the beginning of its id; whatever its state. `VM_NOT_FOUND` where there is none. */
  static async connect(idOrName: string, options: ConnectOptions = {}): Promise<Sandbox> {
    const access = options.host ?? (await openAccess(options));
    const row = access.catalog.sandboxes.find(idOrName);
    return new Sandbox({ access, row, vm: undefined, timings: new Timings() });
  }

  /** Tells of every sandbox of the state directory, the oldest first. */
  static async list(options: ConnectOptions = {}): Promise<SandboxInfo[]> {
    const access = options.host ?? (await openAccess(options));
    return Promise.all(access.catalog.sandboxes.list().map((row) => sandboxInfo(access, row)));
  }

  /**
   * Destroys a sandbox that `connect` does not find because its row in the catalogue was damaged, by its id or name, or lost, by its whole id. Gives its id; undefined
   * where there is no such sandbox.
   */
  static async destroyUnknown(
    idOrName: string,
    options: ConnectOptions & LifeOptions = {},
  ): Promise<string | undefined> {
    const access = options.host ?? (await openAccess(options));
    return destroyUnknown(access, idOrName, options);
  }

  /** The VM it was last seen in. `INVALID_STATE` when there is none: it is suspended, or was not used here yet. */
  get vm(): Vm {
    const vm = this.#link.lastVm;
    if (vm === undefined) throw stateError(this.#row, "unknown", "give its VM");
    return vm;
  }

  /** What is known of it now. `VM_DESTROYED` when it is gone. */
  async info(): Promise<SandboxInfo> {
    const row = this.#access.catalog.sandboxes.get(this.id);
    if (row === undefined) throw destroyedError(this.id, "tell of the sandbox");
    return wholeSandboxInfo(this.#access, row);
  }

  /** The image's own command, for `run` and `spawn`; empty where it has none. */
  get imageCommand(): readonly string[] {
    return this.#row.spec.command;
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
    return this.#link.agent.files;
  }

  /** Copies a file or a directory of this machine into the guest. */
  async copyIn(
    source: string,
    destination: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await checkCopy({ source, destination });
    await this.#check(`copy ${source}`);
    try {
      await copyInto(this.#link.agent.files, { source, destination }, options.signal);
    } catch (error) {
      throw await this.#explain(`copy ${source}`, error, options.signal);
    }
  }

  /**
   * Stops it where it stands; it stays in memory. What runs in it is frozen, so that it can be snapshotted, forked and suspended as it is. `GUEST_NOT_FROZEN` when a
   * process cannot be frozen: then all go on. Legal for a running sandbox.
   */
  async pause(options: LifeOptions = {}): Promise<void> {
    await this.#before();
    await pauseSandbox(this.#access, this.id, options);
  }

  /**
   * Writes it to the disk and frees its memory; a reboot of this machine does not matter then. A failure lets it go on as it was. Legal for a running or paused
   * sandbox.
   */
  async suspend(options: LifeOptions = {}): Promise<void> {
    await this.#before();
    await suspendSandbox(this.#access, this.id, options);
  }

  /** Lets it go on where it stood. Legal for a paused or suspended sandbox; a failure leaves it so. */
  async resume(options: LifeOptions = {}): Promise<void> {
    await resumeSandbox(this.#access, this.id, options);
  }

  /**
   * Keeps this moment of it: memory, devices, disk. It stands still shortly and goes on; a paused one stays paused. `Sandbox.create({ snapshot })` makes sandboxes of
   * it. A failure leaves no snapshot. Legal for a running or paused sandbox.
   */
  async snapshot(options: SnapshotOptions = {}): Promise<SnapshotInfo> {
    await this.#before();
    const row = await takeSnapshot(this.#access, this.id, { ...options, kind: "snapshot" });
    return snapshotInfo(this.#access, row);
  }

  /**
   * Makes clones of it while it goes on: what runs in it runs on in each of them, as a machine of its own. All of them, or none when one fails. Legal for a running or
   * paused sandbox.
   */
  async fork(count = 1, options: ForkOptions = {}): Promise<Sandbox[]> {
    await this.#before();
    const forks = await forkSandbox(this.#access, this.id, count, options);
    return Promise.all(forks.map((fork) => Sandbox.#of(fork)));
  }

  /**
   * Takes so many MiB of memory from it; 0 gives all back. The guest gives what it can spare. Legal for a running sandbox that was made with `balloon`, else
   * `UNSUPPORTED`.
   */
  async updateBalloon(amountMib: number, options: LifeOptions = {}): Promise<void> {
    await balloonSandbox(this.#access, this.id, amountMib, options);
  }

  /** Tells why the VM ended, where that is what an error of a stream or of `exited` comes from; else gives the error back. */
  async explain(what: string, error: unknown): Promise<unknown> {
    return this.#explain(what, error, undefined);
  }

  /** Ends what is forwarded and lets go of the connections that are kept for the next call; the sandbox lives on, and may still be used. */
  async disconnect(): Promise<void> {
    await this.#commands.close();
    await this.#link.agent.reset();
  }

  /** Ends the sandbox and removes everything of it, whatever its state. Resolves also when that was done before. */
  async destroy(options: LifeOptions = {}): Promise<void> {
    this.#isOver = true;
    this.#destroying ??= this.#destroy(options).catch((error: unknown) => {
      // It may be tried again, as a VM's destroy may.
      this.#destroying = undefined;
      throw error;
    });
    await this.#destroying;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  async #destroy(options: LifeOptions): Promise<void> {
    await this.#commands.close();
    await this.#link.agent.close();
    await destroySandbox(this.#access, this.id, options);
  }

  static async #of({ host, row, guest, timings }: CreatedSandbox): Promise<Sandbox> {
    await guest.agent.close();
    return new Sandbox({ access: host, row, vm: guest.vm, timings });
  }

  /** No connection of ours is to be caught in what is saved. */
  async #before(): Promise<void> {
    if (this.#isOver) throw destroyedError(this.id, "use the sandbox");
    await this.#link.agent.reset();
  }

  async #check(what: string): Promise<void> {
    if (this.#isOver) throw destroyedError(this.id, what);
    await this.#link.vm(what);
  }

  async #explain(what: string, error: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    // Its connections are closed first of all, which the guest's client takes for an abort.
    if (this.#isOver && signal?.aborted !== true && (isAborted(error) || isLoss(error))) {
      return destroyedError(this.id, what, error);
    }
    return this.#link.explain(what, error);
  }
}
