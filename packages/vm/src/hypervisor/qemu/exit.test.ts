import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { vmLayout } from "../../directory.ts";
import type { ExitReason } from "../../exit-reason.ts";
import type { VmContext } from "../port.ts";
import { explainQemuExit } from "./exit.ts";

const RUN = "runstate_set current_run_state 6 (prelaunch) new_state 9 (running)\n";
const STOP = "runstate_set current_run_state 9 (running) new_state 11 (shutdown)\n";
const PAUSED = "runstate_set current_run_state 9 (running) new_state 4 (paused)\n";
const TERM = "qemu-system-x86_64: terminating on signal 15 from pid 31380 (node)\n";
const cause = (number: number): string => `qemu_system_shutdown_request reason=${number}\n`;

type Case = readonly [
  what: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  log: string,
  reason: ExitReason["reason"],
];

// The logs are those of QEMU 7.2.22.
const CASES: readonly Case[] = [
  ["power-off", 0, null, RUN + cause(6) + STOP, "guest-poweroff"],
  ["panic", 1, null, RUN + cause(8) + STOP, "guest-panic"],
  ["reboot", 0, null, RUN + STOP, "guest-reboot"],
  ["quit", 0, null, RUN + cause(2) + STOP, "requested"],
  ["quit while paused", 0, null, RUN + PAUSED + cause(2), "requested"],
  ["SIGTERM", 0, null, RUN + TERM + STOP, "killed"],
  ["SIGTERM while paused", 0, null, RUN + PAUSED + TERM, "killed"],
  ["SIGKILL", null, "SIGKILL", RUN, "killed"],
  ["crash", null, "SIGABRT", `${RUN}qemu: Assertion failed\n`, "vmm-crash"],
  ["crash after a power-off", null, "SIGSEGV", RUN + cause(6) + STOP, "vmm-crash"],
  ["refused start", 1, null, "qemu-system-x86_64: -m x: bad\n", "vmm-crash"],
  ["power-off that another process saw", null, null, RUN + cause(6) + STOP, "guest-poweroff"],
  ["reboot that another process saw", null, null, RUN + STOP, "guest-reboot"],
  ["a log that does not tell", null, null, RUN, "unknown"],
  ["no log", null, null, "", "unknown"],
  ["a host error", 1, null, RUN + cause(1) + STOP, "vmm-crash"],
  [
    "text of the guest's that looks like ours",
    0,
    null,
    `xx ${cause(6)}${RUN}${STOP}`,
    "guest-reboot",
  ],
];

async function contextIn(directory: string): Promise<VmContext> {
  const layout = vmLayout(directory, "api.sock", false);
  await mkdir(layout.host.directory, { recursive: true });
  return { layout } as VmContext;
}

for (const [what, code, signal, logTail, reason] of CASES) {
  test(`${what} is ${reason}`, async (context) => {
    const vm = await contextIn(await useTemporaryDirectory(context));
    const evidence = { code, signal, logTail, requested: false };
    assert.deepEqual(await explainQemuExit(vm, evidence), {
      reason,
      logTail,
      ...(code !== null && { code }),
      ...(signal !== null && { signal }),
    });
  });
}

test("an end that was asked for is that, whatever it looks like", async (context) => {
  const vm = await contextIn(await useTemporaryDirectory(context));
  const evidence = { code: null, signal: "SIGKILL", logTail: RUN, requested: true } as const;
  assert.equal((await explainQemuExit(vm, evidence)).reason, "requested");
});

test("a panic without the panic device is told by the console", async (context) => {
  const directory = await useTemporaryDirectory(context);
  const vm = await contextIn(directory);
  const console = join(vm.layout.host.directory, "console.log");
  const evidence = { code: 0, signal: null, logTail: RUN + STOP, requested: false };
  await writeFile(console, `${"x".repeat(200_000)}\n[ 1.0] Kernel panic - not syncing: no init\n`);
  assert.equal((await explainQemuExit(vm, evidence)).reason, "guest-panic");
  await writeFile(console, `Kernel panic - not syncing: long ago\n${"x".repeat(200_000)}\n`);
  assert.equal((await explainQemuExit(vm, evidence)).reason, "guest-reboot");
});
