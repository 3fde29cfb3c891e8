import { VirgaError } from "@virga/vm";
import type { Tool } from "../setup/spawn-tool.ts";

const MAX_TAIL = 2_000;

/** Waits for the end of a program that has a pipe for its standard error. `IO_ERROR` when it cannot be run, fails, or dies: `Cannot <what>: …` with the end of what it said. */
export function endOfProgram({ program, child }: Tool, what: string): Promise<void> {
  let tail = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("utf8")).slice(-MAX_TAIL);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", (cause) => {
      const message = `Cannot ${what}: the program ${program} cannot be run`;
      reject(new VirgaError("IO_ERROR", message, { cause }));
    });
    child.once("close", (code, signal) => {
      if (code === 0) return resolve();
      const said = tail.replaceAll(/\p{Cc}+/gu, " ").trim();
      const ending = code === null ? `died of ${signal}` : `ended with ${code}`;
      const message = `Cannot ${what}: ${program} ${ending}${said && `: ${said}`}`;
      reject(new VirgaError("IO_ERROR", message, { details: { code, signal } }));
    });
  });
  // Whoever waits for it may do so later.
  ended.catch(() => undefined);
  return ended;
}
