import { readFileSync, readlinkSync } from "node:fs";

/** What makes a process that process, and not a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (`/proc/PID/stat`, field 22). Kept over `exec`. */
  readonly startTime: string;
  /** Id of this boot of the machine. */
  readonly bootId: string;
  /** Inode of the pid namespace the number belongs to. */
  readonly pidNamespace: string;
}

let here: { bootId: string; pidNamespace: string } | undefined;

function machine(): { bootId: string; pidNamespace: string } {
  here ??= {
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    pidNamespace: readlinkSync("/proc/self/ns/pid"),
  };
  return here;
}

function readStat(pid: number): { state: string; startTime: string } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The program's name stands in parentheses and may hold anything, parentheses included: fields count from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const startTime = fields[19];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

/** The identity of a living process; undefined when there is none, or a zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === undefined || stat.state === "Z" || stat.state === "X") return undefined;
  return { pid, startTime: stat.startTime, ...machine() };
}

/** Whether a process of that identity ran since this machine was started: one of an earlier boot has surely ended. */
export function isOfThisBoot({ bootId }: ProcessIdentity): boolean {
  return bootId === machine().bootId;
}

/** Whether exactly that process still lives. Anything less certain is "no", and is never signalled. */
export function isSameProcess(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  return (
    now !== undefined &&
    now.startTime === identity.startTime &&
    now.bootId === identity.bootId &&
    now.pidNamespace === identity.pidNamespace
  );
}
