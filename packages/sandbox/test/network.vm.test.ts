import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ensureReady } from "@virga/sandbox";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { MACHINE, WORLD, networksMissing, withNetworks } from "./test-networks.ts";
import { checkNoVm, testHome } from "./test-host.ts";

interface Found {
  readonly outside: readonly string[];
  readonly modes: readonly string[];
  readonly address: string;
  readonly resolver: string;
  readonly name: string;
  readonly machine: string;
  readonly gateway: string;
  readonly loopback: string;
  readonly again: string;
}

describe("network internet on QEMU", { skip: qemuMissing() || networksMissing() }, () => {
  test("two clones at once reach the world, and by no way this machine's loopback", (t) =>
    withLeakCheck(t, (place) =>
      withNetworks(place, async (networks) => {
        const world = await networks.serve("world", "tcp", WORLD, "7001", "outside");
        const names = await networks.serve("world", "dns", WORLD, "198.51.100.7");
        const loopback = await networks.serve("machine", "tcp", "127.0.0.1", "7001", "loopback");
        await networks.serve("machine", "tcp", MACHINE, "7002", "machine");
        // Not from within, where there is nothing to fetch from.
        await ensureReady();
        const program = ["network-guests.ts", [JSON.stringify(place)]] as const;
        const found = JSON.parse(await networks.run(...program, WORLD)) as Found;
        assert.deepEqual(found.outside, ["outside", "outside"]);
        assert.deepEqual(found.modes, ["shared", "shared"]);
        assert.match(found.address, /10\.200\.0\.2\/24/u);
        assert.equal(found.resolver, "nameserver 10.200.0.3");
        assert.match(found.name, /198\.51\.100\.7/u);
        assert.ok(names.served() > 0);
        // The documented limit: only the loopback is closed.
        assert.equal(found.machine, "machine");
        assert.doesNotMatch(found.gateway, /loopback/u);
        assert.match(found.loopback, /more packets: 1/u);
        assert.doesNotMatch(found.loopback, /loopback/u);
        assert.equal(found.again, "outside", "after its memory was on disk");
        assert.deepEqual([world.served(), loopback.served()], [3, 0]);
        await checkNoVm(await testHome(place));
      }),
    ));
});
