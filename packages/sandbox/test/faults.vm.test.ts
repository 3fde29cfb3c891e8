import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { identifyProcess } from "@virga/vm";
import { killedVmmEndsAll } from "./killed-vmm.ts";
import { checkNoVm, testHost } from "./test-host.ts";
import { feedSlowReader } from "./slow-reader.ts";

const qemu = { hypervisor: "qemu", memoryMib: 256 } as const;

/** A process that has said something when this resolves. */
async function startScript(sandbox: Sandbox, script: string, signal?: AbortSignal) {
  const child = await sandbox.spawn(["sh", "-c", script], {
    stdin: true,
    ...(signal && { signal }),
  }).started;
  await once(child.stdout, "data");
  return child;
}

/** How many processes of the guest have exactly this command line. */
async function countOf(sandbox: Sandbox, line: string): Promise<number> {
  const { stdout } = await sandbox.run(["ps", "-o", "args"]);
  return stdout.split("\n").filter((one) => one.trim() === line).length;
}

describe("what goes wrong around a sandbox on QEMU", { skip: qemuMissing() }, () => {
  test("commands that are given up, hold still or read slowly disturb nobody", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      await using sandbox = await Sandbox.create({ ...qemu, host });
      const file = join(place.scratch, "file");
      await writeFile(file, "content");
      await abortEndsTheProcess(sandbox);
      await copiesBesideRunningCommands(sandbox, file);
      await inputThatNobodyTakes(sandbox, file);
      await feedSlowReader(sandbox, { bytes: 100_000_000, readerPauseMs: 20 });
      await sandbox.destroy();
      await checkNoVm(host.home);
    }));

  test("a VMM that is killed ends the running command and the next ones at once", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      await using sandbox = await Sandbox.create({ ...qemu, host });
      await killedVmmEndsAll(sandbox);
      await sandbox.destroy();
      await checkNoVm(host.home);
    }));

  test("a VMM that stands still is destroyed all the same, and its commands end", (t) =>
    withLeakCheck(t, (place) => testHost(place).then(stoppedVmm)));
});

/** The process is gone with its children, and what comes next works. */
async function abortEndsTheProcess(sandbox: Sandbox): Promise<void> {
  const controller = new AbortController();
  const script = "sleep 4321 & echo started; sleep 4321";
  const child = await startScript(sandbox, script, controller.signal);
  assert.equal(await countOf(sandbox, "sleep 4321"), 2);
  const aborted = assert.rejects(child.exited, { code: "ABORTED" });
  controller.abort();
  await aborted;
  while ((await countOf(sandbox, "sleep 4321")) > 0) await sleep(10);
}

/** A copy into the guest waits for no command that runs. */
async function copiesBesideRunningCommands(sandbox: Sandbox, file: string): Promise<void> {
  const child = await startScript(sandbox, "echo started; read line; echo $line");
  await sandbox.copyIn(file, "/tmp/beside");
  assert.equal((await sandbox.run(["cat", "/tmp/beside"])).stdout, "content");
  assert.equal(await countOf(sandbox, "sh -c echo started; read line; echo $line"), 1);
  child.stdin.end("done\n");
  assert.equal((await child.exited).code, 0);
}

/** More input than fits anywhere, to a command that takes none: it is held up, and given up it leaves nothing behind. */
async function inputThatNobodyTakes(sandbox: Sandbox, file: string): Promise<void> {
  const piece = Buffer.alloc(65_536);
  let given = 0;
  const stdin = Readable.from(
    (function* () {
      for (; given < 1_000_000_000; given += piece.length) yield piece;
    })(),
  );
  const late = await sandbox.run(["sleep", "4322"], { stdin, timeoutMs: 1_000, reject: false });
  assert.equal(late.timedOut, true);
  assert.ok(given < 2_000_000, `${given} bytes were taken for a command that reads nothing`);
  assert.equal(await countOf(sandbox, "sleep 4322"), 0);
  await sandbox.copyIn(file, "/tmp/after");
  assert.equal((await sandbox.run(["cat", "/tmp/after"])).stdout, "content");
}

async function stoppedVmm(host: Host): Promise<void> {
  const sandbox = await Sandbox.create({ ...qemu, host });
  const { pid } = sandbox.vm;
  const running = await startScript(sandbox, "echo started; exec sleep 600");
  process.kill(pid, "SIGSTOP");
  const ends = Promise.all([assert.rejects(running.exited), assert.rejects(sandbox.run(["true"]))]);
  await sandbox.destroy();
  assert.equal(identifyProcess(pid), undefined);
  await ends;
  await checkNoVm(host.home);
}
