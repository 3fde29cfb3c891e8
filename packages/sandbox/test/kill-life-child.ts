// Does one operation on a sandbox and kills its own process at the n-th event of it. usage: kill-life-child JSON, see LifeKillRun.
import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import type { LifeStepMessage } from "../src/life/life-operation.ts";
import type { LifeKillOperation } from "./kill-life-cases.ts";
import { doLifeOperation } from "./do-life-operation.ts";
import { openKillHost } from "./kill-life-host.ts";
import type { KillHostOptions } from "./kill-life-host.ts";

/** What the process is to do. */
export interface LifeKillRun {
  readonly operation: LifeKillOperation;
  /** The event to die at, from 1. Beyond the last one the process ends with code 0. */
  readonly at: number;
  /** Whether each step's begin is an event, or its end, too. */
  readonly events: "begins" | "begins and ends";
  readonly host: KillHostOptions;
}

const run = JSON.parse(process.argv[2] ?? "") as LifeKillRun;
const { operation, at } = run;
// A process that is killed saves no compile cache.
if (at === 1) flushCompileCache();
const host = await openKillHost(run.host);
let events = 0;
subscribe("virga:sandbox:step", (message) => {
  if (run.events === "begins" && (message as LifeStepMessage).phase !== "start") return;
  if (++events === at) process.kill(process.pid, "SIGKILL");
});
await doLifeOperation(host, run.host, operation);
process.exit(0);
