import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import type { GuestFileEvent, GuestWatch } from "../src/guest-watch.ts";
import { guestError } from "./error-matchers.ts";
import { useFiles } from "./use-agent.ts";

/** All events up to the first that is about `path`, in a short form. */
async function until(watch: GuestWatch, path: string): Promise<string[]> {
  const list: string[] = [];
  const iterator = watch[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await iterator.next();
    if (done === true) return list;
    list.push(short(value));
    if ("path" in value && value.path === path) return list;
  }
}

function short(event: GuestFileEvent): string {
  if (event.event === "overflow") return "overflow";
  const path = String(event.path);
  return event.event === "renamed" ? `${path} -> ${String(event.to)}` : `${event.event} ${path}`;
}

test("what is made, written, renamed and removed is told, in its order", async (t) => {
  const { files, directory, at } = await useFiles(t, 10);
  writeFileSync(at("old"), "");
  await using watch = await files.watch(directory);
  writeFileSync(at("new"), "x");
  assert.deepEqual(await until(watch, "new"), ["created new"]);
  assert.deepEqual(await until(watch, "new"), ["modified new"]);
  chmodSync(at("old"), 0o600);
  assert.deepEqual(await until(watch, "old"), ["modified old"]);
  renameSync(at("new"), at("newer"));
  assert.deepEqual(await until(watch, "new"), ["new -> newer"]);
  rmSync(at("newer"));
  assert.deepEqual((await until(watch, "newer")).at(-1), "removed newer");
});

test("directories that come later are watched too, and those that move are known by their new names", async (t) => {
  const { files, directory, at } = await useFiles(t, 10);
  mkdirSync(at("a/b"), { recursive: true });
  await using watch = await files.watch(directory);
  writeFileSync(at("a/b/1"), "");
  assert.deepEqual(await until(watch, "a/b/1"), ["created a/b/1"]);
  mkdirSync(at("c/d/e"), { recursive: true });
  writeFileSync(at("c/d/e/2"), "");
  const made = await until(watch, "c/d/e/2");
  for (const path of ["c", "c/d", "c/d/e", "c/d/e/2"]) assert.ok(made.includes(`created ${path}`));
  renameSync(at("a"), at("z"));
  assert.ok((await until(watch, "a")).includes("a -> z"));
  writeFileSync(at("z/b/3"), "");
  assert.equal((await until(watch, "z/b/3")).at(-1), "created z/b/3");
});

test("what moves away is removed and no longer watched, what moves in is there with all that is in it", async (t) => {
  const { files, directory, at } = await useFiles(t, 10);
  mkdirSync(at("inside/a/b"), { recursive: true });
  mkdirSync(at("outside/c/d"), { recursive: true });
  await using watch = await files.watch(at("inside"));
  renameSync(at("inside/a"), at("outside/a"));
  assert.deepEqual(await until(watch, "a"), ["removed a"]);
  writeFileSync(at("outside/a/b/unseen"), "");
  renameSync(at("outside/c"), at("inside/c"));
  const came = await until(watch, "c/d");
  assert.deepEqual(came, ["created c", "created c/d"]);
  writeFileSync(at("inside/c/d/e"), "");
  assert.equal((await until(watch, "c/d/e")).at(-1), "created c/d/e");
  assert.ok(directory.length > 0);
});

test("a directory alone, a file alone, and their end", async (t) => {
  const { files, at } = await useFiles(t, 10);
  mkdirSync(at("a/b"), { recursive: true });
  await using flat = await files.watch(at("a"), { recursive: false });
  writeFileSync(at("a/b/unseen"), "");
  writeFileSync(at("a/seen"), "");
  assert.deepEqual(await until(flat, "seen"), ["created seen"]);
  writeFileSync(at("f"), "");
  await using one = await files.watch(at("f"));
  appendFileSync(at("f"), "x");
  assert.deepEqual(await until(one, "."), ["modified ."]);
  rmSync(at("f"));
  const end: string[] = [];
  for await (const event of one) end.push(short(event));
  assert.equal(end.at(-1), "removed .");
  rmSync(at("a"), { recursive: true });
  const all: string[] = [];
  for await (const event of flat) all.push(short(event));
  assert.ok(all.includes("removed seen") && all.includes("removed b"));
  assert.equal(all.at(-1), "removed .");
});

test("a reader that is too slow is told that something was lost, and goes on", async (t) => {
  const { files, directory, at } = await useFiles(t, 10);
  await using watch = await files.watch(directory);
  const most = Number(readFileSync("/proc/sys/fs/inotify/max_queued_events", "utf8"));
  // Twice as many as the queue, the pipe, the window and all buffers hold.
  const rounds = 2 * (most + 40_000);
  for (let turn = 0; turn < rounds / 2; turn += 1) {
    writeFileSync(at("x"), "");
    rmSync(at("x"));
  }
  const seen = await untilOverflow(watch);
  assert.ok(seen > 0);
  mkdirSync(at("later"));
  writeFileSync(at("later/on"), "");
  assert.equal((await until(watch, "later/on")).at(-1), "created later/on");
});

async function untilOverflow(watch: GuestWatch): Promise<number> {
  const iterator = watch[Symbol.asyncIterator]();
  for (let seen = 0; ; seen += 1) {
    const { value, done } = await iterator.next();
    if (done === true) throw new Error("the watch ended");
    if (value.event === "overflow") return seen;
  }
}

test("what is not there is refused, and closing ends a watch", async (t) => {
  const { files, directory, at } = await useFiles(t, 10);
  await assert.rejects(files.watch(at("none")), guestError("GUEST_NOT_FOUND", /No such file/));
  const watch = await files.watch(directory);
  const reading = assert.rejects(until(watch, "never"), guestError("ABORTED"));
  await watch.close();
  await reading;
});
