import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "./errors.ts";
import { TaskQueue } from "./task-queue.ts";

test("tasks run one after the other, whatever becomes of them", async () => {
  const queue = new TaskQueue();
  const seen: string[] = [];
  const task = (name: string, fails: boolean) => async (): Promise<string> => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
    if (fails) throw new Error(name);
    return name;
  };
  const results = await Promise.allSettled([
    queue.run("a", undefined, task("a", false)),
    queue.run("b", undefined, task("b", true)),
    queue.run("c", undefined, task("c", false)),
  ]);
  assert.deepEqual(seen, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("an abort while a task waits rejects it at once, and the next one keeps its place", async () => {
  const queue = new TaskQueue();
  const first = Promise.withResolvers<string>();
  const seen: string[] = [];
  const running = queue.run("first", undefined, () => first.promise);
  const abort = new AbortController();
  const waiting = queue.run("second", abort.signal, async () => void seen.push("second"));
  const next = queue.run("third", undefined, async () => void seen.push("third"));
  abort.abort(new Error("no more"));
  await assert.rejects(waiting, (error: unknown) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "ABORTED");
    return true;
  });
  assert.deepEqual(seen, []);
  first.resolve("done");
  assert.equal(await running, "done");
  await next;
  assert.deepEqual(seen, ["third"]);
});
