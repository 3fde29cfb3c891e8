import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { processesNaming, type LeakedProcess } from "./process-leaks.ts";

/** Where a test works: `directory` must be empty at its end, `scratch` holds its fixtures. */
export interface TestPlace {
  /** Both folders lie in it. Its last part is unique on this machine: what carries it belongs to the test. */
  readonly root: string;
  readonly directory: string;
  readonly scratch: string;
}

/** Everything a test left on the machine. Each list is empty when nothing leaked. */
export interface LeakCount {
  readonly processes: readonly LeakedProcess[];
  /** Unix sockets that are bound below the test's root. */
  readonly sockets: readonly string[];
  readonly mounts: readonly string[];
  readonly networkNamespaces: readonly string[];
  /** Paths below the test's directory. */
  readonly files: readonly string[];
}

/** What a manager keeps for good in its directory: what hypervisor binaries answered. */
const KEPT = ".builds";

/** Counts what carries the name of the test's root, and, unless several tests run in this process, its descendants. */
export function countLeaks(
  place: TestPlace,
  options: { readonly descendants: boolean } = { descendants: true },
): LeakCount {
  const token = basename(place.root);
  const kept = join(place.directory, KEPT);
  return {
    processes: processesNaming(token, options.descendants),
    sockets: lines("/proc/self/net/unix").flatMap((line) => {
      const path = line.split(" ").at(-1) ?? "";
      return path.includes(token) ? [path] : [];
    }),
    mounts: mountsNaming(token),
    networkNamespaces: list("/run/netns").filter((name) => name.includes(token)),
    files: list(place.directory, true).filter((path) => !path.startsWith(kept)),
  };
}

/** Mount points, the newest first, that lie below a folder of that name or show one. */
export function mountsNaming(token: string): string[] {
  return lines("/proc/self/mountinfo")
    .filter((line) => line.includes(token))
    .map((line) =>
      (line.split(" ")[4] ?? "").replaceAll(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .toReversed();
}

/** A list of sentences, one for each leak. */
export function describeLeaks(count: LeakCount): string[] {
  return [
    ...count.processes.map(({ pid, commandLine }) => `process ${pid}: ${commandLine}`),
    ...count.sockets.map((path) => `socket ${path}`),
    ...count.mounts.map((path) => `mount ${path}`),
    ...count.networkNamespaces.map((name) => `network namespace ${name}`),
    ...count.files.map((path) => `file ${path}`),
  ];
}

/** What the descriptors of this process lead to. Sockets and pipes by their kind only: their numbers tell nothing. */
export function openDescriptors(): string[] {
  return list("/proc/self/fd").flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`).replace(/^(socket|pipe):.*/, "$1")];
    } catch {
      return []; // The one that read the folder.
    }
  });
}

/** The entries of `now` that `before` does not account for. */
export function additions(before: readonly string[], now: readonly string[]): string[] {
  const left = [...before];
  return now.filter((entry) => {
    const index = left.indexOf(entry);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

function lines(path: string): string[] {
  return readFileSync(path, "utf8").split("\n");
}

function list(path: string, recursive = false): string[] {
  try {
    return readdirSync(path, { recursive, encoding: "utf8" }).map((name) =>
      recursive ? join(path, name) : name,
    );
  } catch {
    return [];
  }
}
