import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { linesTo } from "./lines-to.ts";

test("lines of two sources stay whole, characters too, and an end passes on the rest", async () => {
  const stream = new PassThrough();
  const [a, b] = [linesTo(stream, "a: "), linesTo(stream, "b: ")];
  const word = Buffer.from("grün\n\nend");
  a(word.subarray(0, 3));
  b("one\ntwo");
  a(word.subarray(3));
  b("\n");
  for (const end of [a, b]) end("");
  stream.end();
  assert.equal(await text(stream), "b: one\na: grün\na: \nb: two\na: end\n");
});
