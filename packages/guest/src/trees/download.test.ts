import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { guestError } from "../../test/error-matchers.ts";
import { download } from "./download.ts";
import type { TreeWays } from "./tree-ways.ts";

/** A guest for which everything is a file. */
const lying: TreeWays = {
  stat: async () => ({
    type: "file",
    size: 1,
    mode: 0o6777,
    uid: 0,
    gid: 0,
    mtimeNs: 0n,
    target: undefined,
  }),
  read: async () => Readable.from([Buffer.from("lie")], { objectMode: false }),
  write: () => Promise.reject(new Error("nothing is written")),
  stream: () => Promise.reject(new Error("nothing is streamed")),
};

test("a guest that takes a directory for a file does not choose another name here", async (t) => {
  const directory = await useTemporaryDirectory(t);
  mkdirSync(join(directory, "into"));
  for (const path of ["/", "/a/..", "/a/.", "..", "/a/../"]) {
    await assert.rejects(
      download(lying, path, join(directory, "into"), {}),
      guestError("GUEST_BAD_REQUEST", /not the name of a file/),
      path,
    );
  }
  await download(lying, "/a/b/", join(directory, "into"), {});
  await download(lying, Buffer.from("/a/.."), join(directory, "named"), {});
  assert.deepEqual(readdirSync(directory).sort(), ["into", "named"]);
  assert.equal(readFileSync(join(directory, "into/b"), "utf8"), "lie");
});

test("a file that does not end is given up where it is told to", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const endless = new Readable({
    read() {
      this.push(Buffer.alloc(1_000));
    },
  });
  const ways = { ...lying, read: () => Promise.resolve(endless) };
  await assert.rejects(
    download(ways, "/a", join(directory, "a"), { maxBytes: 100_000 }),
    guestError("GUEST_TOO_LARGE"),
  );
  assert.ok(endless.destroyed);
  assert.deepEqual(readdirSync(directory), []);
});
