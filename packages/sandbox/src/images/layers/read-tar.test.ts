import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { useTemporaryDirectory } from "@virga/testkit";
import { isVirgaError } from "@virga/vm";
import { craftLayer } from "../../../test/container-images.ts";
import { readTar } from "./read-tar.ts";
import type { TarEntry } from "./tar-entry.ts";

async function entriesOf(path: string): Promise<TarEntry[]> {
  const file = await open(path);
  try {
    const entries: TarEntry[] = [];
    for await (const entry of readTar(file)) entries.push(entry);
    return entries;
  } finally {
    await file.close();
  }
}

test("archives of all of tar's formats are read alike", async (t) => {
  const place = await useTemporaryDirectory(t);
  const tree = join(place, "tree");
  const deep = `${"long-directory-name/".repeat(6)}`;
  mkdirSync(join(tree, deep), { recursive: true });
  writeFileSync(join(tree, deep, "file"), "content");
  writeFileSync(join(tree, "other"), "x".repeat(1000));
  symlinkSync(deep, join(tree, "link"));
  const seen = new Set<string>();
  for (const format of ["gnu", "oldgnu", "pax", "posix"]) {
    const path = join(place, format);
    const options = ["--sort=name", "--mtime=@1700000000", "--owner=7", "--group=8"];
    execFileSync("tar", [...options, `--format=${format}`, "-C", tree, "-cf", path, "."]);
    const bytes = await readFile(path);
    const found = (await entriesOf(path)).map((entry) => ({
      ...entry,
      offset: 0,
      xattrs: [...entry.xattrs],
      content: bytes.toString("latin1", entry.offset, entry.offset + entry.size),
    }));
    seen.add(JSON.stringify(found));
    const file = found.find((entry) => entry.path === `./${deep}file`);
    assert.deepEqual(
      [file?.content, file?.uid, file?.gid, file?.mtime],
      ["content", 7, 8, 1_700_000_000],
    );
    assert.equal(found.find((entry) => entry.path === "./link")?.target, deep);
  }
  assert.equal(seen.size, 1);
  // The old format has no room for such names but the prefix.
  const ustar = join(place, "ustar");
  execFileSync("tar", ["--format=ustar", "-C", tree, "-cf", ustar, "--exclude=link", "."]);
  assert.ok((await entriesOf(ustar)).some(({ path }) => path === `./${deep}file`));
});

test("large numbers, sparse files and what no archive has", async (t) => {
  const place = await useTemporaryDirectory(t);
  const path = join(place, "x");
  const layer = craftLayer([{ path: "x", content: "abc" }]);
  const withField = (at: number, bytes: readonly number[]): Buffer => {
    const copy = Buffer.from(layer);
    Buffer.from(bytes).copy(copy, at);
    copy.fill(0x20, 148, 156);
    const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return copy;
  };
  await writeFile(path, withField(108, [0x80, 0, 0, 0, 0x80, 0, 0, 1]));
  assert.equal((await entriesOf(path))[0]?.uid, 0x8000_0001);
  for (const [bytes, refusal] of [
    [withField(156, [0x53]), { code: "UNSUPPORTED" }],
    [
      withField(108, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      { message: /-1 is not the number of a user/ },
    ],
    [
      withField(124, [0x80, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0]),
      { message: /too large|ends within/ },
    ],
    [withField(124, [0x39]), { message: /not octal/ }],
    [layer.subarray(0, 514), { message: /cut off|ends within/ }],
    [Buffer.concat([layer.subarray(0, 200), layer]), { message: /checksum/ }],
  ] as const) {
    await writeFile(path, bytes);
    await assert.rejects(entriesOf(path), refusal);
  }
  await writeFile(path, "");
  assert.deepEqual(await entriesOf(path), []);
});

test("whatever bytes come, reading ends with entries or a clear error", async (t) => {
  const path = join(await useTemporaryDirectory(t), "x");
  const good = craftLayer([
    { path: `${"d/".repeat(80)}x`, content: "some content", xattrs: new Map([["user.a", "b"]]) },
    { path: "l", type: "symlink", target: "t".repeat(150) },
    { path: "h", type: "link", target: "l" },
  ]);
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 });
  // One that keeps the sums right gets further.
  const repaired = (bytes: Buffer): Buffer => {
    for (let at = 0; at + 512 <= bytes.length; at += 512) {
      if (bytes.toString("latin1", at + 257, at + 262) !== "ustar") continue;
      bytes.fill(0x20, at + 148, at + 156);
      const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
      bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
    }
    return bytes;
  };
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(good.length), async (edits, length) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of edits) bytes[at] = value;
      await writeFile(path, repaired(bytes).subarray(0, length === 0 ? undefined : length + 512));
      try {
        for (const { size, offset, path: name } of await entriesOf(path)) {
          assert.ok(size >= 0 && offset + size <= good.length && !name.includes("\0"));
        }
      } catch (error) {
        assert.ok(isVirgaError(error), String(error));
      }
    }),
    { numRuns: 300 },
  );
});
