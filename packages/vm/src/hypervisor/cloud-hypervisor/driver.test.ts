import assert from "node:assert/strict";
import { mkdir, stat } from "node:fs/promises";
import { test } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import { testContext, testSource } from "../../../test/vm-context.ts";
import { VirgaError } from "../../errors.ts";
import { cloudHypervisorDriver as driver } from "./driver.ts";

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof VirgaError && error.code === code;
}

test("boot and restore start the same bare process on the VM's sockets", () => {
  const vm = testContext("/var/lib/virga/vms/a", true);
  const plan = driver.planBoot(vm);
  assert.deepEqual(plan, {
    argv: [
      "/usr/bin/cloud-hypervisor",
      "--api-socket",
      "path=/run/virga/vm/api.sock",
      "--event-monitor",
      "fd=4",
      "-v",
    ],
    descriptors: ["/var/lib/virga/vms/a/run/events.json"],
    stdout: "/var/lib/virga/vms/a/run/console.log",
    staleSockets: ["/var/lib/virga/vms/a/run/api.sock", "/var/lib/virga/vms/a/run/v.sock"],
    largestFileBytes: 128 * 1024 * 1024,
  });
  assert.deepEqual(driver.planRestore(vm, testSource(vm, "/s", "copy", "ranges")), plan);
});

test("what it can do is said as data", () => {
  const { build } = testContext("/vm", true);
  assert.deepEqual(driver.capabilities(build), {
    restoreModes: ["on-demand", "shared", "copy"],
    memoryForms: ["anonymous", "file"],
    balloon: true,
    guestConnections: 1023,
  });
});

test("what it cannot do is refused before anything is made", () => {
  const vm = testContext("/vm", true);
  driver.check(vm, undefined);
  driver.check(vm, testSource(vm, "/s", "on-demand", "ranges"));
  driver.check(vm, testSource(vm, "/s", "shared", "file"));
  const refused: [string, () => void][] = [
    [
      "INVALID_CONFIG",
      () => driver.check(testContext("/vm", true, { kernel: undefined }), undefined),
    ],
    ["INVALID_CONFIG", () => driver.check(testContext("/vm,a", false), undefined)],
    [
      "UNSUPPORTED",
      () => {
        const network = { mac: "02:00:00:00:00:01", socket: "/run/net.sock" };
        driver.check(testContext("/vm", true, { network }), undefined);
      },
    ],
    [
      "UNSUPPORTED",
      () =>
        driver.check(testContext("/vm", true, { memoryForm: "file", balloon: true }), undefined),
    ],
    [
      "UNSUPPORTED",
      () =>
        driver.check(
          testContext("/vm", true, { balloon: true }),
          testSource(vm, "/s", "shared", "file"),
        ),
    ],
    ["UNSUPPORTED", () => driver.check(vm, testSource(vm, "/s", "shared", "ranges"))],
    ["UNSUPPORTED", () => driver.check(vm, testSource(vm, "/s", "on-demand", "file"))],
  ];
  for (const [code, run] of refused) assert.throws(run, hasCode(code));
  // With a mount namespace the VMM never sees the host's path.
  driver.check(testContext("/vm,a", true), undefined);
  driver.check(
    testContext("/vm", true, { kernel: undefined }),
    testSource(vm, "/s", "copy", "file"),
  );
});

test("memory in a file is made sparse, of the guest's size, for its owner only", async (context) => {
  const vm = testContext(await testDirectory(context), true, { memoryForm: "file", memoryMib: 64 });
  await mkdir(vm.layout.host.directory);
  await driver.prepareFiles(vm, undefined, undefined);
  const { size, blocks, mode } = await stat(vm.layout.host.memory);
  assert.deepEqual([size, blocks, mode & 0o777], [64 * 1024 * 1024, 0, 0o600]);
  await assert.rejects(driver.prepareFiles(vm, undefined, undefined), { code: "EEXIST" });
});

test("a VM without a guest channel has none to connect to", async () => {
  const vm = testContext("/vm", true, { guestChannel: false });
  await assert.rejects(driver.connectGuest(vm, { timeoutMs: 10_000 }), hasCode("UNSUPPORTED"));
});
