import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startFakeQmp, useTemporaryDirectory } from "@virga/testkit";
import type { FakeQmp } from "@virga/testkit";
import { vmLayout } from "../../directory.ts";
import { isVirgaError } from "../../errors.ts";
import type { VmContext } from "../port.ts";
import { GUEST_PORTS } from "./files.ts";
import { openPorts, waitForOpenPorts } from "./open-ports.ts";

const LONG = { timeoutMs: 20_000 };

async function useGuest(
  context: TestContext,
  opened: (looks: number) => unknown,
): Promise<{ readonly vm: VmContext; readonly fake: FakeQmp }> {
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await mkdir(layout.host.directory, { recursive: true });
  let looks = 0;
  const fake = await startFakeQmp(layout.host.qmpReads, { handler: () => opened(++looks) });
  context.after(() => fake[Symbol.asyncDispose]());
  return { vm: { layout, config: { sandboxId: "a1" } } as VmContext, fake };
}

/** What QEMU says when the guest has opened the first `count` ports. */
function chardevs(count: number): object[] {
  const ports = Array.from({ length: GUEST_PORTS }, (_, port) => ({
    label: `port${port}`,
    "frontend-open": port < count,
  }));
  return [{ label: "qmp0", "frontend-open": true }, ...ports, { label: "portal" }, 7] as object[];
}

test("the open ports are those of the guest channel that the guest opened", async (context) => {
  const { vm } = await useGuest(context, () => chardevs(3));
  assert.deepEqual([...(await openPorts(vm, LONG))], [0, 1, 2]);
});

test("all ports are waited for, and then never asked for again", async (context) => {
  const { vm, fake } = await useGuest(context, (looks) => chardevs(looks < 4 ? looks : 16));
  assert.equal((await waitForOpenPorts(vm, LONG)).size, GUEST_PORTS);
  assert.equal(fake.commands.length, 4);
  await waitForOpenPorts(vm, { timeoutMs: 0 });
  assert.equal(fake.commands.length, 4);
});

test("a guest that opens a few ports only is taken at its word after a while", async (context) => {
  const { vm } = await useGuest(context, () => chardevs(2));
  assert.deepEqual([...(await waitForOpenPorts(vm, LONG))], [0, 1]);
});

test("a guest that opens none is a TIMEOUT, an abort is ABORTED", async (context) => {
  const { vm } = await useGuest(context, () => chardevs(0));
  await assert.rejects(
    waitForOpenPorts(vm, { timeoutMs: 500 }),
    (error) => isVirgaError(error) && error.code === "TIMEOUT",
  );
  const controller = new AbortController();
  const waiting = waitForOpenPorts(vm, { ...LONG, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, (error) => isVirgaError(error) && error.code === "ABORTED");
});

test("nonsense is HYPERVISOR_PROTOCOL", async (context) => {
  const { vm } = await useGuest(context, () => ({ no: "list" }));
  await assert.rejects(
    waitForOpenPorts(vm, LONG),
    (error) => isVirgaError(error) && error.code === "HYPERVISOR_PROTOCOL",
  );
});
