import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { cpioArchive, type CpioEntry } from "./cpio.ts";

const entries: readonly CpioEntry[] = [
  { type: "file", path: "init", content: Buffer.from("program"), mode: 0o755 },
  { type: "link", path: "bin/sh", target: "/bin/busybox" },
  { type: "character", path: "dev/null", major: 1, minor: 3, mode: 0o666 },
  { type: "directory", path: "tmp", mode: 0o1777 },
  { type: "file", path: "etc/deep/odd", content: Buffer.alloc(5, "x") },
];
const noCpio = spawnSync("cpio", ["--version"]).status === 0 ? undefined : "cpio is not installed";

function cpio(archive: Buffer, ...args: string[]): string {
  const result = spawnSync("cpio", ["--quiet", ...args], { input: archive, encoding: "utf8" });
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stderr, "");
  return result.stdout;
}

test("cpio reads the archive back", { skip: prerequisite("cpio", noCpio) }, () => {
  const archive = cpioArchive(entries);
  const lines = cpio(archive, "-itvn")
    .trim()
    .split("\n")
    .map((line) => line.replace(/\s+/gu, " ").replace("Jan 1 1970 ", ""));
  assert.deepEqual(lines, [
    "drwxr-xr-x 2 0 0 0 bin",
    "lrwxrwxrwx 1 0 0 12 bin/sh -> /bin/busybox",
    "drwxr-xr-x 2 0 0 0 dev",
    "crw-rw-rw- 1 0 0 1, 3 dev/null",
    "drwxr-xr-x 2 0 0 0 etc",
    "drwxr-xr-x 2 0 0 0 etc/deep",
    "-rw-r--r-- 1 0 0 5 etc/deep/odd",
    "-rwxr-xr-x 1 0 0 7 init",
    "drwxrwxrwt 2 0 0 0 tmp",
  ]);
  assert.equal(cpio(archive, "-i", "--to-stdout", "init"), "program");
});

test("the order of the entries does not matter, their content does", () => {
  const archive = cpioArchive(entries);
  assert.ok(archive.equals(cpioArchive(entries.toReversed())));
  assert.equal(archive.length % 4, 0);
  const changed = entries.map((entry) =>
    entry.path === "init" ? { ...entry, content: Buffer.from("Program") } : entry,
  );
  assert.ok(!archive.equals(cpioArchive(changed as CpioEntry[])));
});

test("a path that could lead elsewhere is refused, and one that comes twice", () => {
  for (const path of ["", "/init", "a/../b", "a//b", ".", "a\0b"]) {
    assert.throws(() => cpioArchive([{ type: "directory", path }]), RangeError, path);
  }
  assert.throws(() => cpioArchive([...entries, ...entries]), /comes twice/);
});
