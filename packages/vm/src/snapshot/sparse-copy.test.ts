import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { mountsMissing } from "@virga/testkit";
import { isVirgaError } from "../errors.ts";
import { copySparse } from "./sparse-copy.ts";

const SIZE = 64 << 20;
let root: string;
let source: string;
let destination: string;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "virga-sparse-"));
});
after(() => rm(root, { recursive: true }));

beforeEach(async () => {
  await rm(root, { recursive: true });
  root = await mkdtemp(join(tmpdir(), "virga-sparse-"));
  source = join(root, "-source");
  destination = join(root, "destination");
  const file = await open(source, "w", 0o644);
  await file.truncate(SIZE);
  await file.write(Buffer.from("first"), 0, 5, 4096);
  await file.write(Buffer.alloc(70_000, 7), 0, 70_000, 10_000_001);
  // Zeros that were written are data to the file system, and need not be in the copy.
  await file.write(Buffer.alloc(8 << 20), 0, 8 << 20, 20 << 20);
  await file.sync();
  await file.close();
});

test("the copy has the same bytes, the same size, and no more than the data allocated", async () => {
  await copySparse(source, destination);
  const copy = await stat(destination);
  assert.equal(copy.size, SIZE);
  assert.equal(copy.mode & 0o777, 0o600);
  assert.ok(copy.blocks * 512 < 9 << 20, `${copy.blocks * 512} bytes are allocated`);
  assert.ok((await readFile(source)).equals(await readFile(destination)));
});

test("a file that ends in a hole keeps its size", async () => {
  const empty = join(root, "empty");
  const file = await open(empty, "w");
  await file.truncate(SIZE);
  await file.close();
  await copySparse(empty, destination, { mode: 0o444 });
  const copy = await stat(destination);
  assert.equal(copy.size, SIZE);
  assert.equal(copy.blocks, 0);
  assert.equal(copy.mode & 0o777, 0o444);
});

test("a disk without room for the copy is named by its errno, and gets its room back", async (t) => {
  const why = mountsMissing();
  if (why !== false) return t.skip(why);
  const disk = join(root, "disk");
  await mkdir(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  try {
    await assert.rejects(copySparse(source, join(disk, "copy")), (error) => {
      assert.ok(isVirgaError(error) && error.code === "IO_ERROR");
      assert.equal(error.details?.["errno"], "ENOSPC");
      return true;
    });
    assert.deepEqual(await readdir(disk), []);
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("an existing destination is not touched", async () => {
  await writeFile(destination, "mine");
  await assert.rejects(copySparse(source, destination), { code: "IO_ERROR", message: /exist/i });
  assert.equal(await readFile(destination, "utf8"), "mine");
});

test("a missing source names it and leaves nothing", async () => {
  const missing = join(root, "missing");
  await assert.rejects(copySparse(missing, destination), { code: "IO_ERROR", message: /missing/ });
  assert.deepEqual(await readdir(root), ["-source"]);
});

test("a source that is a directory is refused and leaves nothing", async () => {
  await assert.rejects(copySparse(root, destination), {
    code: "IO_ERROR",
    message: /no plain file/,
  });
  assert.deepEqual(await readdir(root), ["-source"]);
});

test("a link is followed nowhere", async () => {
  const secret = join(root, "secret");
  const link = join(root, "link");
  await writeFile(secret, "of the host");
  await symlink(secret, link);
  await assert.rejects(copySparse(link, destination), { code: "IO_ERROR", message: /ELOOP/ });
  await assert.rejects(copySparse(source, link), { code: "IO_ERROR", message: /exist/i });
  // A destination that a link takes before cp runs: the link is replaced.
  const real = execFileSync("which", ["cp"], { encoding: "utf8" }).trim();
  const script = `#!/bin/sh\nln -sf ${secret} ${destination}\nexec ${real} "$@"\n`;
  await writeFile(join(root, "cp"), script, { mode: 0o755 });
  const path = process.env["PATH"] ?? "";
  process.env["PATH"] = `${root}:${path}`;
  try {
    await copySparse(source, destination);
  } finally {
    process.env["PATH"] = path;
  }
  assert.equal(await readFile(secret, "utf8"), "of the host");
  assert.ok((await lstat(destination)).isFile());
  assert.ok((await readFile(source)).equals(await readFile(destination)));
});

test("a link that leads nowhere makes no file there, whatever the environment says", async () => {
  const made = join(root, "made");
  const real = execFileSync("which", ["cp"], { encoding: "utf8" }).trim();
  // As if the link had come between the removal of what was there and the making of the file.
  const script = `#!/bin/sh\nln -sf ${made} ${destination}\nfor last; do :; done\nexec ${real} --sparse=always -T /proc/self/fd/0 "$last"\n`;
  await writeFile(join(root, "cp"), script, { mode: 0o755 });
  const path = process.env["PATH"] ?? "";
  process.env["PATH"] = `${root}:${path}`;
  process.env["POSIXLY_CORRECT"] = "1";
  try {
    await assert.rejects(copySparse(source, destination), {
      code: "IO_ERROR",
      message: /dangling symlink/,
    });
  } finally {
    process.env["PATH"] = path;
    delete process.env["POSIXLY_CORRECT"];
  }
  assert.deepEqual((await readdir(root)).toSorted(), ["-source", "cp"]);
});

test("an aborted copy does not start", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(copySparse(source, destination, { signal }), {
    code: "ABORTED",
    message: /copying/,
  });
  assert.deepEqual(await readdir(root), ["-source"]);
});

test("an abort ends cp and leaves nothing", async () => {
  const started = join(root, "started");
  await writeFile(join(root, "cp"), `#!/bin/sh\necho $$ > ${started}\nexec sleep 600\n`, {
    mode: 0o755,
  });
  const reason = new Error("enough");
  const controller = new AbortController();
  const path = process.env["PATH"] ?? "";
  process.env["PATH"] = `${root}:${path}`;
  try {
    const copying = copySparse(source, destination, { signal: controller.signal });
    while (!(await readFile(started, "utf8").catch(() => "")).endsWith("\n")) {
      await new Promise(setImmediate);
    }
    controller.abort(reason);
    await assert.rejects(copying, (error) => isVirgaError(error) && error.cause === reason);
  } finally {
    process.env["PATH"] = path;
  }
  const pid = Number(await readFile(started, "utf8"));
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.ok(!(await readdir(root)).includes("destination"));
});

test("without cp the error says so", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = join(root, "nowhere");
  try {
    await assert.rejects(copySparse(source, destination), {
      code: "IO_ERROR",
      message: /cannot run cp/,
    });
  } finally {
    process.env["PATH"] = path;
  }
  assert.deepEqual(await readdir(root), ["-source"]);
});
