import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError } from "@virga/vm";
import { runTool } from "./run-tool.ts";

const LISTS = "/var/lib/apt/lists";
const STALE_MS = 7 * 24 * 3_600_000;
const JUST_FETCHED_MS = 10 * 60_000;
const UPDATE_TIMEOUT_MS = 10 * 60_000;
const INSTALL_TIMEOUT_MS = 60 * 60_000;

// Another package manager may be at work; it is waited for.
const unattended = ["-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"];
const env = { DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_SUSPEND: "1", LC_ALL: "C.UTF-8" };

/** How to call apt. */
export interface AptOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
  /** Whether this process may change the system. Default: it is root. */
  readonly root?: boolean;
  /** Where apt keeps its lists; for tests. */
  readonly listsDirectory?: string;
}

/** The exact command a user types to install these packages. */
export function installCommand(packages: readonly string[]): string {
  return `sudo apt-get update && sudo apt-get install --no-install-recommends ${packages.join(" ")}`;
}

/**
 * Installs Debian packages: without questions, without recommended extras, and refusing to remove anything for them. `SETUP_FAILED` with the end of apt's
 * words; `ABORTED` while it downloads. Once packages are being unpacked the signal waits: a half-installed system is worse than a late answer.
 */
export async function installPackages(
  packages: readonly string[],
  options: AptOptions = {},
): Promise<void> {
  const install = ["install", ...unattended, "--no-install-recommends", "--no-remove"];
  const what = `install the packages ${packages.join(", ")}`;
  const shared = { what, env, ...(options.onLine && { onLine: options.onLine }) };
  await withFreshLists(
    () =>
      runTool("apt-get", [...install, "--download-only", ...packages], {
        ...shared,
        timeoutMs: INSTALL_TIMEOUT_MS,
        signal: options.signal,
      }),
    options,
  );
  // A system half installed is worse than an apt that goes on alone: dpkg keeps its own locks, and whoever comes next waits for them.
  await runTool("apt-get", [...install, ...packages], {
    ...shared,
    timeoutMs: INSTALL_TIMEOUT_MS,
    outlives: true,
  });
}

/**
 * Does `work`, which needs apt's lists of packages. As root they are fetched first when there are none or they are old, and again, once, when `work` fails with
 * lists that were not just fetched: an old list names files that are gone.
 */
export async function withFreshLists<T>(
  work: () => Promise<T>,
  options: AptOptions = {},
): Promise<T> {
  const root = options.root ?? process.geteuid?.() === 0;
  if (!root) return work();
  const age = await listsAgeMs(options.listsDirectory ?? LISTS);
  if (age > STALE_MS) {
    // Old lists may still do, and a machine without a network may have all it needs.
    await updateLists(options).catch((error: unknown) => {
      if (age === Infinity || isAborted(error)) throw error;
    });
    return work();
  }
  try {
    return await work();
  } catch (error) {
    const failed = error instanceof VirgaError && error.code === "SETUP_FAILED";
    if (!failed || age < JUST_FETCHED_MS) throw error;
    // What matters to the user is why the work failed, not that the lists cannot be fetched either.
    await updateLists(options).catch((updateError: unknown) => {
      throw isAborted(updateError) ? updateError : error;
    });
    return work();
  }
}

/** Fetches apt's lists of packages, as root. `SETUP_FAILED` with apt's words. */
export async function updateLists(options: AptOptions): Promise<void> {
  await runTool("apt-get", ["update", ...unattended], {
    what: "update the lists of packages",
    env,
    timeoutMs: UPDATE_TIMEOUT_MS,
    signal: options.signal,
    ...(options.onLine && { onLine: options.onLine }),
  });
}

async function listsAgeMs(directory: string): Promise<number> {
  let newest = 0;
  for (const name of await readdir(directory).catch(() => [])) {
    // The folder has lists as soon as one release file is there.
    if (!/_(?:In)?Release$/u.test(name)) continue;
    newest = Math.max(newest, (await stat(join(directory, name))).mtimeMs);
  }
  if (newest === 0) return Infinity;
  // The file's time is the archive's; the folder changes when the lists are fetched.
  newest = Math.max(newest, (await stat(directory)).mtimeMs);
  return Date.now() - newest;
}

function isAborted(error: unknown): boolean {
  return error instanceof VirgaError && error.code === "ABORTED";
}
