import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { AgentClient } from "../src/agent-client.ts";
import { GuestError } from "../src/errors.ts";
import type { GuestFiles } from "../src/files.ts";
import { guestError } from "./error-matchers.ts";
import { waitUntil } from "./process-facts.ts";
import { rootSkip } from "./root-skip.ts";
import { useFiles } from "./use-agent.ts";

interface Setting {
  readonly files: GuestFiles;
  readonly client: AgentClient;
  readonly host: (name: string) => string;
  readonly guest: (name: string) => string;
}

/** The guest's files are this machine's, below `guest`. */
async function setting(t: TestContext): Promise<Setting> {
  const { files, client, at } = await useFiles(t, 30);
  for (const side of ["host", "guest"]) mkdirSync(at(side));
  return {
    files,
    client,
    host: (name) => at(join("host", name)),
    guest: (name) => at(join("guest", name)),
  };
}

/** All that is to be kept of a tree, by its names. */
function facts(root: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const name of ["", ...readdirSync(root, { recursive: true, encoding: "latin1" })]) {
    const path = Buffer.from(join(root, name), "latin1");
    const status = lstatSync(path);
    const mode = (status.mode & 0o7777).toString(8);
    const time = Math.floor(status.mtimeMs / 1_000);
    if (status.isSymbolicLink()) all[name] = `link ${readlinkSync(path)}`;
    else if (status.isDirectory()) all[name] = `directory ${mode} ${time}`;
    else all[name] = `file ${mode} ${time} ${hash(readFileSync(path))}`;
  }
  return all;
}

function hash(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A tree of everything that is kept. */
function makeTree(root: string): void {
  const long = "n".repeat(150);
  mkdirSync(join(root, "sub", long, long), { recursive: true });
  writeFileSync(join(root, "sub", long, long, "deep"), "deep");
  writeFileSync(join(root, "empty"), "");
  writeFileSync(join(root, "program"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(root, "secret"), "s".repeat(511), { mode: 0o600 });
  writeFileSync(join(root, "block"), "b".repeat(512));
  writeFileSync(join(root, "large"), Buffer.alloc(3_000_001, "large"));
  writeFileSync(Buffer.concat([Buffer.from(join(root, "bytes-")), Buffer.of(0xff, 0xfe)]), "bytes");
  writeFileSync(join(root, "ünïcode\nline"), "text");
  symlinkSync("../nowhere", join(root, "link"));
  symlinkSync("t".repeat(300), join(root, "long-link"));
  linkSync(join(root, "program"), join(root, "sub", "hard"));
  mkdirSync(join(root, "hollow"));
  for (let index = 0; index < 300; index += 1)
    writeFileSync(join(root, "sub", `${index}`), `${index}`);
  chmodSync(join(root, "hollow"), 0o555);
  utimesSync(join(root, "large"), 1_000_000_000, 1_000_000_000);
  utimesSync(join(root, "hollow"), 1_100_000_000, 1_100_000_000);
  utimesSync(root, 1_200_000_000, 1_200_000_000);
}

test("a tree goes into the guest and comes back with all that is kept of it", async (t) => {
  const { files, host, guest } = await setting(t);
  mkdirSync(host("tree"));
  makeTree(host("tree"));
  const seen: number[] = [];
  const sent = await files.upload(host("tree"), guest("a/b"), {
    onProgress: ({ bytes }) => void seen.push(bytes),
  });
  assert.deepEqual(facts(guest("a/b")), facts(host("tree")));
  const expected = Object.keys(facts(host("tree"))).length;
  assert.deepEqual([sent.entries, sent.skipped], [expected, 0]);
  assert.equal(seen.at(-1), sent.bytes);
  assert.ok(sent.bytes > 3_000_000 && seen.length > 300);
  const received = await files.download(guest("a/b"), host("back"));
  assert.deepEqual(facts(host("back")), facts(host("tree")));
  assert.deepEqual(received, sent);
  assert.deepEqual(readdirSync(host("")).sort(), ["back", "tree"]);
});

test("a file gets the name, or goes into the directory, both ways", async (t) => {
  const { files, host, guest } = await setting(t);
  writeFileSync(host("it's a $(file)"), "content", { mode: 0o750 });
  utimesSync(host("it's a $(file)"), 1_000_000_000.5, 1_000_000_000.5);
  const source = host("it's a $(file)");
  for (const [to, name] of [
    ["a/b/c", "a/b/c"],
    ["new/", "new/it's a $(file)"],
    ["a/b", "a/b/it's a $(file)"],
  ] as const) {
    const count = await files.upload(source, to.endsWith("/") ? `${guest(to)}/` : guest(to));
    assert.deepEqual(count, { bytes: 7, entries: 1, skipped: 0 });
    assert.equal(readFileSync(guest(name), "utf8"), "content");
    assert.equal(statSync(guest(name)).mode & 0o7777, 0o750);
    assert.equal(statSync(guest(name)).mtimeMs, 1_000_000_000_500);
  }
  await files.download(guest("a/b/c"), host("copy"));
  await files.download(guest("a/b/c"), host(""));
  mkdirSync(host("into"));
  await files.download(guest("a/b/c"), `${host("into")}/`);
  for (const name of ["copy", "c", "into/c"]) {
    assert.equal(readFileSync(host(name), "utf8"), "content");
    assert.equal(statSync(host(name)).mode & 0o7777, 0o750);
    assert.equal(statSync(host(name)).mtimeMs, 1_000_000_000_500);
  }
});

test("into what is there: files are replaced whole, directories stay as they are", async (t) => {
  const { files, host, guest } = await setting(t);
  mkdirSync(host("tree/sub"), { recursive: true });
  writeFileSync(host("tree/sub/file"), "new");
  writeFileSync(host("tree/link"), "no link any more");
  for (const root of [guest("there"), host("there")]) {
    mkdirSync(join(root, "sub"), { recursive: true });
    chmodSync(root, 0o1777);
    writeFileSync(join(root, "sub/file"), "old");
    writeFileSync(join(root, "sub/other"), "other");
    symlinkSync("sub/other", join(root, "link"));
  }
  const inode = statSync(guest("there/sub/file")).ino;
  await files.upload(host("tree"), guest("there"));
  await files.download(guest("there"), host("there"));
  for (const root of [guest("there"), host("there")]) {
    assert.equal(statSync(root).mode & 0o7777, 0o1777);
    assert.equal(readFileSync(join(root, "sub/file"), "utf8"), "new");
    assert.equal(readFileSync(join(root, "sub/other"), "utf8"), "other");
    assert.ok(lstatSync(join(root, "link")).isFile());
  }
  assert.notEqual(statSync(guest("there/sub/file")).ino, inode);
  assert.deepEqual(readdirSync(host("there")).sort(), ["link", "sub"]);
});

test("what is neither file, directory nor link is left out and counted, or refused", async (t) => {
  const { files, host, guest } = await setting(t);
  for (const root of [guest("tree"), host("tree")]) {
    mkdirSync(root);
    writeFileSync(join(root, "file"), "1");
    symlinkSync("file", join(root, "link"));
    execFileSync("mkfifo", [join(root, "pipe")]);
  }
  const options = { links: "skip" } as const;
  const sent = await files.upload(host("tree"), guest("out"), options);
  const received = await files.download(guest("tree"), host("out"), options);
  assert.deepEqual([sent.skipped, received.skipped], [2, 2]);
  assert.deepEqual([readdirSync(guest("out")), readdirSync(host("out"))], [["file"], ["file"]]);
  for (const policy of [{ special: "refuse" }, { links: "refuse" }] as const) {
    const refused = guestError("FILE_REFUSED", policy.links ? /link": it is a symbolic/ : /pipe"/);
    await assert.rejects(files.upload(host("tree"), guest("no"), policy), refused);
    await assert.rejects(files.download(guest("tree"), host("no"), policy), refused);
    assert.equal(existsSync(host("no")), false);
  }
  const itself = guestError("FILE_REFUSED", /pipe/);
  await assert.rejects(files.upload(host("tree/pipe"), guest("no")), itself);
  await assert.rejects(files.download(guest("tree/pipe"), host("no")), itself);
});

test("what is too much ends a download, and nothing of it stays", async (t) => {
  const { files, host, guest } = await setting(t);
  mkdirSync(guest("tree/sub"), { recursive: true });
  writeFileSync(guest("tree/sub/endless"), "");
  truncateSync(guest("tree/sub/endless"), 2 ** 40);
  const large = guestError("GUEST_TOO_LARGE", /more than 1000000 bytes/);
  await assert.rejects(files.download(guest("tree"), host("a"), { maxBytes: 1_000_000 }), large);
  const file = guest("tree/sub/endless");
  await assert.rejects(files.download(file, host("a"), { maxBytes: 1_000_000 }), large);
  await assert.rejects(
    files.download(guest("tree"), host("a"), { maxEntries: 2 }),
    guestError("GUEST_TOO_LARGE", /more than 2 entries/),
  );
  assert.deepEqual(readdirSync(host("")), []);
});

test("an abort or an error of the host ends it on both sides, and nothing half written stays", async (t) => {
  const { files, host, guest, client } = await setting(t);
  for (const root of [host("tree"), guest("tree")]) {
    mkdirSync(root);
    writeFileSync(join(root, "large"), "");
    truncateSync(join(root, "large"), 2 ** 36);
  }
  const ways = [
    (name: string, options: object) => files.upload(host(name), guest("copy"), options),
    (name: string, options: object) => files.download(guest(name), host("copy"), options),
  ];
  for (const name of ["tree", "tree/large"]) {
    for (const transfer of ways) {
      const controller = new AbortController();
      const stop = {
        signal: controller.signal,
        onProgress: () => controller.abort(new Error("no")),
      };
      await assert.rejects(transfer(name, stop), (error: unknown) => {
        assert.ok(error instanceof GuestError && error.code === "ABORTED", String(error));
        return true;
      });
      const failing = { onProgress: ({ bytes = 0 }) => bytes > 0 && assert.fail("of the caller") };
      await assert.rejects(transfer(name, failing), /of the caller/);
    }
  }
  assert.deepEqual(readdirSync(host("")), ["tree"]);
  await waitUntil(() => !existsSync(guest("copy")) || readdirSync(guest("copy")).length === 0);
  assert.equal((await client.ping()).version, 1);
});

test("errors name the side and the file", async (t) => {
  const { files, host, guest } = await setting(t);
  mkdirSync(guest("tree"));
  writeFileSync(guest("file"), "");
  writeFileSync(host("file"), "");
  mkdirSync(host("tree"));
  writeFileSync(host("tree/a"), "");
  const missing = guestError("HOST_NOT_FOUND", /Cannot read ".*\/host\/none": ENOENT/);
  await assert.rejects(files.upload(host("none"), guest("x")), missing);
  await assert.rejects(
    files.download(guest("tree"), host("none/x")),
    guestError("HOST_NOT_FOUND", /\/host\/none\//),
  );
  await assert.rejects(files.download(guest("none"), host("x")), guestError("GUEST_NOT_FOUND"));
  await assert.rejects(
    files.download(guest("tree"), host("file")),
    guestError("HOST_FAILED", /\/host\/file": E/),
  );
  const below = guestError("GUEST_NOT_DIRECTORY", /file/);
  await assert.rejects(files.upload(host("tree"), guest("file/below")), below);
  await assert.rejects(files.upload(host("tree"), guest("file")), below);
  await assert.rejects(files.upload(host("file"), guest("file/below")), below);
  mkdirSync(guest("tree/a"));
  await assert.rejects(
    files.upload(host("tree"), guest("tree")),
    guestError("GUEST_IS_DIRECTORY", /"a"/),
  );
  assert.deepEqual(readdirSync(host("")).sort(), ["file", "tree"]);
});

test(
  "it is done as the user that is asked for, and given to the owner",
  { skip: rootSkip },
  async (t) => {
    const { files, host, guest } = await setting(t);
    mkdirSync(host("tree/sub"), { recursive: true });
    writeFileSync(host("tree/sub/setuid"), "x", { mode: 0o755 });
    symlinkSync("x", host("tree/link"));
    chmodSync(host("tree/sub/setuid"), 0o4755);
    for (const path of ["", ".."]) chmodSync(guest(path), 0o777);
    await files.upload(host("tree"), guest("theirs"), { user: "daemon" });
    await files.upload(host("tree"), guest("given/deep"), { owner: "daemon:7" });
    for (const name of ["", "/sub", "/sub/setuid", "/link"]) {
      const mine = lstatSync(guest(`theirs${name}`));
      const given = lstatSync(guest(`given/deep${name}`));
      assert.deepEqual([mine.uid, mine.gid, given.uid, given.gid], [1, 1, 1, 7], name);
    }
    assert.equal(statSync(guest("theirs/sub/setuid")).mode & 0o7777, 0o755);
    chmodSync(guest("given/deep/sub/setuid"), 0o4755);
    await files.download(guest("given/deep"), host("back"), { user: "daemon" });
    const status = statSync(host("back/sub/setuid"));
    assert.deepEqual([status.mode & 0o7777, status.uid], [0o755, process.getuid?.()]);
    chmodSync(guest("given/deep/sub"), 0o700);
    await assert.rejects(
      files.download(guest("given/deep"), host("no"), { user: "nobody" }),
      guestError("GUEST_DENIED", /sub/),
    );
    await assert.rejects(
      files.upload(host("tree"), guest("given/deep"), { user: "nobody" }),
      guestError("GUEST_DENIED"),
    );
    assert.equal(existsSync(host("no")), false);
  },
);
