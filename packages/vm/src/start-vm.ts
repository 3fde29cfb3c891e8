import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { checkFiles } from "./check-files.ts";
import { claimDirectory } from "./claim-directory.ts";
import type { ResolvedVmConfig, RestoreMode } from "./config/vm-config.ts";
import { vmLayout } from "./directory.ts";
import { VirgaError } from "./errors.ts";
import { explainFullDisk } from "./full-disk.ts";
import { identifyKernel } from "./kernel-identity.ts";
import type { KernelIdentity } from "./kernel-identity.ts";
import type {
  HypervisorBuild,
  HypervisorControl,
  HypervisorDriver,
  LaunchPlan,
  SnapshotSource,
  VmContext,
} from "./hypervisor/port.ts";
import { launchVmm } from "./launch/launch-vmm.ts";
import { makeRunDirectory } from "./launch/run-directory.ts";
import type { VmmProcess } from "./launch/vmm-process.ts";
import { logTail } from "./launch/log-tail.ts";
import { watched } from "./launch/watched.ts";
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
  let record = newRecord(options, context, await kernelOf(options));
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
    await driver.prepareFiles(context, source, signal);
    return made;
  });
  const { process, control } = await launchVmm({
    context,
    driver,
    plan,
    binds,
    launcher: options.launcher,
    diesWithParent: options.diesWithParent,
    operation,
    undo,
    logger,
    onSpawned: (spawned) => {
      started.process = spawned;
    },
    writeDown: async (spawned) => {
      record = { ...record, process: spawned.identity };
      // Not synced: what a power cut takes from the record it takes from the processes too.
      await writeRecord(layout.record, record, { durable: false });
    },
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

/** The kernel that runs in the guest: for a clone, the one its snapshot's VM had booted. */
async function kernelOf({ config, source }: StartOptions): Promise<KernelIdentity | undefined> {
  if (source !== undefined) return source.manifest.kernel;
  return config.kernel === undefined ? undefined : identifyKernel(config.kernel);
}

function newRecord(
  options: StartOptions,
  context: VmContext,
  kernel: KernelIdentity | undefined,
): VmRecord {
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
    ...(kernel !== undefined && { kernel }),
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

function withLogTail(error: unknown, tail: string): unknown {
  if (!(error instanceof VirgaError) || tail === "") return error;
  return new VirgaError(error.code, error.message, {
    details: { ...error.details, logTail: tail },
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
