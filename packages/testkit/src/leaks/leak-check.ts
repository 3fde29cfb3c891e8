import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { patientMs } from "../patience.ts";
import {
  additions,
  countLeaks,
  describeLeaks,
  mountsNaming,
  openDescriptors,
  type TestPlace,
} from "./leak-count.ts";
import { killLeaked, processesNaming } from "./process-leaks.ts";
import { vmEvidence } from "./vm-evidence.ts";

/** How long what is ending may take to be gone. */
const SETTLE_MS = patientMs(3_000);
const POLL_MS = 10;

/**
 * Runs `body` in folders of its own, and fails when it leaves anything behind: processes (descendants of this one, and any that carry the folder's
 * name), sockets, mounts, network namespaces, files in `place.directory`, descriptors of this process. What is left is then removed, and of a failure all VMs are told. One at a time
 * in a process: descriptors and descendants do not tell which test they belong to.
 */
export async function withLeakCheck(
  t: TestContext,
  body: (place: TestPlace) => Promise<void>,
): Promise<void> {
  const place = makePlace();
  // Node keeps one descriptor for all watchers of files, from the first one on.
  watch(place.root).close();
  const descriptors = openDescriptors();
  const tell = (): void => {
    const evidence = vmEvidence(place.root);
    if (evidence !== "") process.stderr.write(`In "${t.name}" there is\n${evidence}\n`);
  };
  // A body that hangs does not hear that its time is over.
  t.signal.addEventListener("abort", tell);
  try {
    await body(place);
    const leaks = await settledLeaks(place, { descriptors });
    if (leaks.length > 0) throw new Error(`${t.name} left behind:\n  ${leaks.join("\n  ")}`);
  } catch (error) {
    tell();
    throw error;
  } finally {
    t.signal.removeEventListener("abort", tell);
    await removePlace(place);
  }
}

/** Folders for one test. The name is short: sockets lie in it. */
export function makePlace(): TestPlace {
  const root = mkdtempSync(join(tmpdir(), "vt-"));
  const place = { root, directory: join(root, "s"), scratch: join(root, "x") };
  mkdirSync(place.directory, { mode: 0o700 });
  mkdirSync(place.scratch);
  return place;
}

/** Ends every process and mount that carries the place's name, and removes it. */
export async function removePlace(place: TestPlace): Promise<void> {
  const token = basename(place.root);
  const deadline = performance.now() + SETTLE_MS;
  for (
    let left = processesNaming(token, false);
    left.length > 0;
    left = processesNaming(token, false)
  ) {
    for (const leaked of left) killLeaked(leaked);
    if (performance.now() > deadline) break;
    await sleep(POLL_MS);
  }
  for (const path of mountsNaming(token)) spawnSync("umount", ["--lazy", path]);
  rmSync(place.root, { recursive: true, force: true });
}

/** How to look for leaks. */
interface LeakOptions {
  /** Those of this process that were open before the test. */
  readonly descriptors?: readonly string[];
  /** Whether every descendant of this process is the test's. Default true. */
  readonly descendants?: boolean;
}

/** What leaked, once it has had time to end. */
export async function settledLeaks(place: TestPlace, options: LeakOptions = {}): Promise<string[]> {
  const { descriptors, descendants = true } = options;
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const leaks = describeLeaks(countLeaks(place, { descendants }));
    if (descriptors !== undefined) {
      leaks.push(
        ...additions(descriptors, openDescriptors()).map((target) => `descriptor of ${target}`),
      );
    }
    if (leaks.length === 0 || performance.now() > deadline) return leaks;
    await sleep(POLL_MS);
  }
}
