import assert from "node:assert/strict";
import { once } from "node:events";
import type { Sandbox } from "@virga/sandbox";

/** Longer than any test: who waited for it would be found out. */
const NEVER_MS = 3_600_000;

/** Kills a sandbox's hypervisor while commands run. They end at once with what happened, and so does what comes next: no deadline is waited for. */
export async function killedVmmEndsAll(sandbox: Sandbox): Promise<void> {
  const patient = { startTimeoutMs: NEVER_MS } as const;
  const script = "echo started; exec sleep 600";
  const running = await sandbox.spawn(["sh", "-c", script], patient).started;
  await once(running.stdout, "data");
  const silent = sandbox.run(["sleep", "600"], patient);
  const ends = [
    assert.rejects(running.exited, { code: "GUEST_CONNECTION_LOST" }),
    assert.rejects(silent, { code: "HYPERVISOR_EXITED", message: /sleep.*has ended \(killed\)/ }),
  ];
  process.kill(sandbox.vm.pid, "SIGKILL");
  // Before its end is known, and after.
  const next = { code: "HYPERVISOR_EXITED", message: /true.*has ended \(killed\)/ };
  ends.push(assert.rejects(sandbox.run(["true"], patient), next));
  await Promise.all(ends);
  await assert.rejects(sandbox.run(["true"], patient), next);
  await assert.rejects(sandbox.copyIn(import.meta.filename, "/x"), { code: "HYPERVISOR_EXITED" });
}
