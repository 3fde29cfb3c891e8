import { readFileSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** A process that holds a lock file. */
export interface LockHolder {
  readonly pid: number;
  /** Name of the program it runs. */
  readonly command: string;
}

/** Who holds the lock file `path` now, as far as that can be seen: not through the bounds of a container, nor into a process of somebody else's. */
export function lockHolder(path: string): LockHolder | undefined {
  try {
    const { ino } = statSync(path, { bigint: true });
    const target = realpathSync(path);
    const pids = pidsHolding(readFileSync("/proc/locks", "latin1"), ino);
    // Inodes of several file systems have the same number, and the device that the kernel names is not always the one that stat() does.
    const pid = pids.find((candidate) => hasOpen(candidate, target));
    if (pid === undefined) return undefined;
    // Not `comm`, which is what its main thread calls itself.
    const program = basename(readlinkSync(`/proc/${pid}/exe`));
    return { pid, command: program.replaceAll(/[^\x20-\x7e]/gu, "?") };
  } catch {
    // It has ended, or there is no such list here.
    return undefined;
  }
}

/** The holders of POSIX locks on an inode of that number, by the kernel's list. Who waits for one is no holder. */
export function pidsHolding(locks: string, inode: bigint): number[] {
  const pids = locks.split("\n").flatMap((line) => {
    const [, kind, , , pid, file] = line.trim().split(/\s+/u);
    if (kind !== "POSIX" || file?.split(":").at(-1) !== String(inode)) return [];
    // 0 and below stand for processes that cannot be seen from here.
    return Number(pid) > 0 ? [Number(pid)] : [];
  });
  return [...new Set(pids)];
}

function hasOpen(pid: number, path: string): boolean {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).some((name) => linkOf(join(directory, name)) === path);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}
