import type { DatabaseSync } from "node:sqlite";

/** How many connections are kept. Each takes a descriptor and 150 KiB. */
const MOST = 4;

interface Kept {
  readonly database: DatabaseSync;
  /** The file it has open. */
  readonly inode: string;
}

/** By path, the one used last at the end. None of them holds its lock. */
const connections = new Map<string, Kept>();

/** The connection kept for the lock file `path`, if there is one to the file that is there now. It is the caller's to close, or to keep again. */
export function takeKeptLock(path: string, inode: string | undefined): DatabaseSync | undefined {
  const found = connections.get(path);
  if (found === undefined) return undefined;
  connections.delete(path);
  if (found.inode === inode) return found.database;
  found.database.close();
  return undefined;
}

/** Keeps a connection whose lock is released for the next lock of the same file: to open a file takes SQLite three times as long as to lock it. */
export function keepLock(path: string, inode: string, database: DatabaseSync): void {
  closeKeptLock(path);
  connections.set(path, { database, inode });
  for (const oldest of connections.keys()) {
    if (connections.size <= MOST) break;
    closeKeptLock(oldest);
  }
}

/** Closes the connection kept for the lock file `path`, if there is one. To be called when the path's VM is gone. */
export function closeKeptLock(path: string): void {
  const found = connections.get(path);
  connections.delete(path);
  found?.database.close();
}
