import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { processesNaming, usePathPrograms } from "@virga/testkit";

/** A call of the library, and the program in the midst of which its process is killed. */
export interface KilledCall {
  /** Below `src`. */
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly program: string;
}

/**
 * Makes the call in a process of its own, in which the program never ends by itself and has a child, kills the process once the program is at work, and waits until
 * nothing of it lives. After that the program is what it was. `place` has a name that nothing else carries.
 */
export async function killAtTool(t: TestContext, place: string, call: KilledCall): Promise<void> {
  const started = join(place, `${call.program}-started`);
  await writeFile(started, "");
  const script = `sleep 600 & printf x >> ${started}; wait`;
  const folder = await usePathPrograms(t, place, { [call.program]: script });
  const module = new URL(`../src/${call.module}`, import.meta.url).href;
  const program = `const module = await import(${JSON.stringify(module)});
    await module[${JSON.stringify(call.name)}](...${JSON.stringify(call.args)});`;
  const flags = ["--conditions=virga-source", "--input-type=module", "--eval", program];
  const child = spawn(process.execPath, flags, { stdio: "inherit" });
  const closed = once(child, "close");
  const runs = (): boolean => child.exitCode === null && child.signalCode === null;
  while ((await readFile(started, "utf8")) !== "x" && runs()) await sleep(5);
  child.kill("SIGKILL");
  const [, signal] = await closed;
  if (signal !== "SIGKILL") throw new Error(`${call.name} ended before ${call.program} began`);
  while (processesNaming(basename(place), false).length > 0) await sleep(5);
  await rm(join(folder, call.program));
}
