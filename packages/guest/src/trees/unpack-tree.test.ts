import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { guestError } from "../../test/error-matchers.ts";
import { TarStream } from "./read-tar-stream.ts";
import { tarEnd, tarPadding } from "../write-tar-header.ts";
import { tarHeader } from "./tar-subset.ts";
import { type DownloadOptions, TransferCount } from "./transfer.ts";
import { unpackTree } from "./unpack-tree.ts";

type Part = readonly [name: string, content?: string | { readonly target: string }];

/** An archive of directories (names with a slash at their end), files and links. */
function archive(parts: readonly Part[]): Buffer {
  const bytes = parts.map(([name, content = ""]) => {
    const plain = { name, mode: 0o644, size: 0, mtime: 1, target: "" };
    if (typeof content !== "string") return tarHeader({ ...plain, type: "link", ...content });
    if (name === "." || name.endsWith("/")) return tarHeader({ ...plain, type: "directory" });
    const size = Buffer.byteLength(content);
    const header = tarHeader({ ...plain, type: "file", size });
    return Buffer.concat([header, Buffer.from(content), Buffer.alloc(tarPadding(size))]);
  });
  return Buffer.concat([...bytes, tarEnd]);
}

async function* pieces(bytes: Buffer, length = 1_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) {
    await Promise.resolve();
    yield bytes.subarray(at, at + length);
  }
}

interface Place {
  readonly root: string;
  readonly outside: string;
  readonly unpack: (bytes: Buffer, options?: DownloadOptions) => Promise<void>;
}

/** Beside the directory that is unpacked into there is another, which must be as before when all is over. */
async function inPlace(t: TestContext, body: (place: Place) => Promise<void>): Promise<void> {
  const directory = await useTemporaryDirectory(t);
  const root = join(directory, "root");
  const outside = join(directory, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, "victim"), "whole");
  const unpack = (bytes: Buffer, options: DownloadOptions = {}): Promise<void> =>
    unpackTree(new TarStream(pieces(bytes)), root, false, new TransferCount(options));
  await body({ root, outside, unpack });
  assert.deepEqual(readdirSync(outside), ["victim"]);
  assert.equal(readFileSync(join(outside, "victim"), "utf8"), "whole");
  assert.deepEqual(readdirSync(directory).sort(), ["outside", "root"]);
  assert.ok(readdirSync(root).every((name) => !name.startsWith(".virga-")));
}

test("names that lead out, or to no place of their own, are refused", (t) =>
  inPlace(t, async ({ root, unpack }) => {
    for (const name of [
      "../outside/victim",
      "/etc/victim",
      "..",
      "../",
      ".",
      "a/..",
      "a/../../outside/victim",
      "./../outside/victim",
      "a//b",
      "a/./b",
      "none/file",
      "//",
      "/",
    ]) {
      const lies = archive([["."], ["a/"], [name, "x"]]);
      await assert.rejects(unpack(lies), guestError("GUEST_PROTOCOL", /archive with/), name);
    }
    assert.deepEqual(readdirSync(root), ["a"]);
  }));

test("nothing is written through a link, whoever made it", (t) =>
  inPlace(t, async ({ root, outside, unpack }) => {
    const through: readonly Part[] = [["."], ["way", { target: outside }], ["way/victim", "x"]];
    await assert.rejects(
      unpack(archive(through)),
      guestError("GUEST_PROTOCOL", /no directory of its own/),
    );
    const replaced: readonly Part[] = [
      ["."],
      ["way", { target: outside }],
      ["way/"],
      ["way/victim", "x"],
    ];
    await assert.rejects(unpack(archive(replaced)), guestError("HOST_FAILED", /way": EEXIST/));
    symlinkSync(outside, join(root, "old"));
    symlinkSync(join(outside, "victim"), join(root, "file"));
    await assert.rejects(
      unpack(archive([["."], ["old/"]])),
      guestError("HOST_FAILED", /old": EEXIST/),
    );
    await unpack(archive([["."], ["file", "new"], ["old", { target: "x" }]]));
    assert.equal(readFileSync(join(root, "file"), "utf8"), "new");
    assert.ok(lstatSync(join(root, "file")).isFile());
    assert.ok(lstatSync(join(root, "old")).isSymbolicLink());
  }));

test("a name that comes twice is replaced, never a directory by something else", (t) =>
  inPlace(t, async ({ root, unpack }) => {
    await unpack(archive([["."], ["a", "1"], ["a", { target: "x" }], ["a", "2"], ["d/"], ["d/"]]));
    assert.equal(readFileSync(join(root, "a"), "utf8"), "2");
    for (const content of ["x", { target: "x" }]) {
      await assert.rejects(
        unpack(archive([["."], ["d/"], ["d", content]])),
        guestError("HOST_FAILED"),
      );
    }
    assert.deepEqual(readdirSync(root).sort(), ["a", "d"]);
  }));

test("an archive that ends early, is damaged or does not end is refused", (t) =>
  inPlace(t, async ({ unpack }) => {
    const whole = archive([["."], ["a", "x".repeat(5_000)], ["n".repeat(200), "y"]]);
    for (let length = 0; length < whole.length - 2 * 512; length += 211) {
      await assert.rejects(
        unpack(whole.subarray(0, length)),
        guestError("GUEST_PROTOCOL"),
        `${length}`,
      );
    }
    for (const at of [0, 130, 257, 156, 512 + 125]) {
      const damaged = Buffer.from(whole);
      damaged[at] = 0x39;
      await assert.rejects(unpack(damaged), guestError("GUEST_PROTOCOL"), `${at}`);
    }
    const endless = Buffer.concat([whole, Buffer.alloc(100_000)]);
    await assert.rejects(unpack(endless), guestError("GUEST_PROTOCOL", /does not end/));
    await assert.rejects(
      unpack(archive([["a", "x"]])),
      guestError("GUEST_PROTOCOL", /own directory/),
    );
  }));

test("ten million entries, or a file without end, stop where they are told to", (t) =>
  inPlace(t, async ({ root, unpack }) => {
    const many = archive([
      ["."],
      ...Array.from({ length: 50 }, (_, index): Part => [`${index}`, ""]),
    ]);
    await assert.rejects(unpack(many, { maxEntries: 10 }), guestError("GUEST_TOO_LARGE"));
    assert.equal(readdirSync(root).length, 9);
    const head = tarHeader({
      type: "file",
      name: "f",
      mode: 0o600,
      size: 2 ** 45,
      mtime: 0,
      target: "",
    });
    const endless = Buffer.concat([archive([["."]]).subarray(0, 512), head, Buffer.alloc(50_000)]);
    await assert.rejects(unpack(endless, { maxBytes: 20_000 }), guestError("GUEST_TOO_LARGE"));
    assert.equal(existsSync(join(root, "f")), false);
  }));
