import assert from "node:assert/strict";
import { open, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { testDirectory } from "../../test/fake-api.ts";
import { findSegments, openProcessMemory } from "./private-pages.ts";
import type { MappedSegment } from "./private-pages.ts";

const PAGE = 4096;
const PRESENT = 1n << 63n;
const SWAPPED = 1n << 62n;
const OF_FILE = 1n << 61n;
const never = new AbortController().signal;

const file = "/run/virga/vm/snapshot/memory";

function line(
  start: number,
  end: number,
  offset: number,
  path = file,
  permissions = "rw-p",
): string {
  const hex = (value: number): string => value.toString(16).padStart(8, "0");
  return `${hex(start)}-${hex(end)} ${permissions} ${hex(offset)} 00:2b 1234                 ${path}\n`;
}

test("the segments of a mapping are found in the order of the file", () => {
  const other = line(0x1000, 0x2000, 0, "/usr/lib/libc.so.6", "r-xp");
  const maps = `${other}${line(0x7f0000000000, 0x7f0000001000, 0x2000)}${line(0x7f0000004000, 0x7f0000006000, 0)}00400000-00401000 rw-p 00000000 00:00 0 [heap]\n`;
  assert.deepEqual(findSegments(maps, file, 0x3000), [
    { address: 0x7f0000004000, bytes: 0x2000, fileOffset: 0 },
    { address: 0x7f0000000000, bytes: 0x1000, fileOffset: 0x2000 },
  ]);
});

test("anything but the whole file, once, private and writable, is refused", () => {
  const bad: [string, string][] = [
    ["nothing", ""],
    ["another file", line(0x1000, 0x4000, 0, "/other")],
    ["removed", line(0x1000, 0x4000, 0, `${file} (deleted)`)],
    ["shared", line(0x1000, 0x4000, 0, file, "rw-s")],
    ["read-only", line(0x1000, 0x4000, 0, file, "r--p")],
    ["too short", line(0x1000, 0x3000, 0)],
    ["too long", line(0x1000, 0x5000, 0)],
    ["a hole", line(0x1000, 0x2000, 0) + line(0x3000, 0x5000, 0x2000)],
    ["twice", line(0x1000, 0x4000, 0) + line(0x11000, 0x14000, 0)],
    ["not from the beginning", line(0x1000, 0x4000, 0x1000)],
  ];
  for (const [name, maps] of bad) assert.equal(findSegments(maps, file, 0x3000), undefined, name);
});

/** A directory like one of `/proc`, of a process with these pages at `address`. */
async function fakeProcess(
  context: TestContext,
  address: number,
  entries: readonly bigint[],
): Promise<string> {
  const directory = await testDirectory(context);
  const table = Buffer.alloc(entries.length * 8);
  for (const [index, entry] of entries.entries()) table.writeBigUInt64LE(entry, index * 8);
  await writeFile(join(directory, "pagemap"), "");
  const pagemap = await open(join(directory, "pagemap"), "r+");
  await pagemap.write(table, 0, table.length, (address / PAGE) * 8);
  await pagemap.close();
  await writeFile(join(directory, "mem"), "");
  const mem = await open(join(directory, "mem"), "r+");
  for (const index of entries.keys()) {
    await mem.write(Buffer.alloc(PAGE, (index % 251) + 1), 0, PAGE, address + index * PAGE);
  }
  await mem.close();
  return directory;
}

/** The first byte of each page. */
function firstBytes(content: Buffer): number[] {
  return Array.from({ length: content.length / PAGE }, (_, index) => content[index * PAGE] ?? -1);
}

async function copy(
  directory: string,
  segments: readonly MappedSegment[],
  bytes: number,
): Promise<{ pages: number; content: Buffer }> {
  const destination = join(directory, "copy");
  await writeFile(destination, "");
  await truncate(destination, bytes);
  const memory = await openProcessMemory(directory);
  try {
    const pages = await memory.copyPrivatePages(segments, destination, never);
    return { pages, content: await readFile(destination) };
  } finally {
    await memory.close();
  }
}

test("pages of the process's own are written over the copy, the file's are left", async (context) => {
  const entries = [
    0n,
    PRESENT,
    PRESENT | OF_FILE,
    SWAPPED,
    SWAPPED | OF_FILE,
    OF_FILE,
    PRESENT | 0x7f_ffff_ffff_ffffn,
    PRESENT,
  ];
  const address = 0x10000;
  const directory = await fakeProcess(context, address, entries);
  const segment = { address, bytes: entries.length * PAGE, fileOffset: 0 };
  const { pages, content } = await copy(directory, [segment], segment.bytes);
  assert.deepEqual(firstBytes(content), [0, 2, 0, 4, 5, 0, 7, 8]);
  assert.equal(pages, 5);
  assert.deepEqual(content.subarray(PAGE, 2 * PAGE), Buffer.alloc(PAGE, 2));
});

test("no link is followed to where the pages go", async (context) => {
  const directory = await testDirectory(context);
  const secret = join(directory, "secret");
  const link = join(directory, "link");
  await writeFile(secret, "of the host");
  await symlink(secret, link);
  const memory = await openProcessMemory("/proc/self");
  try {
    const copied = memory.copyPrivatePages([], link, new AbortController().signal);
    await assert.rejects(copied, { code: "ELOOP" });
  } finally {
    await memory.close();
  }
});

test("each segment goes to its own place in the file", async (context) => {
  const address = 0x100000;
  const directory = await fakeProcess(context, address, [PRESENT, 0n, PRESENT, PRESENT]);
  const segments = [
    { address: address + 2 * PAGE, bytes: 2 * PAGE, fileOffset: 0 },
    { address, bytes: 2 * PAGE, fileOffset: 2 * PAGE },
  ];
  const { pages, content } = await copy(directory, segments, 4 * PAGE);
  assert.deepEqual(firstBytes(content), [3, 4, 1, 0]);
  assert.equal(pages, 3);
});

test("runs go across what is read at once, of the table and of the memory", async (context) => {
  const count = 64 * 1024 + 300;
  const entries = Array.from({ length: count }, (_, index) =>
    index >= 64 * 1024 - 300 ? PRESENT : 0n,
  );
  const directory = await testDirectory(context);
  const table = new BigUint64Array(entries);
  await writeFile(join(directory, "pagemap"), Buffer.from(table.buffer));
  await writeFile(join(directory, "mem"), "");
  await truncate(join(directory, "mem"), count * PAGE);
  const mem = await open(join(directory, "mem"), "r+");
  await mem.write("begin", (64 * 1024 - 300) * PAGE);
  await mem.write("end", count * PAGE - 3);
  await mem.close();
  const destination = join(directory, "copy");
  await writeFile(destination, "");
  await truncate(destination, count * PAGE);
  const memory = await openProcessMemory(directory);
  context.after(() => memory.close());
  const segment = { address: 0, bytes: count * PAGE, fileOffset: 0 };
  assert.equal(await memory.copyPrivatePages([segment], destination, never), 600);
  const written = await open(destination, "r");
  context.after(() => written.close());
  const begin = await written.read(Buffer.alloc(5), 0, 5, (64 * 1024 - 300) * PAGE);
  const end = await written.read(Buffer.alloc(3), 0, 3, count * PAGE - 3);
  assert.deepEqual([begin.buffer.toString(), end.buffer.toString()], ["begin", "end"]);
});

test("a process that ends in the middle is an error, and so is an abort", async (context) => {
  const address = 0x10000;
  const directory = await fakeProcess(context, address, [PRESENT]);
  const beyond = { address: address + PAGE, bytes: PAGE, fileOffset: 0 };
  await assert.rejects(copy(directory, [beyond], PAGE), /memory ends/u);
  const memory = await openProcessMemory(directory);
  context.after(() => memory.close());
  const segment = { address, bytes: PAGE, fileOffset: 0 };
  await assert.rejects(
    memory.copyPrivatePages([segment], join(directory, "copy"), AbortSignal.abort("enough")),
    (error) => error === "enough",
  );
});

test("a process that may not be looked at is an error, and nothing stays open", async (context) => {
  const directory = await testDirectory(context);
  await assert.rejects(openProcessMemory(directory), { code: "ENOENT" });
  await writeFile(join(directory, "pagemap"), "");
  await assert.rejects(openProcessMemory(directory), { code: "ENOENT" });
});
