import assert from "node:assert/strict";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { fakeHypervisor, withLeakCheck } from "@virga/testkit";
import { fakeHost } from "./fake-host.ts";
import { fakeHostOptions, onLifeStep } from "./use-fake-host.ts";

/** Until an operation has begun to settle what another one left. */
async function nextSettling(id: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = onLifeStep(({ sandbox, step, phase }) => {
    if (sandbox === id && step === "settle" && phase === "start") resolve();
  });
  await promise.finally(stop);
}

/** Beyond the limit of any test. */
const NEVER_MS = 60 * 60_000;

test("who only looks does not wait for the guest that a dead process left frozen", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const host = await fakeHost(await fakeHostOptions(place, "qemu", fake));
    const { home, catalog } = host;
    const options = { host, cold: true, memoryMib: 96, vcpus: 1 };
    const box = await Sandbox.create({ ...options, name: "box" });
    const other = await Sandbox.create({ ...options, name: "other" });
    fake.set({ deafGuest: true });
    // As a pause and a create leave it whose processes died: the guest was asked, and does not answer any more.
    catalog.sandboxes.update(box.id, { intent: { kind: "pause" }, pendingThaw: "thaw" });
    catalog.sandboxes.update(other.id, { phase: "destroying", intent: { kind: "destroy" } });
    const [listed, ...others] = await Sandbox.list({ home, guestTimeoutMs: NEVER_MS });
    assert.deepEqual([listed?.name, listed?.state, others], ["box", "running", []]);
    const seen = await Sandbox.connect("box", { home, guestTimeoutMs: NEVER_MS });
    assert.equal((await seen.info()).state, "running");
    assert.equal(catalog.sandboxes.get(box.id)?.pendingThaw, "thaw", "left to who uses it");
    // Who works on it waits for the guest, until an abort or a destroy.
    const user = await Sandbox.connect("box", { home, guestTimeoutMs: NEVER_MS });
    const abort = new AbortController();
    const settling = nextSettling(box.id);
    const given = assert.rejects(user.pause({ signal: abort.signal }), { code: "ABORTED" });
    await settling;
    abort.abort();
    await given;
    assert.equal(catalog.sandboxes.get(box.id)?.pendingThaw, "thaw", "still to be done");
    fake.set({});
    await (await Sandbox.connect("box", { home, guestTimeoutMs: NEVER_MS })).pause();
    await box.resume();
    fake.set({ deafGuest: true });
    catalog.sandboxes.update(box.id, { intent: { kind: "pause" }, pendingThaw: "thaw" });
    const resettling = nextSettling(box.id);
    const gone = assert.rejects(user.snapshot(), { code: "VM_DESTROYED" });
    await resettling;
    await box.destroy();
    await gone;
  }));
