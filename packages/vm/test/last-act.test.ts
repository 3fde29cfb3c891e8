import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fakeConfig, fakeHypervisor, testProgram, withLeakCheck } from "@virga/testkit";

// A running VM does not keep Node alive, but an operation on it must: the program ends when its last call has been answered.
const program = `
import { VmManager, qemuDriver } from "@virga/vm";
const [directory, launcher, config] = process.argv.slice(1);
const manager = new VmManager({ directory, launcher, drivers: [qemuDriver()] });
const vm = await manager.create(JSON.parse(config));
await manager.pause(vm.id);
await manager.resume(vm.id);
process.kill(vm.pid, "SIGKILL");
await vm.destroy();
const refused = { ...JSON.parse(config), kernel: "/absent" };
const code = await manager.create(refused).catch((error) => error.code);
if (code !== "NOT_FOUND") throw new Error(code);
process.stdout.write("destroyed");
`;

const nodeOptions = ["--conditions=virga-source", "--input-type=module", "--eval"];

test("a program whose last acts are VMs' ends waits for them, and the library prints nothing", async (t) => {
  await withLeakCheck(t, async (place) => {
    const launcher = await testProgram("launcher");
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const config = JSON.stringify(fakeConfig(place, "a", fake));
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...nodeOptions, program, place.directory, launcher, config],
      { encoding: "utf8" },
    );
    assert.equal(stderr, "");
    assert.equal(stdout, "destroyed");
    assert.equal(status, 0);
    assert.deepEqual(
      readdirSync(place.directory).filter((name) => name !== ".builds"),
      [],
    );
  });
});
