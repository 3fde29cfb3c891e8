import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@virga/vm";
import { guardProgress } from "./progress.ts";

test("what onProgress throws is logged, and the next message is told all the same", () => {
  const told: string[] = [];
  const logged: unknown[] = [];
  const guarded = guardProgress(
    (message) => {
      told.push(message);
      throw new Error("mine");
    },
    { ...silentLogger, warn: (fields: unknown) => void logged.push(fields) },
  );
  guarded("one");
  guarded("two");
  assert.deepEqual(told, ["one", "two"]);
  assert.deepEqual(logged, [{ error: new Error("mine") }, { error: new Error("mine") }]);
  guardProgress()("nobody listens");
});
