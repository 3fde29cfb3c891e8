import type { Answer } from "./answer.ts";
import type { GuestExit } from "./guest-process.ts";

/** How a process ended, as an exit event or a list of processes tells it. */
export function parseExit(answer: Answer): GuestExit {
  const timedOut = answer.flag("timedOut");
  const code = answer.optionalInteger("code", 0, 255);
  if (code !== undefined) return { code, timedOut };
  return { signal: answer.integer("signal", 1, 64), coreDumped: answer.flag("core"), timedOut };
}
