import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { GuestProcess } from "@virga/guest";
import { useTemporaryDirectory } from "@virga/testkit";
import { checkCopy, copyInto } from "./copy-into.ts";
import type { SpawnInGuest } from "./copy-into.ts";

/** Runs the guest's part on this machine, with the system's `sh` and `tar`. */
const spawnHere: SpawnInGuest = async ([program = "", ...args]) => {
  const child = spawn(program, args, { stdio: "pipe" });
  const exited = once(child, "exit").then(([code]) => ({ code, timedOut: false }));
  return Object.assign(child, {
    exited,
    close: async () => void child.kill("SIGKILL"),
  }) as unknown as GuestProcess;
};

async function copy(source: string, destination: string): Promise<void> {
  await copyInto(spawnHere, await checkCopy({ source, destination }), undefined);
}

test("a file gets the name, or goes into the directory", async (t) => {
  const root = await useTemporaryDirectory(t);
  const source = join(root, "it's a $(file)");
  await writeFile(source, "content", { mode: 0o750 });
  await copy(source, join(root, "a/b/c"));
  assert.equal(await readFile(join(root, "a/b/c"), "utf8"), "content");
  assert.equal((await stat(join(root, "a/b/c"))).mode & 0o777, 0o750);
  await copy(source, join(root, "new/"));
  assert.equal(await readFile(join(root, "new", "it's a $(file)"), "utf8"), "content");
  await copy(source, join(root, "a/b"));
  assert.equal(await readFile(join(root, "a/b", "it's a $(file)"), "utf8"), "content");
});

test("a directory's content goes into the directory of that name, links and modes kept", async (t) => {
  const root = await useTemporaryDirectory(t);
  const source = await mkdtemp(join(root, "source-"));
  const long = "n".repeat(150);
  await mkdir(join(source, "sub"));
  await writeFile(join(source, "sub", long), "deep", { mode: 0o700 });
  await symlink("/nowhere", join(source, "link"));
  await copy(source, join(root, "x/y"));
  assert.equal(await readFile(join(root, "x/y/sub", long), "utf8"), "deep");
  assert.equal((await stat(join(root, "x/y/sub", long))).mode & 0o777, 0o700);
  assert.equal(await readlink(join(root, "x/y/link")), "/nowhere");
});

test("what cannot be copied is refused before anything starts", async (t) => {
  const root = await useTemporaryDirectory(t);
  await assert.rejects(checkCopy({ source: root, destination: "relative" }), {
    code: "INVALID_ARGUMENT",
    message: /"relative" is not an absolute path/,
  });
  await assert.rejects(checkCopy({ source: root, destination: "/a\0b" }), {
    code: "INVALID_ARGUMENT",
  });
  await assert.rejects(checkCopy({ source: join(root, "no"), destination: "/x" }), {
    code: "NOT_FOUND",
  });
  await assert.rejects(checkCopy({ source: "/dev/null", destination: "/x" }), {
    code: "INVALID_ARGUMENT",
    message: /neither a file nor a directory/,
  });
});

test("a refusal of the guest is the error, in its words", async (t) => {
  const root = await useTemporaryDirectory(t);
  await writeFile(join(root, "file"), "content");
  await assert.rejects(copy(join(root, "file"), join(root, "file", "below")), {
    code: "IO_ERROR",
    message: /Cannot copy .*file to .*below in the sandbox: .*(?:mkdir|directory)/i,
  });
  await assert.rejects(copy(root, join(root, "file", "below")), { code: "IO_ERROR" });
});

test("a source that vanishes meanwhile is the error", async (t) => {
  const root = await useTemporaryDirectory(t);
  const source = join(root, "file");
  await writeFile(source, "content");
  const checked = await checkCopy({ source, destination: join(root, "copy") });
  await rm(source);
  await assert.rejects(copyInto(spawnHere, checked, undefined), {
    code: "IO_ERROR",
    message: /ENOENT/,
  });
});
