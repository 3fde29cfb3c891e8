import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testProgram } from "@virga/testkit";
import { canIsolate } from "../can-isolate.ts";
import type { Bench, Sample, Scenario } from "../bench.ts";
import { processTime } from "../process-time.ts";

const program = "/bin/true";
const mostMs = 1;

/** What the launcher costs over a bare spawn: without rights, and with the namespaces and the bind of a VM where this machine allows them. */
export const launcherSpawn: Bench = {
  name: "launcher",
  about: `spawn of ${program} until its end, bare against through the launcher`,
  open,
};

async function open(): Promise<Scenario> {
  const launcher = await testProgram("launcher");
  const directory = mkdtempSync(join(tmpdir(), "virga-bench-"));
  const plain = ["--rlimit", "core=0", "--", program];
  const isolated = ["--netns", "new", "--mountns", "--bind", directory, "/mnt", ...plain];
  const isolates = await canIsolate(launcher);
  const names = ["launcher", ...(isolates ? ["launcher, own namespaces"] : [])];
  // Both sides get descriptor 3: making it is part of the spawn, not of the launcher.
  const stdio = ["ignore", "ignore", "ignore", "pipe"] as const;
  // And a session of its own: on a busy machine that alone changes the share of the processors a process gets.
  const bare = { stdio: [...stdio], detached: true };
  return {
    measures: names.map((name) => ({
      name,
      unit: "ms",
      aim: { of: "difference", most: mostMs },
    })),
    raw: async () => {
      const sample: Record<string, number> = {};
      for (const name of names) sample[name] = await processTime(program, [], bare);
      return sample;
    },
    virga: async (): Promise<Sample> => ({
      launcher: await processTime(launcher, plain, { stdio: [...stdio] }),
      ...(isolates && {
        "launcher, own namespaces": await processTime(launcher, isolated, { stdio: [...stdio] }),
      }),
    }),
    close: () => {
      rmSync(directory, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
