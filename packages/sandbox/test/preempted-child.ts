// Makes a sandbox, or a snapshot of the sandbox "box" whose hashing takes very long, and says by which error that ended. usage: preempted-child JSON
import { subscribe } from "node:diagnostics_channel";
import { readdirSync, truncateSync, writeFileSync } from "node:fs";
import { Sandbox } from "@virga/sandbox";
import type { LifeStepMessage } from "../src/life/life-operation.ts";
import { snapshotPaths } from "../src/snapshots/snapshot-paths.ts";
import { fakeHost } from "./fake-host.ts";
import type { FakeHostOptions } from "./fake-host.ts";

/** What the process is to be in the middle of. */
export interface PreemptedRun {
  readonly work: "cold create" | "create" | "snapshot";
  readonly host: FakeHostOptions;
}

/** So long that nobody waits for its end: 2 TiB, of which nothing is on the disk. */
const ENDLESS_BYTES = 2 ** 41;

const { work, host: options } = JSON.parse(process.argv[2] ?? "") as PreemptedRun;
const host = await fakeHost(options);
subscribe("virga:sandbox:step", (message) => {
  const { operation, step, phase } = message as LifeStepMessage;
  if (operation !== "snapshot" || step !== "hash" || phase !== "start") return;
  const [id = ""] = readdirSync(host.home.snapshots);
  const { upper } = snapshotPaths(host.home, id);
  writeFileSync(upper, "");
  truncateSync(upper, ENDLESS_BYTES);
  process.stdout.write("hashing\n");
});
try {
  if (work === "snapshot") await (await Sandbox.connect("box", { host })).snapshot();
  else {
    const cold = work === "cold create";
    await Sandbox.create({ host, cold, name: "box", memoryMib: 96, vcpus: 1 });
  }
  process.stdout.write("done\n");
} catch (error) {
  process.stdout.write(`${(error as { readonly code?: string }).code}\n`);
}
process.exit(0);
