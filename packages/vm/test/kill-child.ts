// Runs one operation on a VM and kills its own process at the n-th event of it. usage: kill-child JSON, see KillRun.
import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import type { VmConfig } from "../src/config/vm-config.ts";
import type { StepMessage } from "../src/steps.ts";
import { VmManager } from "../src/vm-manager.ts";
import { beforeFileChanges } from "./file-changes.ts";
import type { KillCase } from "./kill-cases.ts";
import { drivers } from "./with-fake.ts";

/** What the process is to do. */
export interface KillRun {
  readonly operation: KillCase["operation"];
  /** The event to die at, from 1. Beyond the last one the process ends with code 0, its VM as the operation left it. */
  readonly at: number;
  readonly directory: string;
  readonly launcher: string;
  readonly isolation: "auto" | "off";
  readonly config: VmConfig;
  /** The snapshot to restore from, or to make. */
  readonly snapshot: string;
  /** See the case of that name. */
  readonly clone: boolean;
}

const run = JSON.parse(process.argv[2] ?? "") as KillRun;
const { operation, at, directory, launcher, isolation, config, snapshot, clone } = run;
const { sandboxId } = config;
// A process that is killed saves no compile cache.
if (at === 1) flushCompileCache();
const manager = new VmManager({ directory, launcher, drivers, isolation });
if (operation !== "create" && operation !== "restore") {
  await manager.adopt(`${directory}/${sandboxId}`);
}
let events = 0;
const event = (): void => {
  if (++events === at) process.kill(process.pid, "SIGKILL");
};
subscribe("virga:vm:step", (message) => {
  if ((message as StepMessage).operation === operation) event();
});
if (clone) await beforeFileChanges(event);
switch (operation) {
  case "create":
    await manager.create(config);
    break;
  case "restore":
    await manager.createFromSnapshot(config, snapshot);
    break;
  case "snapshot": {
    const goesOn = { resume: true, whilePaused: async () => undefined };
    await manager.snapshot(sandboxId, snapshot, clone ? goesOn : {});
    break;
  }
  case "destroy":
  case "pause":
  case "prepareSnapshot":
  case "resume":
    await manager[operation](sandboxId);
}
process.exit(0);
