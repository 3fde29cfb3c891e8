import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { spawnHeld } from "./launcher.ts";
import { logTail } from "./log-tail.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { endProcess } from "./stop-process.ts";
import { watchChild } from "./vmm-process.ts";

/** A process beside a VMM that its VM needs: in this process's own namespaces. */
export interface HelperOptions {
  /** Path of the launcher's binary. */
  readonly launcher: string;
  readonly argv: readonly [string, ...string[]];
  /** File for its stdout and stderr. */
  readonly logPath: string;
  readonly rlimits: Readonly<Record<string, number>>;
  /** Writes the process down: it goes on only after that. */
  readonly writeDown: (process: ProcessIdentity) => Promise<void>;
  /** Whether it serves by now. */
  readonly isReady: () => boolean;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
}

const POLL_MS = 5;

/**
 * Starts a helper by the launcher, and waits until it serves. A failure leaves no process: `LAUNCH_FAILED` with what it wrote when it ended instead,
 * `TIMEOUT`, `ABORTED`.
 */
export async function startHelper(options: HelperOptions): Promise<void> {
  const { argv, launcher, logPath, rlimits, timeoutMs, signal, logger } = options;
  const deadline = performance.now() + timeoutMs;
  const held = await spawnHeld({
    launcher,
    argv,
    logPath,
    mountNamespace: false,
    binds: [],
    rlimits,
  });
  const helper = watchChild(held.child, held.identity);
  try {
    await options.writeDown(held.identity);
    await held.go(Math.max(1, Math.ceil(deadline - performance.now())), signal);
    while (!options.isReady()) {
      if (!helper.isAlive()) throw await endedEarly(argv[0], logPath);
      if (signal?.aborted === true) throw abortedError(`starting ${argv[0]}`, signal);
      if (performance.now() > deadline) {
        throw new VirgaError("TIMEOUT", `${argv[0]} did not serve within ${timeoutMs} ms`, {
          details: { program: argv[0], timeoutMs },
        });
      }
      // oxlint-disable-next-line no-await-in-loop
      await sleep(POLL_MS);
    }
  } catch (error) {
    await endProcess(held.identity, logger);
    throw error;
  }
}

async function endedEarly(program: string, logPath: string): Promise<VirgaError> {
  const tail = await logTail(logPath);
  return new VirgaError(
    "LAUNCH_FAILED",
    `${program} ended at once: ${tail.trim() || "it said nothing"}`,
    {
      details: { program, logTail: tail },
    },
  );
}
