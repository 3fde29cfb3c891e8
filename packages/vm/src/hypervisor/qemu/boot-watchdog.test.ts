import assert from "node:assert/strict";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { startFakeQmp, useTemporaryDirectory } from "@virga/testkit";
import { vmLayout } from "../../directory.ts";
import { isVirgaError } from "../../errors.ts";
import type { VmContext } from "../port.ts";
import { watchBoot } from "./boot-watchdog.ts";

// Taken from a guest that hung.
const HUNG = `[    0.000000] tsc: Unable to calibrate against PIT\r
[    0.000000] tsc: No reference (HPET/PMTIMER) available\r
[    0.000000] tsc: Marking TSC unstable due to could not calculate TSC khz\r
`;

interface Guest {
  readonly vm: VmContext;
  /** How often it was looked at. */
  readonly looks: () => number;
}

async function useGuest(
  context: TestContext,
  chardevs: (looks: number) => unknown,
): Promise<Guest> {
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await mkdir(layout.host.directory, { recursive: true });
  let looks = 0;
  const fake = await startFakeQmp(layout.host.qmpReads, { handler: () => chardevs(++looks) });
  context.after(() => fake[Symbol.asyncDispose]());
  return { vm: { layout } as VmContext, looks: () => looks };
}

const closed = [
  { label: "qmp0", "frontend-open": true },
  { label: "port0", "frontend-open": false },
];
const opened = [...closed, { label: "port15", "frontend-open": true }];

test("a guest that opens a port is alive", async (context) => {
  const { vm, looks } = await useGuest(context, (count) => (count > 2 ? opened : closed));
  await writeFile(vm.layout.host.console, HUNG);
  assert.equal(await watchBoot(vm, { signal: new AbortController().signal }), "alive");
  assert.equal(looks(), 3);
});

for (const text of [HUNG, "x\n[    0.000000] Calibrating delay loop... "]) {
  test(`silence after ${JSON.stringify(text.slice(-24))} is a hang`, async (context) => {
    const { vm } = await useGuest(context, () => closed);
    await writeFile(vm.layout.host.console, text);
    const { signal } = new AbortController();
    assert.equal(await watchBoot(vm, { stallMs: 150, signal }), "hung");
  });
}

test("silence elsewhere, or a console that goes on, is no hang", async (context) => {
  for (const later of ["", "Calibrating delay loop (skipped)\n"]) {
    const controller = new AbortController();
    const { vm } = await useGuest(context, (count) => {
      if (count === 5) controller.abort(new Error("enough"));
      return closed;
    });
    await writeFile(vm.layout.host.console, `${HUNG}[    0.1] Freeing SMP alternatives memory\n`);
    await appendFile(vm.layout.host.console, later);
    await assert.rejects(
      watchBoot(vm, { stallMs: 0, signal: controller.signal }),
      (error) => isVirgaError(error) && error.code === "ABORTED",
    );
  }
});

test("a QEMU that ends, or says nonsense, ends the watch", async (context) => {
  const { signal } = new AbortController();
  const { vm } = await useGuest(context, () => ({ no: "list" }));
  await assert.rejects(
    watchBoot(vm, { signal }),
    (error) => isVirgaError(error) && error.code === "HYPERVISOR_PROTOCOL",
  );
  const layout = vmLayout(await useTemporaryDirectory(context), "api.sock", false);
  await assert.rejects(
    watchBoot({ layout } as VmContext, { signal }),
    (error) => isVirgaError(error) && error.code === "HYPERVISOR_EXITED",
  );
});
