import { VirgaError, virgaCommand } from "@virga/vm";
import { homePaths, openHome, type Home } from "../home.ts";
import type { ReadyAssets, ReadyLookup } from "./ready-cache.ts";
import type { GivenFiles } from "./setup-context.ts";
import type { SetupOptions } from "./setup-options.ts";
import { SetupRun } from "./setup-run.ts";

/**
 * Makes this machine able to run VMs and gives what they are made from. What is there is used; what is missing is set up, by one process at a time. Safe to
 * repeat, also after an interruption at any point. When all is there this reads a few files and starts no process.
 *
 * `SETUP_NEEDED` when something is missing that may not or cannot be set up here: the hint is the exact command. `SETUP_FAILED` when a step fails. `ABORTED` by the signal.
 * `INVALID_ARGUMENT` when modules are given without their kernel.
 */
export async function ensureReady(options: SetupOptions = {}): Promise<ReadyAssets> {
  checkGiven(options.given);
  const home = await openHome(options.home ?? homePaths());
  const assets = await new SetupRun(options, home, true).ensure();
  if (assets === undefined) throw new Error("set-up of a guest gave no assets");
  return assets;
}

function checkGiven({ kernel, modules }: GivenFiles = {}): void {
  if (modules === undefined || kernel !== undefined) return;
  throw new VirgaError(
    "INVALID_ARGUMENT",
    `Cannot take the kernel modules ${modules}: the kernel they belong to is not given`,
    { hint: `Run: ${virgaCommand(`setup --kernel FILE --modules ${modules}`)}` },
  );
}

/** Sees to it that system programs are there, as {@link ensureReady} does, and to nothing else. */
export async function ensureTools(options: SetupOptions = {}): Promise<void> {
  const home = await openHome(options.home ?? homePaths());
  await new SetupRun(options, home, false).ensure();
}

/** What set-up noted as ready, if nothing of it has changed since; else why there is nothing. Makes and changes nothing. */
export async function findReady(home: Home): Promise<ReadyLookup> {
  return new SetupRun({}, home, true).cached();
}
