import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeModule } from "@virga/testkit";
import { moduleName, readModuleInfo, withoutSignature } from "./module-info.ts";

test("reads what a module depends on and which kernel it is for", () => {
  const module = fakeModule({
    description: "depends=nothing",
    depends: "virtio_ring,net-failover",
    vermagic: "6.12.1-cloud SMP preempt mod_unload",
  });
  assert.deepEqual(readModuleInfo(module), {
    depends: ["virtio_ring", "net_failover"],
    release: "6.12.1-cloud",
  });
  assert.deepEqual(readModuleInfo(fakeModule({ depends: "" })), { depends: [], release: "" });
  assert.equal(moduleName("virtio-rng"), "virtio_rng");
});

test("what is no module is refused", () => {
  const module = fakeModule({ depends: "" });
  const noSection = Buffer.from(module);
  noSection.write("X", noSection.indexOf(".modinfo"));
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from("#!/bin/sh"),
    module.subarray(0, 80),
    noSection,
  ]) {
    assert.throws(() => readModuleInfo(bytes), RangeError);
  }
});

test("an appended signature is taken off, and only that", () => {
  const module = fakeModule({ depends: "" });
  const trailer = Buffer.alloc(12);
  trailer.writeUInt32BE(300, 8);
  const mark = Buffer.from("~Module signature appended~\n");
  assert.ok(
    withoutSignature(Buffer.concat([module, Buffer.alloc(300, 1), trailer, mark])).equals(module),
  );
  assert.equal(withoutSignature(module), module);
  trailer.writeUInt32BE(1e6, 8);
  const wrong = Buffer.concat([module, trailer, mark]);
  assert.equal(withoutSignature(wrong), wrong);
});
