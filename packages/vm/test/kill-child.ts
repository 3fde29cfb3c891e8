// Runs one operation on a VM and kills its own process at the n-th step event. usage: kill-child JSON, see KillRun.
import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import type { VmConfig } from "../src/config/vm-config.ts";
import type { StepMessage } from "../src/steps.ts";
import { VmManager } from "../src/vm-manager.ts";
import { drivers } from "./with-fake.ts";

/** What the process is to do. */
export interface KillRun {
  readonly operation: "create" | "restore" | "snapshot" | "destroy" | "pause" | "resume";
  /** The event to die at, from 1. Beyond the last one the process ends with code 0, its VM as the operation left it. */
  readonly at: number;
  readonly directory: string;
  readonly launcher: string;
  readonly isolation: "auto" | "off";
  readonly config: VmConfig;
  /** The snapshot to restore from, or to make. */
  readonly snapshot: string;
}

const run = JSON.parse(process.argv[2] ?? "") as KillRun;
const { operation, at, directory, launcher, isolation, config, snapshot } = run;
// A process that is killed saves no compile cache.
if (at === 1) flushCompileCache();
const manager = new VmManager({ directory, launcher, drivers, isolation });
if (operation !== "create" && operation !== "restore") {
  await manager.adopt(`${directory}/${config.sandboxId}`);
}
let events = 0;
subscribe("virga:vm:step", (message) => {
  if ((message as StepMessage).operation !== operation) return;
  if (++events === at) process.kill(process.pid, "SIGKILL");
});
switch (operation) {
  case "create":
    await manager.create(config);
    break;
  case "restore":
    await manager.createFromSnapshot(config, snapshot);
    break;
  case "snapshot":
    await manager.snapshot(config.sandboxId, snapshot);
    break;
  case "destroy":
  case "pause":
  case "resume":
    await manager[operation](config.sandboxId);
}
process.exit(0);
