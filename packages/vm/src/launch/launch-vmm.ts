import { VirgaError } from "../errors.ts";
import type {
  HypervisorControl,
  HypervisorDriver,
  LaunchPlan,
  VmContext,
} from "../hypervisor/port.ts";
import type { Logger } from "../logger.ts";
import { makeOutputFile } from "../output-file.ts";
import type { Operation } from "../steps.ts";
import type { UndoStack } from "../undo.ts";
import { fileLimit } from "./file-limit.ts";
import { spawnHeld } from "./launcher.ts";
import type { BindMount } from "./launcher.ts";
import { killProcess } from "./stop-process.ts";
import { watchChild } from "./vmm-process.ts";
import type { VmmProcess } from "./vmm-process.ts";
import { waitForSocket } from "./wait-for-socket.ts";

const RLIMITS: Readonly<Record<string, number>> = { core: 0, nofile: 4096 };

/** What a launch needs. */
export interface VmmLaunchOptions {
  readonly context: VmContext;
  readonly driver: HypervisorDriver;
  readonly plan: LaunchPlan;
  readonly binds: readonly BindMount[];
  /** Path of the launcher's binary. */
  readonly launcher: string;
  readonly diesWithParent: boolean;
  readonly operation: Operation;
  /** Where the end of the process is registered. */
  readonly undo: UndoStack;
  readonly logger: Logger;
  /** Told at once of the process there is now. */
  readonly onSpawned: (process: VmmProcess) => void;
  /** Writes the process down: it goes on only after that. */
  readonly writeDown: (process: VmmProcess) => Promise<void>;
}

/** A VMM that answers. */
export interface LaunchedVmm {
  readonly process: VmmProcess;
  readonly control: HypervisorControl;
}

/** Starts a VMM by the launcher, lets it go on when it is written down, and waits until it answers on its control socket. */
export async function launchVmm(options: VmmLaunchOptions): Promise<LaunchedVmm> {
  const { context, driver, plan, operation, undo, logger } = options;
  const { config, layout } = context;
  const { signal } = operation;
  const fsize = await fileLimit(config, plan.largestFileBytes);
  const deadline = performance.now() + config.timeouts.launchMs;
  const { stdout, descriptors = [], appends = [] } = plan;
  const outputs = new Set([layout.host.log, stdout ?? layout.host.log, ...descriptors, ...appends]);
  const held = await operation.step("spawn", () => {
    for (const path of outputs) makeOutputFile(path, fsize);
    return spawnHeld({
      launcher: options.launcher,
      argv: plan.argv,
      logPath: layout.host.log,
      stdoutPath: stdout,
      descriptorPaths: descriptors,
      networkNamespace: config.networkNamespace === "none" ? undefined : config.networkNamespace,
      networkDevice: config.network?.tap,
      mountNamespace: layout.isolated,
      binds: options.binds,
      rlimits: { ...RLIMITS, fsize },
      diesWithParent: options.diesWithParent,
    });
  });
  const process = watchChild(held.child, held.identity);
  options.onSpawned(process);
  undo.add("stop the hypervisor", () => killProcess(process, logger));
  await operation.step("record process", () => options.writeDown(process));
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
  return { process, control };
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
