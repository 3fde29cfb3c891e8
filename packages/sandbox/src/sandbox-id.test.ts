import assert from "node:assert/strict";
import { test } from "node:test";
import { isVmId } from "@virga/vm";
import { newSandboxId } from "./sandbox-id.ts";

test("ids are valid for VMs, of one form, and different", () => {
  const ids = Array.from({ length: 200 }, newSandboxId);
  for (const id of ids) {
    assert.match(id, /^i[a-z0-9]{19}$/);
    assert.ok(isVmId(id));
  }
  assert.equal(new Set(ids).size, ids.length);
});
