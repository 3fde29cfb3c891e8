import { VirgaError } from "./errors.ts";
import { vmLayout } from "./directory.ts";
import type { HypervisorDriver, VmContext } from "./hypervisor/port.ts";
import { isSameProcess } from "./launch/process-identity.ts";
import { endsWithin, watchProcess } from "./launch/vmm-process.ts";
import type { Logger } from "./logger.ts";
import { Machine } from "./machine.ts";
import type { VmRecord } from "./record.ts";
import type { VmState } from "./state.ts";

const ASK_MS = 2_000;

/** How long a VMM may take to be gone that was killed because its guest has ended. */
const END_MS = 5_000;

/**
 * Takes up a VM that another process (or an earlier life of this one) started, after checking that it is really that VM. One that has ended by now, or whose
 * guest has while nobody watched, is `failed`, and its reason is known.
 */
export async function openMachine(
  record: VmRecord,
  directory: string,
  driver: HypervisorDriver,
  logger: Logger,
): Promise<Machine> {
  if (record.process === undefined) {
    throw new VirgaError("VM_NOT_OURS", `VM "${record.id}" was never started`, {
      details: { directory },
    });
  }
  const context: VmContext = {
    config: record.config,
    layout: vmLayout(directory, record.config.socketName, record.isolated),
    build: record.build,
    uuid: record.uuid,
  };
  const control = driver.control(context);
  let state: VmState = "failed";
  if (isSameProcess(record.process)) state = await askState(record, context, driver, logger);
  const process = watchProcess(record.process);
  const machine = new Machine({ driver, context, control, process, record, logger }, state);
  // Nobody may use a guest that has booted again in the same VMM, unknown to us.
  const end = process.isAlive() ? await driver.guestEnd?.(context) : undefined;
  if (end !== undefined) {
    machine.endWithGuest(end);
    await endsWithin(process, END_MS);
  }
  if (!process.isAlive()) {
    // It may be all that the program waits for.
    process.keepAlive(true);
    await machine.exited;
  }
  return machine;
}

/** The VMM's own answer: who it is, and what its VM does. Busy with a long call it cannot answer; then the record's state counts. */
async function askState(
  record: VmRecord,
  context: VmContext,
  driver: HypervisorDriver,
  logger: Logger,
): Promise<VmState> {
  const control = driver.control(context);
  try {
    const identity = await control.ping({ timeoutMs: ASK_MS });
    const wrong =
      (identity.pid !== undefined && identity.pid !== record.process?.pid) ||
      (identity.uuid !== undefined && identity.uuid !== record.uuid);
    if (wrong) {
      throw new VirgaError(
        "VM_NOT_OURS",
        `Another hypervisor answers on the socket of VM "${record.id}"`,
        { details: { identity, uuid: record.uuid } },
      );
    }
    const { state } = await control.info({ timeoutMs: ASK_MS });
    if (state === "running" || state === "paused") return state;
    logger.warn({ vm: record.id, state }, "the hypervisor is there, its VM is not");
    return "unknown";
  } catch (error) {
    if (error instanceof VirgaError && error.code === "TIMEOUT") {
      return record.state === "running" || record.state === "paused" ? record.state : "unknown";
    }
    if (error instanceof VirgaError && error.code === "VM_NOT_OURS") throw error;
    logger.warn({ vm: record.id, error }, "the hypervisor does not answer");
    return "unknown";
  } finally {
    control.close();
  }
}
