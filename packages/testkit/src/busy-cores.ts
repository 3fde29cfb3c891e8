import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import type { TestContext } from "node:test";

/** By then the loops end by themselves, should this process be killed. */
const LONGEST_MS = 300_000;

const LOOP = `const end = Date.now() + ${LONGEST_MS}; console.log("busy"); while (Date.now() < end);`;

/** Keeps every core of the machine busy, each with so many loops, until the test ends. */
export async function keepCoresBusy(t: TestContext, loopsPerCore: number): Promise<void> {
  for (let i = 0; i < loopsPerCore * availableParallelism(); i++) {
    const child = spawn(process.execPath, ["-e", LOOP], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    t.after(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    await once(child.stdout, "data");
  }
}
