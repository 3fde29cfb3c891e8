import assert from "node:assert/strict";
import test from "node:test";
import { silentLogger } from "./logger.ts";
import { UndoStack } from "./undo.ts";

test("removals run in reverse, and a failing one does not stop the others", async () => {
  const ran: string[] = [];
  const failed: unknown[] = [];
  const undo = new UndoStack();
  undo.add("first", () => void ran.push("first"));
  undo.add("broken", () => Promise.reject(new Error("no")));
  undo.add("last", () => void ran.push("last"));
  await undo.unwind({ ...silentLogger, error: (fields) => void failed.push(fields["undo"]) });
  assert.deepEqual(ran, ["last", "first"]);
  assert.deepEqual(failed, ["broken"]);
  await undo.unwind(silentLogger);
  assert.equal(ran.length, 2);
});

test("a released stack removes nothing", async () => {
  const undo = new UndoStack();
  undo.add("x", () => assert.fail("ran"));
  undo.release();
  await undo.unwind(silentLogger);
});
