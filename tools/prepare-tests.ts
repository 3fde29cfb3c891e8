// Sets up what the tests need, the same way as the command sets up a machine, and says so first. What this machine cannot have is named; the tests skip what needs it.
// usage: prepare-tests [--long]
import { ensureTools, type SetupEvent } from "@virga/sandbox";
import {
  agentInitramfs,
  debianInitramfsTools,
  dockerRegistryMissing,
  testAssets,
} from "@virga/testkit";
import { isVirgaError } from "@virga/vm";

const long = process.argv.includes("--long");
const abort = new AbortController();
process.once("SIGINT", () => abort.abort()).once("SIGTERM", () => abort.abort());

await attempt(() =>
  ensureTools({
    tools: [
      "qemu",
      "kernel",
      "native",
      "images",
      "pull",
      "network",
      "dev",
      ...(long ? (["fuzz", "debian"] as const) : []),
    ],
    signal: abort.signal,
    onEvent: say,
  }),
);
await attempt(async () => {
  await testAssets({ onStep: (message) => say({ phase: "start", step: "assets", message }) });
  await agentInitramfs();
  await debianInitramfsTools();
});
const noRegistry = await dockerRegistryMissing();
if (noRegistry !== false) console.log(`tests: ${noRegistry}`);

function say({ phase, message }: SetupEvent): void {
  if (phase !== "done" && phase !== "progress") console.log(`tests: ${message}`);
}

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isVirgaError(error)) throw error;
    console.log(`tests: ${error.message}`);
    if (error.hint !== undefined) console.log(`tests: ${error.hint}`);
    // Somebody who may not install packages can still run the tests that need none.
    if (error.code !== "SETUP_NEEDED") process.exit(1);
  }
}
