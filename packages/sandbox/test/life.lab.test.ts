import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cloudHypervisorMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox } from "@virga/sandbox";
import { countsOn, identityIn, say, startCounter } from "./life.ts";
import { checkNoVm, testHost } from "./test-host.ts";

const SECRET = "kept";

describe("the life of sandboxes on Cloud Hypervisor", { skip: cloudHypervisorMissing() }, () => {
  test("what runs in a sandbox outlives a suspension and a fork, and shares its memory", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      const shape = { hypervisor: "cloud-hypervisor", memoryMib: 128 } as const;
      const parent = await Sandbox.create({ ...shape, host, name: "parent" });
      await say(parent, "mkdir -p /srv");
      await startCounter(parent, SECRET);
      let counted = await countsOn(parent, SECRET, 0);
      await parent.suspend();
      assert.equal((await parent.info()).state, "suspended");
      await parent.resume();
      counted = await countsOn(parent, SECRET, counted);
      const [child] = await parent.fork();
      assert.ok(child !== undefined);
      const [ours, its] = [await identityIn(parent), await identityIn(child)];
      assert.equal(new Set([...ours, ...its]).size, 6, "each is a machine of its own");
      await countsOn(child, SECRET, counted);
      for (const each of [parent, child]) {
        assert.equal((await each.info()).restoreMode, "shared");
      }
      await parent.destroy();
      await countsOn(child, SECRET, counted);
      await child.destroy();
      await checkNoVm(host.home);
    }));
});
