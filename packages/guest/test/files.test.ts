import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type { GuestFileEntry } from "../src/files.ts";
import { guestError } from "./error-matchers.ts";
import { isRunning, residentKib, waitUntil } from "./process-facts.ts";
import { rootSkip } from "./root-skip.ts";
import { useFiles } from "./use-agent.ts";

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

test("a file is written and read, whole and in parts", async (t) => {
  const { files, at, client } = await useFiles(t, 30);
  await files.write(at("a"), "hello");
  assert.equal(await files.readText(at("a")), "hello");
  await files.write(at("a"), Buffer.from("EL"), { offset: 1 });
  await files.write(at("a"), "!", { append: true });
  assert.equal(readFileSync(at("a"), "utf8"), "hELlo!");
  const part = await files.read(at("a"), { offset: 2, length: 3 });
  assert.equal(await text(part), "Llo");
  assert.equal(await files.readText(at("a"), { offset: 100 }), "");
  await files.write(at("empty"), "");
  assert.equal((await files.readFile(at("empty"))).length, 0);
  assert.equal((await client.ping()).version, 1);
  await assert.rejects(
    files.readFile(at("a"), { maxBytes: 5 }),
    guestError("GUEST_TOO_LARGE", /longer than 5/),
  );
});

test("a new file has mode 0644; a replaced one keeps its mode, a link stays a link", async (t) => {
  const { files, at } = await useFiles(t, 30);
  await files.write(at("new"), "1");
  assert.equal(statSync(at("new")).mode & 0o7777, 0o644);
  chmodSync(at("new"), 0o751);
  symlinkSync("new", at("link"));
  const inode = statSync(at("new")).ino;
  await files.write(at("link"), "2");
  assert.equal(statSync(at("new")).mode & 0o7777, 0o751);
  assert.notEqual(statSync(at("new")).ino, inode);
  assert.ok(lstatSync(at("link")).isSymbolicLink());
  await files.write(at("new"), "3", { mode: 0o4_700 });
  assert.equal(statSync(at("new")).mode & 0o7777, 0o4_700);
  await files.write(at("x/y/z"), "deep", { parents: true });
  assert.equal(readFileSync(at("x/y/z"), "utf8"), "deep");
  assert.deepEqual(readdirSync(at("x/y")), ["z"]);
  // What is no ordinary file is written to, not replaced.
  await files.write("/dev/null", "gone");
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

test(
  "owners are given, and everything is done as the user that is asked for",
  { skip: rootSkip },
  async (t) => {
    const { files, at, directory } = await useFiles(t, 30);
    chmodSync(directory, 0o755);
    await files.write(at("p/q"), "", { owner: "daemon:7", parents: true });
    const facts = (path: string): number[] => [statSync(path).uid, statSync(path).gid];
    assert.deepEqual(
      [facts(at("p")), facts(at("p/q"))],
      [
        [1, 7],
        [1, 7],
      ],
    );
    await files.write(at("p/mine"), "", { user: "daemon" });
    assert.deepEqual(facts(at("p/mine")), [1, 1]);
    await files.write(at("p/q"), "kept", {});
    assert.deepEqual(facts(at("p/q")), [1, 7]);
    const denied = guestError("GUEST_DENIED", /Permission denied/, { errno: 13 });
    await assert.rejects(files.write(at("theirs"), "", { user: 1 }), denied);
    await assert.rejects(files.remove(at("p/q"), { user: 54_321 }), denied);
    await assert.rejects(
      files.mkdir(at("d"), { user: "none" }),
      guestError("GUEST_NOT_FOUND", /user "none"/),
    );
    await assert.rejects(
      files.mkdir(at("d"), { owner: ":none" }),
      guestError("GUEST_NOT_FOUND", /group "none"/),
    );
    await files.symlink("anywhere", at("p/l"), { owner: "daemon" });
    assert.equal(lstatSync(at("p/l")).uid, 1);
    await files.mkdir(at("made/deep/"), { owner: "daemon:7", mode: 0o2750, parents: true });
    assert.deepEqual([facts(at("made")), facts(at("made/deep"))], [facts(at("p")), facts(at("p"))]);
    assert.equal(statSync(at("made/deep")).mode & 0o7777, 0o2750);
  },
);

test("much is streamed both ways unchanged, and nobody keeps it", async (t) => {
  const { files, at, agents } = await useFiles(t, 30);
  const block = randomBytes(1_000_000);
  const sent = createHash("sha256");
  function* blocks(): Generator<Buffer> {
    for (let index = 0; index < 50; index += 1) {
      const next = Buffer.from(block);
      next.writeUInt32LE(index);
      sent.update(next);
      yield next;
    }
  }
  await files.stat(at(""));
  const before = residentKib(agents.children[0]?.pid);
  await files.write(at("much"), blocks() as unknown as AsyncIterable<Buffer>);
  const received = createHash("sha256");
  await pipeline(await files.read(at("much")), received);
  assert.equal(received.digest("hex"), sent.digest("hex"));
  assert.ok(residentKib(agents.children[0]?.pid) - before < 1_000);
});

test("a write that fails or is given up leaves what was there, and nothing else", async (t) => {
  const { files, at, directory } = await useFiles(t, 30);
  await files.write(at("a"), "old");
  const wrong = new Error("the source fails");
  async function* source(): AsyncGenerator<string> {
    yield "new";
    await waitUntil(() => readdirSync(directory).length === 2);
    throw wrong;
  }
  await assert.rejects(files.write(at("a"), source()), (error) => error === wrong);
  await waitUntil(() => readdirSync(directory).length === 1);
  assert.equal(readFileSync(at("a"), "utf8"), "old");
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<string> {
    for (let turn = 0; ; turn += 1) {
      yield "x".repeat(10_000);
      if (turn === 20) controller.abort();
    }
  }
  await assert.rejects(
    files.write(at("a"), endless(), { signal: controller.signal }),
    guestError("ABORTED", /file\.write/),
  );
  await waitUntil(() => readdirSync(directory).length === 1);
  assert.equal(readFileSync(at("a"), "utf8"), "old");
  // Full at once, in the middle of what is sent.
  await assert.rejects(
    files.write("/dev/full", "x".repeat(1_000_000)),
    guestError("GUEST_NO_SPACE", /No space left/, { errno: 28 }),
  );
  assert.equal(await files.readText(at("a")), "old");
});

test("reading that is given up ends in the guest", async (t) => {
  const { files, client } = await useFiles(t, 30);
  const zeros = await files.read("/dev/zero");
  await once(zeros, "readable");
  zeros.destroy();
  const slow: Readable = await files.read("/dev/zero");
  await once(slow, "readable");
  await client.close();
  await assert.rejects(all(slow), guestError("ABORTED"));
});

test("status tells what a file is", async (t) => {
  const { files, at } = await useFiles(t, 30);
  writeFileSync(at("f"), "12345", { mode: 0o640 });
  symlinkSync("nowhere", at("l"));
  execFileSync("/usr/bin/mkfifo", [at("p")]);
  const { mtimeNs, ...status } = await files.stat(at("f"));
  const { uid, gid } = statSync(at("f"));
  assert.deepEqual(status, { type: "file", size: 5, mode: 0o640, uid, gid, target: undefined });
  assert.equal(mtimeNs, statSync(at("f"), { bigint: true }).mtimeNs);
  assert.equal((await files.stat(at(""))).type, "directory");
  const link = await files.stat(at("l"), { follow: false });
  assert.deepEqual([link.type, link.target], ["link", "nowhere"]);
  await assert.rejects(files.stat(at("l")), guestError("GUEST_NOT_FOUND", /No such file/));
  assert.equal((await files.stat(at("p"))).type, "fifo");
  assert.equal((await files.stat("/dev/null")).type, "character-device");
  await assert.rejects(files.stat(at("f/x")), guestError("GUEST_NOT_DIRECTORY"));
});

test("a tree is listed to the depth asked for, names that are no text included", async (t) => {
  const { files, at, directory } = await useFiles(t, 30);
  mkdirSync(at("d/e/f"), { recursive: true });
  writeFileSync(at("d/e/g"), "");
  symlinkSync("d", at("l"));
  const odd = Buffer.concat([Buffer.from(directory), Buffer.from("/\xff", "latin1")]);
  writeFileSync(odd, "");
  const paths = async (depth?: number): Promise<string[]> =>
    (await all(files.list(directory, { ...(depth && { depth }) })))
      .map(({ path }) => Buffer.from(path as string).toString("latin1"))
      .toSorted();
  assert.deepEqual(await paths(), ["d", "l", "\xff"]);
  assert.deepEqual(await paths(3), ["d", "d/e", "d/e/f", "d/e/g", "l", "\xff"]);
  assert.equal(await files.readText(odd), "");
  for (let index = 0; index < 3_000; index += 1) writeFileSync(at(`d/e/f/${index}`), "");
  assert.equal((await paths(200)).length, 3_006);
  for await (const entry of files.list(directory, { depth: 200 })) if (entry.path !== "d") break;
  await assert.rejects(all(files.list(at("d/e/g"))), guestError("GUEST_NOT_DIRECTORY"));
  await assert.rejects(all(files.list(at(""), { depth: 201 })), guestError("GUEST_BAD_REQUEST"));
});

test(
  "a directory that may not be read is told of, and the rest is listed",
  { skip: rootSkip },
  async (t) => {
    const { files, at, directory } = await useFiles(t, 30);
    chmodSync(directory, 0o755);
    mkdirSync(at("closed"), { mode: 0o700 });
    mkdirSync(at("open"));
    const entries: GuestFileEntry[] = await all(
      files.list(directory, { depth: 2, user: "daemon" }),
    );
    const unread = entries.filter(({ errno }) => errno !== undefined);
    assert.deepEqual(unread, [{ path: "closed", errno: 13 }]);
    assert.equal(entries.length, 3);
  },
);

test("a link that may not be read is listed without its target", { skip: rootSkip }, async (t) => {
  const { files } = await useFiles(t, 30);
  // Those of another user's process: all see them, he alone may read them.
  const entries = await all(files.list(`/proc/${process.pid}`, { user: "daemon" }));
  const link = entries.find(({ path }) => path === "exe");
  assert.ok(link?.errno === undefined);
  assert.deepEqual([link?.type, link?.target], ["link", undefined]);
});

test("directories, removal, renaming, links", async (t) => {
  const { files, at } = await useFiles(t, 30);
  await files.mkdir(at("a"), { mode: 0o700 });
  await assert.rejects(files.mkdir(at("a")), guestError("GUEST_EXISTS"));
  await files.mkdir(at("a/b/c"), { parents: true });
  await files.mkdir(at("a/b/c"), { parents: true });
  assert.equal(statSync(at("a")).mode & 0o7777, 0o700);
  await files.write(at("a/b/f"), "f");
  await assert.rejects(files.mkdir(at("a/b/f"), { parents: true }), guestError("GUEST_EXISTS"));
  await assert.rejects(files.remove(at("a")), guestError("GUEST_NOT_EMPTY"));
  await assert.rejects(files.write(at("a"), ""), guestError("GUEST_IS_DIRECTORY"));
  await assert.rejects(files.readFile(at("a")), guestError("GUEST_IS_DIRECTORY"));
  await files.rename(at("a/b/f"), at("g"));
  await files.write(at("h"), "h");
  await assert.rejects(
    files.rename(at("g"), at("h"), { replace: false }),
    guestError("GUEST_EXISTS"),
  );
  await files.rename(at("g"), at("h"));
  assert.equal(readFileSync(at("h"), "utf8"), "f");
  // A link in a tree is removed, what it leads to stays.
  await files.symlink(at("h"), at("a/link"));
  mkdirSync(at("kept/inside"), { recursive: true });
  symlinkSync(at("kept"), at("a/dir"));
  await files.remove(at("a"), { recursive: true });
  assert.ok(!existsSync(at("a")) && existsSync(at("h")) && existsSync(at("kept/inside")));
  await files.remove(at("h"));
  await assert.rejects(files.remove(at("h")), guestError("GUEST_NOT_FOUND"));
  await files.remove(at("h"), { missingOk: true });
  await files.remove(at("h"), { missingOk: true, recursive: true });
});

test("a tree is removed that is deeper than a program usually has descriptors", async (t) => {
  const { files, at, agents } = await useFiles(t, 30);
  mkdirSync(at(`deep/${"d/".repeat(300)}`), { recursive: true });
  await files.stat(at("deep"));
  execFileSync("prlimit", ["--pid", String(agents.children[0]?.pid), "--nofile=128:1024"]);
  await files.remove(at("deep"), { recursive: true });
  assert.equal(existsSync(at("deep")), false);
});

test("mode, time and attributes are set and read", async (t) => {
  const { files, at } = await useFiles(t, 30);
  await files.write(at("f"), "");
  const mtimeNs = -1_500_000_000n;
  const status = await files.set(at("f"), { mode: 0o600, mtimeNs });
  assert.deepEqual([status.mode, status.mtimeNs], [0o600, mtimeNs]);
  try {
    await files.set(at("f"), { attributes: { one: "1", two: Buffer.of(0, 255) } });
  } catch (error) {
    if (!guestError("GUEST_FAILED", /not supported/)(error)) throw error;
    t.diagnostic("the temporary directory has no attributes");
    return;
  }
  assert.deepEqual(
    await files.attributes(at("f")),
    new Map([
      ["one", Buffer.from("1")],
      ["two", Buffer.of(0, 255)],
    ]),
  );
  await files.set(at("f"), { attributes: { one: null, none: null } });
  assert.deepEqual([...(await files.attributes(at("f"))).keys()], ["two"]);
});

test("what cannot be asked is refused before it is sent", async (t) => {
  const { files, agents } = await useFiles(t, 30);
  const bad = guestError("GUEST_BAD_REQUEST");
  await assert.rejects(files.stat(""), bad);
  await assert.rejects(files.stat("a\0"), bad);
  await assert.rejects(files.stat("x".repeat(4_096)), bad);
  await assert.rejects(files.write("/tmp/x", "", { append: true, offset: 1 }), bad);
  await assert.rejects(files.write("/tmp/x", "", { mode: 0o10_000 }), bad);
  await assert.rejects(files.read("/tmp/x", { offset: -1 }), bad);
  assert.equal(agents.children.length, 0);
});

test("operations at once do not wait for each other, even when one's file never comes", async (t) => {
  const { files, at } = await useFiles(t, 30);
  execFileSync("/usr/bin/mkfifo", [at("fifo")]);
  const stuck = files.read(at("fifo"), { timeoutMs: 60_000 });
  await files.write(at("f"), "not held up");
  assert.equal(await files.readText(at("f")), "not held up");
  const writing = files.write(at("fifo"), "through");
  assert.equal(await text(await stuck), "through");
  await writing;
});

test("an agent that is killed takes its operations with it", async (t) => {
  const { files, at, client, agents } = await useFiles(t, 30);
  execFileSync("/usr/bin/mkfifo", [at("fifo")]);
  await client.ping();
  const agent = agents.children[0];
  assert.ok(agent);
  const children = `/proc/${agent.pid}/task/${agent.pid}/children`;
  for (const user of [undefined, ...(process.getuid?.() === 0 ? ["root"] : [])]) {
    files.read(at("fifo"), { ...(user && { user }) }).catch(() => {});
  }
  const expected = process.getuid?.() === 0 ? 2 : 1;
  const pids = (): number[] => readFileSync(children, "utf8").trim().split(" ").map(Number);
  await waitUntil(() => pids().length === expected);
  const blocked = pids();
  agent.kill("SIGKILL");
  await waitUntil(() => !blocked.some(isRunning));
});
