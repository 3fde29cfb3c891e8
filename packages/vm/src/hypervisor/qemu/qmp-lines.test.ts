import assert from "node:assert/strict";
import { test } from "node:test";
import { QmpLines } from "./qmp-lines.ts";

const MIB = 2 ** 20;

test("lines are found whatever the pieces", () => {
  const text = '{"QMP": {}}\r\n{"return": "\u00e9"}\n\nlast\n';
  const bytes = Buffer.from(text);
  const expected = ['{"QMP": {}}\r', '{"return": "\u00e9"}', "", "last"];
  for (const size of [1, 2, 5, bytes.length]) {
    const lines = new QmpLines();
    const found: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size)
      found.push(...lines.push(bytes.subarray(at, at + size)));
    assert.deepEqual(found, expected, `pieces of ${size}`);
  }
});

test("a line that is too long is given up, ended or not", () => {
  const problem = `a line is longer than ${MIB} bytes`;
  const begin = "x".repeat(1024);
  const whole = new QmpLines();
  const found = [...whole.push(Buffer.from(`short\n${"x".repeat(MIB + 1)}\nlate\n`))];
  assert.deepEqual(found, ["short", { begin, problem }]);
  const endless = new QmpLines();
  assert.deepEqual([...endless.push(Buffer.alloc(MIB, "x"))], []);
  assert.deepEqual([...endless.push(Buffer.from("x"))], [{ begin, problem }]);
});
