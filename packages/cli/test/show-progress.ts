// Shows progress on standard error as commands do. usage: show-progress setup|setup-failed|work|work-verbose
import { setTimeout as sleep } from "node:timers/promises";
import type { SetupEvent } from "@virga/sandbox";
import { ProgressDisplay } from "../src/output/progress-display.ts";
import { setupProgress } from "../src/output/setup-progress.ts";

const [what = ""] = process.argv.slice(2);
const events: readonly Omit<SetupEvent, "step">[] = [
  { phase: "plan", message: "Setting up what is missing: the guest kernel" },
  { phase: "start", message: "Fetching the guest kernel" },
  { phase: "progress", message: "Get:1 first-part" },
  { phase: "progress", message: `Get:2 ${"long-part ".repeat(20)}` },
  { phase: "done", message: "Fetched" },
  { phase: "start", message: "Building the initramfs" },
  { phase: "progress", message: "compiling the-agent" },
];
if (what.startsWith("setup")) {
  const progress = setupProgress(process.stderr);
  for (const event of events) progress.onEvent({ step: "kernel", ...event });
  if (what === "setup") progress.onEvent({ step: "kernel", phase: "done", message: "Built" });
  await progress.finish(what === "setup" ? undefined : "Not finished");
} else {
  const progress = new ProgressDisplay({ verbose: what === "work-verbose" });
  progress.show("Making the template");
  progress.show(`Packing ${"very ".repeat(40)}much`);
  // What is shown is on the terminal before the end takes it away.
  await sleep(0);
  progress.clear();
  progress.clear();
}
process.stdout.write("result\n");
