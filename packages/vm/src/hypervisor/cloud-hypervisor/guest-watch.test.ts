import assert from "node:assert/strict";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import { makeOutputFile } from "../../output-file.ts";
import { tailEvents } from "./event-tail.ts";
import { guestEnd, watchGuestEvents } from "./guest-watch.ts";

function written(source: string, event: string): string {
  return `${JSON.stringify({ source, event, properties: null }, undefined, 2)}\n\n`;
}

/** A promise of the next call. */
function expectCall<T>(): { promise: Promise<T>; call: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, call: resolve };
}

test("what a guest's end looks like", () => {
  assert.equal(guestEnd({ source: "vm", event: "rebooting" }), "guest-reboot");
  assert.equal(guestEnd({ source: "guest", event: "panic" }), "guest-panic");
  assert.equal(guestEnd({ source: "vm", event: "panic" }), undefined);
  assert.equal(guestEnd({ source: "vmm", event: "shutdown" }), undefined);
});

test("events are reported from the beginning and as they come", async (context) => {
  const path = join(await testDirectory(context), "events.json");
  await writeFile(path, written("vmm", "starting"));
  let next = expectCall<string>();
  const stop = tailEvents(path, ({ event }) => next.call(event));
  context.after(stop);
  assert.equal(await next.promise, "starting");
  for (const event of ["booting", "booted", "paused"]) {
    next = expectCall<string>();
    await appendFile(path, written("vm", event));
    assert.equal(await next.promise, event);
  }
});

test("a hole before the events is passed over", async (context) => {
  const path = join(await testDirectory(context), "events.json");
  makeOutputFile(path, 2 ** 40);
  const next = expectCall<string>();
  const stop = tailEvents(path, ({ event }) => next.call(event));
  context.after(stop);
  await appendFile(path, written("vmm", "starting"));
  assert.equal(await next.promise, "starting");
});

test("the file may come later, and its directory too", async (context) => {
  const directory = join(await testDirectory(context), "run");
  const path = join(directory, "events.json");
  for (const exists of [false, true]) {
    const next = expectCall<string>();
    const stop = tailEvents(path, ({ event }) => next.call(event));
    if (!exists) await mkdir(directory);
    else await writeFile(join(directory, "other"), "");
    await writeFile(path, written("vmm", "starting"));
    assert.equal(await next.promise, "starting");
    stop();
  }
});

test("the guest's end is told once", async (context) => {
  const path = join(await testDirectory(context), "events.json");
  await writeFile(path, written("vm", "booted"));
  const reasons: string[] = [];
  const next = expectCall<void>();
  context.after(
    watchGuestEvents(path, (reason) => {
      reasons.push(reason);
      next.call();
    }),
  );
  await appendFile(path, written("guest", "panic") + written("vm", "rebooting"));
  await next.promise;
  const last = expectCall<void>();
  const stop = tailEvents(path, ({ event }) => {
    if (event === "end") last.call();
  });
  await appendFile(path, written("vm", "rebooting") + written("vm", "end"));
  await last.promise;
  stop();
  assert.deepEqual(reasons, ["guest-panic"]);
});

test("nothing is told after the stop", async (context) => {
  const path = join(await testDirectory(context), "events.json");
  await writeFile(path, written("vm", "rebooting"));
  const told: string[] = [];
  watchGuestEvents(path, (reason) => told.push(reason))();
  const last = expectCall<void>();
  const stop = tailEvents(path, () => last.call());
  await last.promise;
  stop();
  assert.deepEqual(told, []);
});
