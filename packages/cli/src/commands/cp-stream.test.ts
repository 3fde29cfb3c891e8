import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { PassThrough, Readable, Writable } from "node:stream";
import { test } from "node:test";
import { waitUntil } from "../../../guest/test/process-facts.ts";
import { useFiles } from "../../../guest/test/use-agent.ts";
import { copyFromStream, copyToStream } from "./cp-stream.ts";

const { signal } = new AbortController();

/** Takes all that is written. */
function collector() {
  const pieces: Buffer[] = [];
  const output = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  return { output, content: () => Buffer.concat(pieces) };
}

test("what comes from a stream becomes a file when all of it has come, and goes out as it is", async (t) => {
  const { files, at } = await useFiles(t, 5);
  const content = Buffer.alloc(3_000_000, "bytes of it; ");
  const input = Readable.from([content.subarray(0, 1_000_000), content.subarray(1_000_000)]);
  const seen: number[] = [];
  const onBytes = (bytes: number): void => void seen.push(bytes);
  const bytes = await copyFromStream(files, input, at("new/file"), { signal, onBytes });
  assert.equal(bytes, content.length);
  assert.deepEqual(seen, [1_000_000, content.length]);
  assert.ok(readFileSync(at("new/file")).equals(content));
  const out = collector();
  const path = { sandbox: "box", path: at("new/file") };
  assert.equal(await copyToStream(files, path, out.output, { signal }), 0);
  assert.ok(out.content().equals(content));
});

test("a source that fails leaves what was there", async (t) => {
  const { files, at, directory } = await useFiles(t, 5);
  writeFileSync(at("file"), "before");
  const input = new PassThrough();
  input.write("half of");
  const copying = copyFromStream(files, input, at("file"), {
    signal,
    onBytes: () => input.destroy(new Error("gone")),
  });
  await assert.rejects(copying, {
    code: "IO_ERROR",
    message: "Cannot read standard input: gone",
  });
  assert.equal(readFileSync(at("file"), "utf8"), "before");
  // The guest clears away what came so far by itself.
  await waitUntil(() => readdirSync(directory).length === 1);
});

test("a target that cannot be written, and Ctrl-C, end it while nothing is typed", async (t) => {
  const { files, at } = await useFiles(t, 5);
  mkdirSync(at("directory"));
  const idle = new PassThrough();
  await assert.rejects(copyFromStream(files, idle, at("directory"), { signal }), {
    code: "GUEST_IS_DIRECTORY",
  });
  const abort = new AbortController();
  const typing = new PassThrough();
  typing.write("typed");
  const onBytes = (): void => abort.abort();
  await assert.rejects(
    copyFromStream(files, typing, at("file"), { signal: abort.signal, onBytes }),
    { code: "ABORTED" },
  );
  assert.ok(!existsSync(at("file")));
});

test("only a file goes to a stream, and one that takes no more ends it", async (t) => {
  const { files, at, directory } = await useFiles(t, 5);
  const { output } = collector();
  await assert.rejects(
    copyToStream(files, { sandbox: "box", path: directory }, output, { signal }),
    {
      code: "INVALID_ARGUMENT",
      message: `Cannot copy ${directory} to standard output: it is a directory, and only a file can be`,
      hint: new RegExp(`exec box -- tar -c -C ${directory} \\.$`),
    },
  );
  await assert.rejects(
    copyToStream(files, { sandbox: "box", path: "/dev/null" }, output, { signal }),
    { code: "INVALID_ARGUMENT", message: /it is a character-device, and/ },
  );
  writeFileSync(at("file"), Buffer.alloc(5_000_000));
  const full = new Writable({ write: (_piece, _encoding, done) => done(new Error("no space")) });
  full.on("error", () => undefined);
  const path = { sandbox: "box", path: at("file") };
  assert.equal(await copyToStream(files, path, full, { signal }), 141);
});
