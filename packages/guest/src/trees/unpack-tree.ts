import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { chmod, lstat, mkdir, open, rename, symlink, unlink, utimes } from "node:fs/promises";
import { GuestError } from "../errors.ts";
import { guestText } from "../guest-text.ts";
import { hostError, hostPathOf, onHost } from "./host-files.ts";
import type { TarStream } from "./read-tar-stream.ts";
import type { TarEntry } from "./tar-subset.ts";
import type { TransferCount } from "./transfer.ts";

/** A directory on the way to what comes next. It gets its time, and a mode that keeps us out, when all in it is there. */
interface Level {
  /** Empty for what all is unpacked into. */
  readonly name: string;
  readonly entry: TarEntry;
  /** One that was there already stays as it is. */
  readonly isMade: boolean;
}

/**
 * Writes what a guest sent below `root`, a directory of this machine, which is there or is to be made. Whatever the guest says, nothing is written outside of it: each entry
 * must be in a directory that came before it and is none but a directory here, links are made and never followed, and what is in the way of a file or
 * link is replaced, not written to. Files belong to who runs this, with the guest's permissions as far as the umask has them, and without setuid bits.
 */
export async function unpackTree(
  archive: TarStream,
  root: string,
  makeRoot: boolean,
  count: TransferCount,
): Promise<void> {
  const levels: Level[] = [];
  const first = await archive.next();
  if (first?.name !== "." || first.type !== "directory") {
    return bad("without its own directory");
  }
  if (makeRoot) {
    await onHost("make the directory", root, () => mkdir(root, (first.mode & 0o777) | 0o700));
  }
  levels.push({ name: "", entry: first, isMade: makeRoot });
  count.addEntry();
  for (let entry = await archive.next(); entry !== undefined; entry = await archive.next()) {
    const name = checkedName(entry);
    const parent = name.slice(0, Math.max(name.lastIndexOf("/"), 0));
    while (levels.length > 0 && !isBelow(parent, levels.at(-1)?.name)) await leave(root, levels);
    if (levels.at(-1)?.name !== parent) bad(`with ${quoted(name)} in no directory of its own`);
    count.addEntry();
    const path = hostPathOf(root, name);
    if (entry.type === "directory") {
      levels.push({ name, entry, isMade: await makeDirectory(path, entry) });
    } else if (entry.type === "file") {
      await writeHostFile(path, archive.content(), entry, count);
    } else if (entry.type === "special") {
      count.skipSpecial(name);
    } else if (count.takesLink(name)) {
      await onHost("make the link", path, () => makeLink(path, entry));
    }
  }
  while (levels.length > 0) await leave(root, levels);
}

function checkedName(entry: TarEntry): string {
  const name = entry.type === "directory" ? entry.name.replace(/\/$/, "") : entry.name;
  const last = name.slice(name.lastIndexOf("/") + 1);
  // The part before was a directory's name, and checked as this one.
  if (last === "" || last === "." || last === ".." || name.startsWith("/")) {
    bad(`with the name ${quoted(name)}`);
  }
  return name;
}

function isBelow(parent: string, level: string | undefined): boolean {
  return level === "" || parent === level || parent.startsWith(`${level}/`);
}

/** Whether it was made here. */
async function makeDirectory(path: Buffer, entry: TarEntry): Promise<boolean> {
  try {
    await mkdir(path, (entry.mode & 0o777) | 0o700);
    return true;
  } catch (error) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() === true) return false;
    throw hostError("make the directory", path, error);
  }
}

/** Writes what a guest sends of a file, which takes the place of what is there when it is whole. `mtime`: in seconds. */
export async function writeHostFile(
  path: Buffer,
  content: AsyncIterable<Buffer>,
  { mode, mtime }: Pick<TarEntry, "mode" | "mtime">,
  count: TransferCount,
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await onHost("write", path, () =>
    replace(path, async (temporary) => {
      await using file = await open(temporary, flags, mode & 0o777);
      for await (const piece of content) {
        count.addBytes(piece.length);
        await file.writeFile(piece);
      }
      await file.utimes(mtime, mtime);
    }),
  );
}

async function makeLink(path: Buffer, entry: TarEntry): Promise<void> {
  if (entry.target === "") bad(`with the link ${quoted(entry.name)} to nowhere`);
  await replace(path, (temporary) => symlink(Buffer.from(entry.target, "latin1"), temporary));
}

/** Makes something under another name, and puts it in place of what is there when it is whole. */
async function replace(path: Buffer, make: (temporary: Buffer) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** A name that nobody has, in the same directory. */
export function temporaryBeside(path: Buffer): Buffer {
  const directory = path.subarray(0, path.lastIndexOf("/") + 1);
  return Buffer.concat([directory, Buffer.from(`.virga-${randomBytes(8).toString("hex")}`)]);
}

async function leave(root: string, levels: Level[]): Promise<void> {
  const level = levels.pop();
  if (level?.isMade !== true) return;
  const path = hostPathOf(root, level.name);
  const { mode, mtime } = level.entry;
  await onHost("finish the directory", path, async () => {
    const missing = 0o700 & ~mode;
    await utimes(path, mtime, mtime);
    if (missing === 0) return;
    const status: Stats = await lstat(path);
    await chmod(path, status.mode & 0o777 & ~missing);
  });
}

function quoted(name: string): string {
  return guestText(JSON.stringify(Buffer.from(name, "latin1").toString()));
}

function bad(what: string): never {
  throw new GuestError("GUEST_PROTOCOL", `The guest agent sent an archive ${what}`, {
    details: { op: "file.pack", outcome: "unknown" },
  });
}
