import assert from "node:assert/strict";
import { test } from "node:test";
import { Sandbox } from "@virga/sandbox";
import { fakeHypervisor, withLeakCheck } from "@virga/testkit";
import { silentLogger } from "@virga/vm";
import { fakeHost } from "../../test/fake-host.ts";
import { fakeHostOptions } from "../../test/use-fake-host.ts";
import { lightTools } from "./access.ts";
import { findVm } from "./find-vm.ts";

test("a VM is asked once what it does when it is taken up, and anew when it is looked for again", (t) =>
  withLeakCheck(t, async (place) => {
    const fake = fakeHypervisor({ name: "qemu", directory: place.scratch });
    const host = await fakeHost(await fakeHostOptions(place, "qemu", fake));
    await using box = await Sandbox.create({ host, cold: true, memoryMib: 96, vcpus: 1 });
    const asked = (): number =>
      fake.calls().filter(({ call, phase }) => call === "query-status" && phase === "start").length;
    const elsewhere = lightTools(host.home, silentLogger);
    const before = asked();
    assert.equal((await findVm(elsewhere, box.id))?.state, "running");
    assert.equal(asked(), before + 1);
    await host.manager.pause(box.id);
    assert.equal((await findVm(elsewhere, box.id))?.state, "paused");
  }));
