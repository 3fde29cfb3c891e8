import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";
import { fakeHost } from "./fake-host.ts";

/** Beyond the limit of any test. */
const NEVER_MS = 60 * 60_000;

test("who only looks does not wait for the guest that a dead process left frozen", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const { binary } = fake;
    const directory = join(place.scratch, "home");
    const launcher = await testProgram("launcher");
    const host = await fakeHost({ directory, hypervisor: "qemu", binary, launcher });
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
    fake.set({});
    await (await Sandbox.connect("box", { home, guestTimeoutMs: NEVER_MS })).pause();
    await box.destroy();
  }));
