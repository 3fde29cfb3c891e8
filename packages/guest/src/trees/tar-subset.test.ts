import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { guestError } from "../../test/error-matchers.ts";
import { tarBlock, tarEnd, tarPadding } from "../write-tar-header.ts";
import { maxPaxLength, readTarHeader, type TarEntry, tarHeader, withPax } from "./tar-subset.ts";

/** Reads the header of one entry, with the pax header before it. */
function read(bytes: Buffer): TarEntry {
  const first = readTarHeader(bytes.subarray(0, tarBlock));
  if (first.type !== "pax") return withPax({ ...first, type: first.type }, Buffer.alloc(0));
  assert.ok(first.size <= maxPaxLength);
  const pax = bytes.subarray(tarBlock, tarBlock + first.size);
  const second = readTarHeader(bytes.subarray(tarBlock + first.size + tarPadding(first.size)));
  assert.notEqual(second.type, "pax");
  return withPax({ ...second, type: second.type as TarEntry["type"] }, pax);
}

const name = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 4_095 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

test("every entry comes back as it was written", () => {
  fc.assert(
    fc.property(
      name,
      name,
      fc.integer({ min: 0, max: 0o7777 }),
      fc.maxSafeNat(),
      fc.integer({ min: 0, max: 2 ** 32 }),
      fc.constantFrom("file" as const, "directory" as const, "link" as const),
      (path, target, mode, length, mtime, type) => {
        const size = type === "file" ? length : 0;
        const entry = {
          type,
          name: path,
          target: type === "link" ? target : "",
          mode,
          size,
          mtime,
        };
        assert.deepEqual(read(tarHeader(entry)), entry);
      },
    ),
    { seed: 7, numRuns: 300, endOnFailure: true },
  );
});

test("other programs read what is written", () => {
  const content = Buffer.from("content");
  const long = `d/${"n".repeat(200)}`;
  const plain = { mode: 0o640, size: 0, mtime: 5, target: "" };
  const archive = Buffer.concat([
    tarHeader({ ...plain, type: "directory", name: "d/" }),
    tarHeader({ ...plain, type: "file", name: long, size: content.length }),
    content,
    Buffer.alloc(tarPadding(content.length)),
    tarHeader({ ...plain, type: "link", name: "l", target: "t".repeat(150) }),
    tarEnd,
  ]);
  const { stdout, status } = spawnSync("tar", ["-tv", "--utc", "-f", "-"], { input: archive });
  assert.equal(status, 0);
  const lines = stdout.toString().trim().split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[1] ?? "", new RegExp(`^-rw-r----- 0/0 +7 1970-01-01 00:00 ${long}$`));
  assert.match(lines[2] ?? "", new RegExp(` l -> ${"t".repeat(150)}$`));
});

test("a header that is none is refused", () => {
  const header = tarHeader({ type: "link", name: "a", mode: 0, size: 0, mtime: 0, target: "b" });
  const bad = guestError("GUEST_PROTOCOL", /The guest agent sent an archive with/);
  const changed = (at: number, text: string): Buffer => {
    const bytes = Buffer.from(header);
    bytes.write(text, at, "latin1");
    // The checksum is right again.
    bytes.fill(0x20, 148, 156);
    const sum = bytes.subarray(0, tarBlock).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return bytes;
  };
  assert.equal(readTarHeader(changed(0, "c")).name, "c");
  for (const bytes of [
    Buffer.from(header).fill(0x62, 0, 1),
    changed(156, "1"),
    changed(156, "S"),
    changed(156, "g"),
    changed(257, "ustar  "),
    changed(124, "00000000001"),
    changed(124, "-1"),
    changed(136, "\u0080"),
    changed(100, "0000008"),
  ]) {
    assert.throws(() => readTarHeader(bytes), bad);
  }
});

test("a pax record that is none is refused, one of another key passed over", () => {
  const entry: TarEntry = { type: "file", name: "a", mode: 0, size: 1, mtime: 0, target: "" };
  assert.deepEqual(withPax(entry, Buffer.from("12 other=1\n\n")), entry);
  for (const record of [
    "x",
    "9 path=b",
    "99 path=b\n",
    "0 path=b\n",
    "9 path=b\n1",
    "-9 path=b\n",
    "11 path=\0b\n",
    "11 size=-1\n",
    "12 size=1e3\n",
    "28 size=9007199254740993000\n",
    `4109 path=${"n".repeat(4_098)}\n`,
  ]) {
    const bad = guestError("GUEST_PROTOCOL");
    assert.throws(() => withPax(entry, Buffer.from(record)), bad, record.slice(0, 20));
  }
});
