import { VirgaError, errorText } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { endsWithin, watchProcess } from "./vmm-process.ts";
import type { VmmProcess } from "./vmm-process.ts";

/** How long a process has for each way of ending. */
export interface StopOptions {
  /** Asks the VMM to end by itself; undefined skips this. */
  readonly ask?: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
  readonly shutdownMs: number;
  readonly terminateMs: number;
  /** Shortens every grace; never stops the kill. */
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
}

const KILL_MS = 5_000;

/** Ends a VMM: ask, SIGTERM, SIGKILL. `DESTROY_FAILED` for a process that survives even that. */
export async function stopProcess(vmm: VmmProcess, options: StopOptions): Promise<void> {
  if (!vmm.isAlive()) return;
  if (options.ask !== undefined && options.signal?.aborted !== true) {
    const started = performance.now();
    try {
      await options.ask(options.signal);
      if (
        await endsWithin(
          vmm,
          Math.max(1, options.shutdownMs - (performance.now() - started)),
          options.signal,
        )
      )
        return;
    } catch (error) {
      options.logger.debug(
        { pid: vmm.identity.pid, error: errorText(error) },
        "VMM did not end when asked",
      );
    }
  }
  if (!vmm.isAlive()) return;
  vmm.signal("SIGTERM");
  // Resumes a stopped process, so that it can act on the signal.
  vmm.signal("SIGCONT");
  if (
    options.signal?.aborted !== true &&
    (await endsWithin(vmm, options.terminateMs, options.signal))
  )
    return;
  vmm.signal("SIGKILL");
  if (await endsWithin(vmm, KILL_MS)) return;
  throw new VirgaError(
    "DESTROY_FAILED",
    `Process ${vmm.identity.pid} is still there ${KILL_MS} ms after SIGKILL`,
    {
      details: { pid: vmm.identity.pid },
      hint: "It hangs in the kernel; the VM stays listed as failed.",
    },
  );
}

/** Ends a process at once. Resolves when it is gone. */
export async function killProcess(process: VmmProcess, logger: Logger): Promise<void> {
  const signal = AbortSignal.abort();
  await stopProcess(process, { shutdownMs: 0, terminateMs: 0, signal, logger });
}

/** Ends a process at once that this process or another one started, unless its pid is another process's by now. Resolves when it is gone. */
export async function endProcess(identity: ProcessIdentity, logger: Logger): Promise<void> {
  const process = watchProcess(identity);
  try {
    await killProcess(process, logger);
  } finally {
    process.unwatch();
  }
}
