import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { claimDirectory } from "./claim-directory.ts";
import type { ResolvedVmConfig, RestoreMode } from "./config/vm-config.ts";
import { checkSocketPaths, vmLayout } from "./directory.ts";
import { VirgaError, errnoOf } from "./errors.ts";
import { explainFullDisk } from "./full-disk.ts";
import type {
  HypervisorBuild,
  HypervisorControl,
  HypervisorDriver,
  LaunchPlan,
  SnapshotSource,
  VmContext,
} from "./hypervisor/port.ts";
import { fileLimit } from "./launch/file-limit.ts";
import { spawnHeld } from "./launch/launcher.ts";
import { makeRunDirectory } from "./launch/run-directory.ts";
import { stopProcess } from "./launch/stop-process.ts";
import { watchChild } from "./launch/vmm-process.ts";
import type { VmmProcess } from "./launch/vmm-process.ts";
import { logTail } from "./launch/log-tail.ts";
import { waitForSocket } from "./launch/wait-for-socket.ts";
import type { Logger } from "./logger.ts";
import { Machine } from "./machine.ts";
import { RECORD_FORMAT, writeRecord } from "./record.ts";
import type { VmRecord } from "./record.ts";
import { Operation } from "./steps.ts";
import { UndoStack } from "./undo.ts";

/** What starting a VM needs beside its configuration. */
export interface StartOptions {
  readonly config: ResolvedVmConfig;
  readonly driver: HypervisorDriver;
  readonly build: HypervisorBuild;
  readonly launcher: string;
  readonly isolated: boolean;
  readonly diesWithParent: boolean;
  /** Restore from this snapshot instead of booting. */
  readonly source: SnapshotSource | undefined;
  /** Why this restore mode, for the record. */
  readonly restoreReason: string;
  readonly signal: AbortSignal | undefined;
  readonly logger: Logger;
}

const RLIMITS: Readonly<Record<string, number>> = { core: 0, nofile: 4096 };

/** Launches a VMM and boots or restores a VM in it, in the seed's order. A failing step stops the process and removes what was made. */
export async function startVm(options: StartOptions): Promise<Machine> {
  const { config, driver, build, source, logger, signal } = options;
  const operation = new Operation(
    config.sandboxId,
    source === undefined ? "create" : "restore",
    logger,
    signal,
  );
  const undo = new UndoStack();
  const layout = vmLayout(config.vmDirectory, config.socketName, options.isolated);
  const context: VmContext = { config, layout, build, uuid: randomUUID() };
  try {
    await operation.step("check", async () => {
      checkSocketPaths(layout);
      driver.check(context, source);
      await checkFiles(config);
    });
    return await start(options, context, operation, undo);
  } catch (error) {
    const tail = await logTail(layout.host.log);
    const explained = await explainFullDisk(error, layout.directory);
    await undo.unwind(logger);
    throw withLogTail(explained, tail);
  }
}

async function start(
  options: StartOptions,
  context: VmContext,
  operation: Operation,
  undo: UndoStack,
): Promise<Machine> {
  const { config, driver, source, logger, signal } = options;
  const { layout } = context;
  const started: { process?: VmmProcess } = {};
  const lock = await operation.step("directory", () =>
    claimDirectory(layout, {
      timeoutMs: config.timeouts.lockMs,
      signal,
      undo,
      mayRemove: () => started.process?.isAlive() !== true,
    }),
  );
  let record = newRecord(options, context);
  // Before anything that costs: a directory with this record and no living holder of its lock is removed by whoever finds it.
  await operation.step("record", () => writeRecord(layout.record, record, { durable: true }));
  const plan = await operation.step("prepare", () => planLaunch(options, context));
  const binds = await operation.step("run directory", async () => {
    const made = await makeRunDirectory(
      layout,
      config,
      source === undefined
        ? undefined
        : { directory: source.directory, writable: plan.snapshotWritable ?? false },
    );
    await driver.prepareFiles(context, source);
    return made;
  });
  const fsize = await fileLimit(config, plan.largestFileBytes);
  const deadline = performance.now() + config.timeouts.launchMs;
  const held = await operation.step("spawn", () =>
    spawnHeld({
      launcher: options.launcher,
      argv: plan.argv,
      logPath: layout.host.log,
      networkNamespace: config.networkNamespace === "none" ? undefined : config.networkNamespace,
      networkDevice: config.network?.tap,
      mountNamespace: options.isolated,
      binds,
      rlimits: { ...RLIMITS, fsize },
      diesWithParent: options.diesWithParent,
    }),
  );
  const process = watchChild(held.child, held.identity);
  started.process = process;
  undo.add("stop the hypervisor", () =>
    stopProcess(process, { shutdownMs: 0, terminateMs: 0, signal: AbortSignal.abort(), logger }),
  );
  record = { ...record, process: held.identity };
  await operation.step("record process", () =>
    writeRecord(layout.record, record, { durable: false }),
  );
  await operation.step("launch", () =>
    held.go(Math.max(1, Math.ceil(deadline - performance.now())), signal),
  );
  const control = driver.control(context);
  undo.add("close the control connection", () => control.close());
  await operation.step("wait for socket", async () => {
    const answer = await waitForSocket(
      control,
      process,
      layout.host.api,
      Math.max(1, Math.ceil(deadline - performance.now())),
      signal,
    );
    checkIdentity(context, held.identity.pid, answer);
  });
  if (source === undefined) await boot(operation, control, process, config, signal);
  else
    await operation.step("restore", () =>
      watched(process, control.restore(source, { timeoutMs: config.timeouts.longCallMs, signal })),
    );
  return operation.step("register", async () => {
    record = { ...record, phase: "ready", state: "running", timings: operation.timings };
    await writeRecord(layout.record, record, { durable: false });
    if (existsSync(layout.destroying))
      throw new VirgaError("VM_DESTROYED", "it was destroyed while it started");
    const machine = new Machine({ driver, context, control, process, record, logger }, "running");
    undo.release();
    lock.release();
    return machine;
  });
}

async function boot(
  operation: Operation,
  control: HypervisorControl,
  process: VmmProcess,
  config: ResolvedVmConfig,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { callMs, longCallMs } = config.timeouts;
  await operation.step("create", () =>
    watched(process, control.create({ timeoutMs: callMs, signal })),
  );
  await operation.step("boot", () =>
    watched(process, control.boot({ timeoutMs: longCallMs, signal })),
  );
}

/** A call that ends at once when the process does. */
async function watched<T>(process: VmmProcess, call: Promise<T>): Promise<T> {
  // The loser of the race must not become an unhandled rejection.
  call.catch(() => undefined);
  return Promise.race([
    call,
    process.exited.then(async () => {
      // The call usually fails by itself now, and knows more; it gets a moment to say so.
      const settled = await Promise.race([call.then(() => true), endsLater()]);
      if (settled) return call;
      throw new VirgaError("HYPERVISOR_EXITED", "the hypervisor ended during the call");
    }),
  ]);
}

async function endsLater(): Promise<false> {
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  return false;
}

function newRecord(options: StartOptions, context: VmContext): VmRecord {
  const { config, source } = options;
  const restore: { mode: RestoreMode; reason: string; directory: string } | undefined =
    source === undefined
      ? undefined
      : { mode: source.mode, reason: options.restoreReason, directory: source.directory };
  return {
    format: RECORD_FORMAT,
    id: config.sandboxId,
    phase: "creating",
    createdAt: new Date().toISOString(),
    config,
    build: context.build,
    isolated: options.isolated,
    uuid: context.uuid,
    ...(restore !== undefined && { restore }),
    state: "creating",
    timings: {},
  };
}

function planLaunch(options: StartOptions, context: VmContext): LaunchPlan {
  return options.source === undefined
    ? options.driver.planBoot(context)
    : options.driver.planRestore(context, options.source);
}

function checkIdentity(
  context: VmContext,
  pid: number,
  answer: { readonly pid?: number; readonly uuid?: string },
): void {
  const wrongPid = answer.pid !== undefined && answer.pid !== pid;
  const wrongUuid = answer.uuid !== undefined && answer.uuid !== context.uuid;
  if (wrongPid || wrongUuid) {
    throw new VirgaError(
      "VM_NOT_OURS",
      `another hypervisor answers on ${context.layout.host.api}`,
      { details: { expected: pid, answer } },
    );
  }
}

/** Fails unless every file the configuration names is there. */
async function checkFiles(config: ResolvedVmConfig): Promise<void> {
  const files: [string, string][] = config.disks.map((disk) => [`disk ${disk.id}`, disk.path]);
  if (config.kernel !== undefined) files.push(["kernel", config.kernel]);
  if (config.initramfs !== undefined) files.push(["initramfs", config.initramfs]);
  for (const [what, path] of files) {
    try {
      await stat(path);
    } catch (error) {
      const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
      throw new VirgaError(
        "NOT_FOUND",
        `${what} ${path} ${missing ? "does not exist" : `cannot be read (${errnoOf(error) ?? "error"})`}`,
        { cause: error, details: { path } },
      );
    }
  }
}

function withLogTail(error: unknown, tail: string): unknown {
  if (!(error instanceof VirgaError) || tail === "") return error;
  return new VirgaError(error.code, error.message, {
    details: { ...error.details, logTail: tail },
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
