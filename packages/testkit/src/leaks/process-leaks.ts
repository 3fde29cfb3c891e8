import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process that a test left behind. */
export interface LeakedProcess {
  readonly pid: number;
  /** Start time in clock ticks since boot: with the pid it names the process for good. */
  readonly startTicks: number;
  readonly commandLine: string;
}

/**
 * Processes that carry `token` in their command line, environment, folder, open files, or the mounts of a namespace of their own.
 * @param withDescendants also the descendants of this process, whatever they carry
 */
export function processesNaming(token: string, withDescendants: boolean): LeakedProcess[] {
  const processes = all();
  const mine = withDescendants ? descendants(processes, process.pid) : new Set<number>();
  return processes
    .filter(
      ({ pid, state }) =>
        pid !== process.pid && state !== "Z" && (mine.has(pid) || names(pid, token)),
    )
    .map(({ pid, startTicks }) => ({ pid, startTicks, commandLine: commandLine(pid) }));
}

/** Ends a leaked process, unless its pid belongs to another one by now. */
export function killLeaked(leaked: LeakedProcess): void {
  if (stat(leaked.pid)?.startTicks !== leaked.startTicks) return;
  try {
    process.kill(leaked.pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly startTicks: number;
}

function all(): ProcessStat[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => stat(Number(pid))).filter((one) => one !== undefined);
}

function stat(pid: number): ProcessStat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { pid, parent: Number(fields[1]), state: fields[0] ?? "", startTicks: Number(fields[19]) };
}

function descendants(processes: readonly ProcessStat[], root: number): Set<number> {
  const found = new Set<number>([root]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  found.delete(root);
  return found;
}

function names(pid: number, token: string): boolean {
  const files = ["cmdline", "environ"].map((name) => read(`/proc/${pid}/${name}`));
  // In our own mount namespace a mount of the test is everybody's: the machine's other processes would be ended for it.
  const isElsewhere = target(`/proc/${pid}/ns/mnt`) !== target("/proc/self/ns/mnt");
  if (isElsewhere && showsElsewhere(read(`/proc/${pid}/mountinfo`) ?? "", token)) return true;
  const links = [`/proc/${pid}/cwd`, ...descriptors(pid)].map(target);
  return [...files, ...links].some((text) => text?.includes(token) === true);
}

/**
 * Whether a list of mounts shows something of that name at a place that has another: as a VMM's namespace does. A mount below the test's root accuses nobody:
 * where mounts are private, every namespace that was made meanwhile keeps a copy, though it is unmounted here.
 */
function showsElsewhere(mountinfo: string, token: string): boolean {
  return mountinfo.split("\n").some((line) => {
    const [, , , shown, place] = line.split(" ");
    return shown?.includes(token) === true && place?.includes(token) === false;
  });
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => `/proc/${pid}/fd/${name}`);
  } catch {
    return [];
  }
}

function commandLine(pid: number): string {
  return (read(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim();
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

function target(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
