import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonValues } from "./json-values.ts";

async function* linesOf(...lines: string[]): AsyncGenerator<string> {
  yield* lines;
}

test("each line is a value, and an empty one is none", async () => {
  const values: unknown[] = [];
  for await (const value of jsonValues(["log"], linesOf('{"a":1}', "", " ", "null", " 2"))) {
    values.push(value);
  }
  assert.deepEqual(values, [{ a: 1 }, null, 2]);
});

test("a line that is not JSON is told by its number and its begin, and ends the lines", async () => {
  let isEnded = false;
  async function* lines(): AsyncGenerator<string> {
    try {
      yield* ["1", "", "x".repeat(200), "2"];
    } finally {
      isEnded = true;
    }
  }
  const values = jsonValues(["log", "-f"], lines());
  assert.equal((await values.next()).value, 1);
  await assert.rejects(values.next(), {
    code: "OUTPUT_INVALID",
    message: `Line 3 of what log wrote is not JSON: "${"x".repeat(80)}"`,
  });
  assert.equal(isEnded, true);
});
