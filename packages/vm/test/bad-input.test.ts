import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { rejectsWithCode } from "@virga/testkit";
import type { ConfigProblem } from "../src/config/problem.ts";
import type { VmConfig } from "../src/config/vm-config.ts";
import type { VirgaErrorCode } from "../src/errors.ts";
import { assertNothing, drivers, withFake, type FakeBench } from "./with-fake.ts";

const [driver] = drivers;
assert.ok(driver !== undefined);

/** Nothing was started and nothing was made. */
function assertUntouched(bench: FakeBench): void {
  assertNothing(bench);
  assert.deepEqual(bench.fake.calls(), []);
}

test("ids that are no ids are refused, and never become a path", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const { manager } = bench;
    const ids = [
      "",
      "a/b",
      "..",
      "../x",
      "a\0b",
      "a\nb",
      "-a",
      "A",
      "é",
      "a".repeat(64),
      "a".repeat(300),
    ];
    for (const id of ids) {
      const config = { ...bench.config("fine"), sandboxId: id };
      await rejectsWithCode(manager.create(config), "INVALID_CONFIG", /sandboxId/);
      await rejectsWithCode(manager.pause(id), "VM_NOT_FOUND");
      await rejectsWithCode(manager.destroy(id), "VM_NOT_FOUND");
      assert.equal(manager.get(id), undefined);
    }
    assertUntouched(bench);
  });
});

test("every problem of a configuration is reported at once, with path, value and what is allowed", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const wrong: Partial<VmConfig>[] = [
      { memoryMib: 0 },
      { memoryMib: -512 },
      { memoryMib: 0.5 },
      { memoryMib: 2 ** 53 },
      { memoryMib: Number.NaN },
      { vcpus: 0 },
      { vcpus: 10_000 },
      { vcpus: 1.5 },
      { kernelArguments: ["two words"] },
      { kernelArguments: ["a\nb"] },
      { socketPath: "../api.sock" },
      { initPath: "bin/sh" },
      { timeouts: { callMs: 0 } },
      { network: { mac: "no mac" }, networkNamespace: "x" },
      { network: { mac: "ff:ff:ff:ff:ff:ff" }, networkNamespace: "x" },
      { disks: [{ id: "rootfs", path: "/x" }] },
      { disks: [{ id: "a/b", path: "/x" }] },
    ];
    for (const more of wrong) {
      const error = await rejectsWithCode(bench.boot("vm", more), "INVALID_CONFIG");
      const [field = ""] = Object.keys(more);
      assert.match(error.message, new RegExp(field), JSON.stringify(more));
    }
    const all = await rejectsWithCode(
      bench.boot("vm", { memoryMib: 0, vcpus: 0, kernel: "relative" }),
      "INVALID_CONFIG",
    );
    for (const field of ["memoryMib", "vcpus", "kernel"])
      assert.match(all.message, new RegExp(field));
    // Also what this machine has, and what fits into it.
    const vmDirectory = `/${"d".repeat(120)}`;
    const here = await rejectsWithCode(
      bench.boot("vm", { memoryMib: 2 ** 24, vcpus: 0, vmDirectory }),
      "INVALID_CONFIG",
    );
    assert.deepEqual(
      (here.details["problems"] as ConfigProblem[]).map(({ path }) => path),
      ["vcpus", "memoryMib", "vmDirectory"],
    );
    const unknown = { ...bench.config("vm"), memory: 512 } as VmConfig;
    await rejectsWithCode(bench.manager.create(unknown), "INVALID_CONFIG", /memory/);
    assertUntouched(bench);
  });
});

test("what is of the wrong kind is refused as any other value", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const { manager, config, place } = bench;
    const disk = { id: "data", path: "/x" };
    const wrong: [Record<string, unknown>, string][] = [
      [{ disks: "x" }, "disks"],
      [{ disks: {} }, "disks"],
      [{ disks: [disk, null] }, "disks[1]"],
      [{ kernelArguments: "quiet" }, "kernelArguments"],
      [{ networkNamespace: 5 }, "networkNamespace"],
      [{ network: null }, "network"],
      [{ network: "x" }, "network"],
      [{ rootfs: null }, "rootfs"],
      [{ rootfs: "/x" }, "rootfs"],
      [{ timeouts: null }, "timeouts"],
    ];
    const absent = join(place.scratch, "absent");
    for (const [more, path] of wrong) {
      const bad = { ...config("vm"), ...more } as VmConfig;
      for (const call of [manager.create(bad), manager.createFromSnapshot(bad, absent)]) {
        const error = await rejectsWithCode(call, "INVALID_CONFIG");
        const problems = error.details["problems"] as ConfigProblem[];
        assert.deepEqual(
          problems.map((problem) => problem.path),
          [path],
          JSON.stringify(more),
        );
      }
    }
    for (const none of [undefined, null, "vm", []]) {
      const bad = none as unknown as VmConfig;
      await rejectsWithCode(manager.create(bad), "INVALID_CONFIG", /config is .*an object/);
      const clone = manager.createFromSnapshot(bad, absent);
      await rejectsWithCode(clone, "INVALID_CONFIG", /config is .*an object/);
    }
    const nowhere = undefined as unknown as string;
    const clone = manager.createFromSnapshot(config("vm"), nowhere);
    await rejectsWithCode(clone, "INVALID_CONFIG", /snapshotDirectory is missing/);
    assertUntouched(bench);
  });
});

test("more than the machine has is refused before anything is started", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const memoryMib = Math.ceil(totalmem() / 2 ** 20) + 1;
    for (const more of [{ memoryMib }, { vcpus: 255 }]) {
      const error = await rejectsWithCode(bench.boot("vm", more), "INVALID_CONFIG", /this machine/);
      assert.match(error.message, new RegExp(`is ${Object.values(more)[0]}, allowed is at most`));
    }
    assertUntouched(bench);
  });
});

test("what is not on the host is named before anything is started", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const { place, manager } = bench;
    const absent = join(place.scratch, "absent");
    const cases: [Partial<VmConfig>, VirgaErrorCode][] = [
      [{ kernel: absent }, "NOT_FOUND"],
      [{ initramfs: absent }, "NOT_FOUND"],
      [{ rootfs: { path: absent } }, "NOT_FOUND"],
      [{ disks: [{ id: "data", path: absent }] }, "NOT_FOUND"],
      [{ binary: absent }, "HYPERVISOR_MISSING"],
    ];
    for (const [more, code] of cases) {
      await rejectsWithCode(bench.boot("vm", more), code, /absent/);
    }
    const clone = manager.createFromSnapshot(bench.config("vm"), absent);
    await rejectsWithCode(clone, "SNAPSHOT_INVALID", /absent/);
    assertUntouched(bench);
  });
});

test("a missing network namespace or TAP device is named, and nothing stays", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const network = { mac: "02:00:00:00:00:01", tap: "no-such-tap" };
    const nowhere = { networkNamespace: "virga-no-such-namespace" };
    await rejectsWithCode(bench.boot("vm", nowhere), "NOT_FOUND", /virga-no-such-namespace/);
    const own = { networkNamespace: "/proc/self/ns/net", network };
    await rejectsWithCode(bench.boot("vm", own), "NOT_FOUND", /no-such-tap/);
    assertUntouched(bench);
  });
});

test("a socket path over 107 bytes is refused with its length", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const vmDirectory = join(bench.place.directory, "d".repeat(80));
    const error = await rejectsWithCode(bench.boot("vm", { vmDirectory }), "INVALID_CONFIG", /107/);
    assert.match(error.message, /vmDirectory is .*a path of \d{3} bytes, at most 107/);
    assert.equal(existsSync(vmDirectory), false);
    assertUntouched(bench);
  });
});

test("a directory that holds somebody's files is not taken, and not touched", async (t) => {
  await withFake(t, driver, {}, async (bench) => {
    const vmDirectory = bench.place.scratch;
    writeFileSync(join(vmDirectory, "mine"), "keep");
    const before = readdirSync(vmDirectory);
    const config = bench.config("vm", { vmDirectory });
    const after = readdirSync(vmDirectory);
    await rejectsWithCode(bench.manager.create(config), "INVALID_CONFIG", /mine|not empty/);
    assert.deepEqual(readdirSync(vmDirectory), after);
    assert.ok(before.includes("mine"));
    assertUntouched(bench);
  });
});

for (const each of drivers) {
  test(`${each.name}: a binary that cannot be the hypervisor is refused with what is wrong with it`, async (t) => {
    await withFake(t, each, {}, async (bench) => {
      const { fake, place } = bench;
      const plain = join(place.scratch, "plain");
      writeFileSync(plain, "#!/bin/sh\nexit 0\n");
      chmodSync(plain, 0o644);
      await rejectsWithCode(bench.boot("vm", { binary: plain }), "HYPERVISOR_MISSING", /plain/);
      fake.set({ version: each.name === "qemu" ? "6.1.0 (old)" : "v52.0" });
      await rejectsWithCode(bench.boot("vm"), "HYPERVISOR_TOO_OLD", /52\.0|6\.1\.0/);
      for (const versionFault of ["garbage", "exit"] as const) {
        fake.set({ version: `v53.1 ${versionFault}`, versionFault });
        const error = await rejectsWithCodes(bench.boot("vm"));
        assert.ok(error.message.includes(fake.binary), error.message);
      }
      assertUntouched(bench);
    });
  });

  test(`${each.name}: a binary that never tells its version is given up on, and is ended`, async (t) => {
    await withFake(t, each, { versionFault: "hang" }, async (bench) => {
      const { fake, manager, config } = bench;
      const slow = config("vm", { timeouts: { callMs: 200 } });
      await rejectsWithCode(manager.create(slow), "TIMEOUT", new RegExp(fake.binary));
      const patient = config("vm", { timeouts: { callMs: 3_600_000 } });
      const signal = AbortSignal.timeout(100);
      await rejectsWithCode(manager.create(patient, { signal }), "ABORTED");
      assertUntouched(bench);
    });
  });

  test(`${each.name}: development builds count as the release they come from`, async (t) => {
    await withFake(t, each, {}, async ({ fake, boot }) => {
      const versions =
        each.name === "qemu" ? ["8.2.0"] : ["v53.0-dirty", "v53.0-12-gabc", "v54.0.0"];
      for (const version of versions) {
        fake.set({ version });
        await using vm = await boot("vm");
        assert.equal((await vm.info()).hypervisorVersion, version);
      }
    });
  });
}

async function rejectsWithCodes(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error && "code" in error);
  assert.ok(
    ["HYPERVISOR_MISSING", "HYPERVISOR_PROTOCOL"].includes(String(error.code)),
    error.message,
  );
  return error;
}
