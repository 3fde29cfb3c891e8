import type { ExitReason } from "./exit-reason.ts";
import type { ExitEvidence, HypervisorDriver, VmContext } from "./hypervisor/port.ts";
import { logTail } from "./launch/log-tail.ts";
import { isOfThisBoot } from "./launch/process-identity.ts";
import type { ProcessExit, VmmProcess } from "./launch/vmm-process.ts";
import type { Logger } from "./logger.ts";

/** Whose VMM has ended. */
export interface Ended {
  readonly id: string;
  readonly driver: HypervisorDriver;
  readonly context: VmContext;
  readonly process: Pick<VmmProcess, "identity">;
  readonly logger: Logger;
}

/** Why a VMM ended. What this process saw of the guest, or asked for itself, is `known`; else the driver looks at what the VMM left. */
export async function explainEnd(
  ended: Ended,
  exit: ProcessExit,
  known: ExitReason["reason"] | undefined,
): Promise<ExitReason> {
  const tail = await logTail(ended.context.layout.host.log);
  if (known === "requested") return { reason: known, logTail: tail, ...exitFields(exit) };
  if (known !== undefined) return { reason: known, logTail: tail };
  const told = await ask(ended, { ...exit, logTail: tail, requested: false });
  // The guest may have ended before that.
  const isLost = !isOfThisBoot(ended.process.identity) && !told.reason.startsWith("guest-");
  return isLost ? { ...told, reason: "host-reboot" } : told;
}

async function ask(
  { id, driver, context, logger }: Ended,
  evidence: ExitEvidence,
): Promise<ExitReason> {
  try {
    return await driver.explainExit(context, evidence);
  } catch (error) {
    logger.warn({ vm: id, error }, "cannot tell why the hypervisor ended");
    return { reason: "unknown", logTail: evidence.logTail };
  }
}

function exitFields(exit: ProcessExit): { code?: number; signal?: string } {
  return {
    ...(exit.code !== null && { code: exit.code }),
    ...(exit.signal !== null && { signal: exit.signal }),
  };
}
