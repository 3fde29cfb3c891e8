import { spawn, type SpawnOptions } from "node:child_process";

/** Milliseconds from the spawn of a program to its end. Fails unless its exit code is 0. */
export function processTime(
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program, args, { stdio: "ignore", ...options });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      const time = performance.now() - started;
      if (code === 0) resolve(time);
      else reject(new Error(`${program} ${args.join(" ")} ended with ${signal ?? code}`));
    });
    // The launcher waits for its go here.
    child.stdio[3]?.on("error", () => undefined);
    if (child.stdio[3] !== undefined && child.stdio[3] !== null && "write" in child.stdio[3]) {
      child.stdio[3].write("g");
    }
  });
}
