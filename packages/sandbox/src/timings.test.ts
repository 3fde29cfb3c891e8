import assert from "node:assert/strict";
import { test } from "node:test";
import { Timings } from "./timings.ts";

test("steps are noted in order, failed ones too, and add up", async () => {
  const timings = new Timings();
  assert.equal(await timings.measure("first", () => 7), 7);
  await assert.rejects(
    timings.measure("second", () => Promise.reject(new Error("x"))),
    /^Error: x$/,
  );
  timings.add("third", 1.23456);
  timings.add("third", 1);
  const json = timings.toJSON();
  assert.deepEqual(Object.keys(json), ["first", "second", "third"]);
  assert.equal(json["third"], 2.235);
});
