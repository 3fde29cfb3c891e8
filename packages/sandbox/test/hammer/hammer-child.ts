// One process of a hammer. usage: hammer-child JSON, see HammerRun.
import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import { inspect } from "node:util";
import { seededDraw } from "@virga/testkit";
import { doShare } from "./do-share.ts";
import type { HammerRun } from "./hammer-run.ts";

const run = JSON.parse(process.argv[2] ?? "") as HammerRun;
const { seed, index, dies } = run;
// A process that is killed saves no compile cache.
flushCompileCache();
if (dies !== undefined) {
  // At a step of some sandbox's life, or a moment after it: most of what can be cut off is there.
  const { draw } = seededDraw(seed);
  let left = draw(`${index} death ${dies}`, 60);
  subscribe("virga:sandbox:step", () => {
    if (--left !== 0) return;
    const kill = (): void => void process.kill(process.pid, "SIGKILL");
    const delayMs = draw(`${index} delay ${dies}`, 40);
    if (delayMs < 10) kill();
    else setTimeout(kill, delayMs);
  });
}
try {
  await doShare(run, (text) => process.stdout.write(`${Date.now()} ${index} ${text}\n`));
} catch (error) {
  process.stderr.write(`process ${index}: ${inspect(error, { depth: 6 })}\n`);
  process.exit(1);
}
process.exit(0);
