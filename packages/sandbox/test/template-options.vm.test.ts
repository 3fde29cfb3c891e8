import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { patientMs, qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox } from "@virga/sandbox";
import type { Host } from "@virga/sandbox";
import { checkNoVm, testHost } from "./test-host.ts";

const qemu = { hypervisor: "qemu", memoryMib: 192 } as const;

async function say(sandbox: Sandbox, script: string): Promise<string> {
  return (await sandbox.run(["sh", "-c", script])).stdout.trim();
}

/** Memory that nothing in the guest uses: what its balloon holds is none of it. */
async function freeKib(sandbox: Sandbox): Promise<number> {
  return (await sandbox.stats()).memoryFreeKib;
}

/** Waits until the balloon has given or taken enough. What the guest needs for itself meanwhile makes it some MiB more or less. */
async function freeReaches(sandbox: Sandbox, isEnough: (kib: number) => boolean): Promise<void> {
  const deadline = performance.now() + patientMs(120_000);
  for (let kib = await freeKib(sandbox); !isEnough(kib); kib = await freeKib(sandbox)) {
    assert.ok(performance.now() < deadline, `the guest's free memory stays at ${kib} KiB`);
    await sleep(20);
  }
}

async function templates(host: Host): Promise<number> {
  return (await readdir(host.home.templates)).filter((name) => !name.endsWith(".lock")).length;
}

describe("options that are part of a template, on QEMU", { skip: qemuMissing() }, () => {
  test("with a balloon a sandbox gives memory back, and has its own; without one it says why not", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      await using one = await Sandbox.create({ ...qemu, host, balloon: true });
      await using two = await Sandbox.create({ ...qemu, host, balloon: true });
      const info = await one.info();
      assert.deepEqual([info.balloon, info.restoreMode], [true, "copy"]);
      assert.match(info.restoreReason ?? "", /balloon/);
      const before = await freeKib(one);
      await say(two, "head -c 1000000 /dev/urandom > /tmp/a; md5sum /tmp/a > /tmp/sum");
      await one.updateBalloon(64);
      await freeReaches(one, (kib) => kib <= before - 50 * 1024);
      assert.equal(await say(two, "md5sum -c /tmp/sum"), "/tmp/a: OK");
      await one.suspend();
      await one.resume();
      assert.equal((await one.info()).restoreMode, "copy");
      await one.updateBalloon(0);
      await freeReaches(one, (kib) => kib >= before - 20 * 1024);
      await assert.rejects(one.updateBalloon(192), { code: "INVALID_ARGUMENT" });
      await using plain = await Sandbox.create({ ...qemu, host, name: "plain" });
      await assert.rejects(plain.updateBalloon(64), {
        code: "UNSUPPORTED",
        message: /sandbox "plain": it was made without a balloon/,
      });
      assert.equal(await templates(host), 2);
    }));

  test("a warm-up runs once, and is there in every clone; what it leaves is named", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      const shape = { ...qemu, host };
      const create = (script: string, warmKeep = false): Promise<Sandbox> =>
        Sandbox.create({ ...shape, warm: ["sh", "-c", script], warmKeep });
      {
        const script = "echo once >> /tmp/warm";
        await using one = await create(script);
        await using two = await create(script);
        for (const each of [one, two]) assert.equal(await say(each, "cat /tmp/warm"), "once");
        await using without = await Sandbox.create(shape);
        assert.equal(await say(without, "cat /tmp/warm 2>/dev/null || echo none"), "none");
        assert.equal(await templates(host), 2);
      }
      const leaving = "sleep 600 > /dev/null 2>&1 & echo $! > /tmp/pid";
      await assert.rejects(create(leaving), {
        code: "INVALID_CONFIG",
        message: /warm-up command sh leaves processes: \d+ \(sleep\)$/,
      });
      await assert.rejects(create("exit 3"), { code: "COMMAND_FAILED" });
      assert.equal(await templates(host), 2, "nothing is left of a template that failed");
      {
        await using kept = await create(leaving, true);
        assert.match(await say(kept, "cat /proc/$(cat /tmp/pid)/comm"), /^sleep$/);
      }
      await checkNoVm(host.home);
    }));
});
