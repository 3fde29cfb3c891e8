import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import type { ExitEvidence } from "../port.ts";
import { explainCloudHypervisorExit } from "./exit.ts";

const orderly = ["vm.shutdown", "vm.deleted", "vmm.shutdown"];
const guestLog = "cloud-hypervisor: 12.3s: <vmm> INFO:vmm/src/lib.rs:2096 -- VM guest exit event\n";
const askedLog = "cloud-hypervisor: 12.3s: <vmm> INFO:vmm/src/lib.rs:2080 -- VM exit event\n";

const cases: {
  name: string;
  events?: string[];
  evidence: Partial<ExitEvidence>;
  reason: string;
}[] = [
  {
    name: "asked for",
    events: ["guest.panic"],
    evidence: { requested: true, code: 0 },
    reason: "requested",
  },
  {
    name: "guest panic",
    events: ["vm.booted", "guest.panic", "vm.rebooting"],
    evidence: { signal: "SIGKILL" },
    reason: "guest-panic",
  },
  { name: "guest reboot", events: ["vm.rebooting"], evidence: { code: 1 }, reason: "guest-reboot" },
  {
    name: "guest power-off",
    events: orderly,
    evidence: { code: 0, logTail: guestLog },
    reason: "guest-poweroff",
  },
  {
    name: "power-off seen by another process",
    events: orderly,
    evidence: { logTail: guestLog },
    reason: "guest-poweroff",
  },
  {
    name: "ended in order by somebody else",
    events: orderly,
    evidence: { code: 0, logTail: askedLog },
    reason: "killed",
  },
  { name: "killed", evidence: { signal: "SIGKILL" }, reason: "killed" },
  { name: "seccomp", evidence: { signal: "SIGSYS" }, reason: "vmm-crash" },
  { name: "failed", evidence: { code: 1 }, reason: "vmm-crash" },
  {
    name: "a thread failed",
    events: orderly,
    evidence: { code: 0, logTail: `vCPU thread panicked\n${askedLog}` },
    reason: "vmm-crash",
  },
  {
    name: "demand paging failed",
    events: orderly,
    evidence: { code: 0, logTail: `UFFD handler exited with error: EIO\n${askedLog}` },
    reason: "vmm-crash",
  },
  {
    name: "demand paging ended in order",
    events: orderly,
    evidence: { code: 0, logTail: `${guestLog}UFFD handler: received stop event, exiting\n` },
    reason: "guest-poweroff",
  },
  { name: "nothing is known", evidence: {}, reason: "unknown" },
  {
    name: "in order, and the log does not tell",
    events: orderly,
    evidence: { code: 0 },
    reason: "unknown",
  },
];

for (const { name, events, evidence, reason } of cases) {
  test(name, async (context) => {
    const path = join(await testDirectory(context), "events.json");
    if (events !== undefined) {
      const texts = events.map((entry) => {
        const [source, event] = entry.split(".");
        return `${JSON.stringify({ timestamp: { secs: 0 }, source, event, properties: null }, undefined, 2)}\n\n`;
      });
      await writeFile(path, texts.join(""));
    }
    const whole = { code: null, signal: null, logTail: "", requested: false, ...evidence };
    assert.deepEqual(await explainCloudHypervisorExit(path, whole), {
      reason,
      logTail: whole.logTail,
      ...(whole.code !== null && { code: whole.code }),
      ...(whole.signal !== null && { signal: whole.signal }),
    });
  });
}

test("only the end of a huge event file is read", async (context) => {
  const path = join(await testDirectory(context), "events.json");
  const filler = `${JSON.stringify({ source: "virtio-device", event: "reset" }, undefined, 2)}\n\n`;
  const last = `${JSON.stringify({ source: "vm", event: "rebooting" }, undefined, 2)}\n\n`;
  await writeFile(path, filler.repeat(40_000) + last);
  const { reason } = await explainCloudHypervisorExit(path, {
    code: 0,
    signal: null,
    logTail: "",
    requested: false,
  });
  assert.equal(reason, "guest-reboot");
});
