import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withLeakCheck } from "@virga/testkit";
import { Sandbox, Timings } from "@virga/sandbox";
import { killedVmmEndsAll } from "./killed-vmm.ts";
import { checkNoVm, testHost } from "./test-host.ts";

const hypervisor = process.env["VIRGA_LAB_DRIVER"] === "qemu" ? "qemu" : "cloud-hypervisor";

describe(`sandboxes on ${hypervisor} with KVM`, () => {
  test("clones of one template run commands, are themselves, and each ends with its hypervisor alone", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      if (hypervisor === "cloud-hypervisor") assert.equal(host.choose("auto").name, hypervisor);
      assert.equal(host.choose(hypervisor).accelerator, "kvm");
      const shape = { hypervisor, memoryMib: 256, host } as const;
      const timings = new Timings();
      await using first = await Sandbox.create(shape);
      await using second = await Sandbox.create({ ...shape, timings });
      assert.equal("boot" in timings.toJSON(), false);
      const seen: string[] = [];
      for (const sandbox of [first, second]) {
        const script = "hostname; cat; head -c 16 /dev/urandom | md5sum";
        const { stdout, exitCode } = await sandbox.run(["sh", "-c", script], { stdin: "in\n" });
        assert.equal(exitCode, 0);
        const [name, input, random = ""] = stdout.split("\n");
        assert.deepEqual([name, input], [sandbox.id, "in"]);
        seen.push(random);
        assert.equal((await sandbox.vm.info()).restore?.mode, "shared");
      }
      assert.notEqual(seen[0], seen[1]);
      await killedVmmEndsAll(first);
      assert.equal((await second.run(["echo", "on"])).stdout, "on\n");
      await first.destroy();
      await second.destroy();
      await checkNoVm(host.home);
    }));
});
