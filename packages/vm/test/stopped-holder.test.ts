import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { rejectsWithCode } from "@virga/testkit";
import type { VirgaError } from "../src/errors.ts";
import { identifyProcess } from "../src/launch/process-identity.ts";
import { testOnFakes } from "./with-fake.ts";

const lockModule = new URL("../src/lock.ts", import.meta.url).href;

/** Holds the lock file named by its argument until it is killed. */
const holder = `
import { tryLock } from ${JSON.stringify(lockModule)};
if (tryLock(process.argv[1]) === undefined) throw new Error("somebody else holds it");
console.log("held");
setInterval(() => undefined, 60_000);
`;

function holderIn({ details }: VirgaError): unknown {
  const { pid, command } = details["holder"] as { pid: number; command: string };
  assert.match(command, /^node/u);
  return pid;
}

testOnFakes("a process that stands still with a VM's lock hangs nobody", {}, async (bench) => {
  const { boot, manager } = bench;
  const vm = await boot("vm", { timeouts: { longCallMs: 300, lockMs: 300 } });
  const { vmDirectory } = vm.config;
  const options = ["--conditions=virga-source", "--no-warnings", "--input-type=module"];
  const child = spawn(
    process.execPath,
    [...options, "--eval", holder, join(vmDirectory, "lock.db")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "exit");
  try {
    await once(child.stdout, "data");
    child.kill("SIGSTOP");
    const held = new RegExp(`held for 300 ms by process ${child.pid} \\(node`);
    const busy = await rejectsWithCode(manager.pause("vm"), "VM_BUSY", held);
    assert.equal(holderIn(busy), child.pid);
    assert.equal(vm.state, "running");
    const error = await rejectsWithCode(vm.destroy(), "DESTROY_FAILED", held);
    assert.match(error.hint ?? "", new RegExp(`End process ${child.pid} .*stopped`));
    assert.equal(holderIn(error), child.pid);
    // What runs has ended all the same; what it lay in stays listed until the lock is free.
    assert.equal(identifyProcess(vm.pid), undefined);
    assert.deepEqual([vm.state, manager.list()], ["failed", [vm]]);
    assert.ok(existsSync(vmDirectory));
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
  await vm.destroy();
  assert.equal(existsSync(vmDirectory), false);
});
