import assert from "node:assert/strict";
import { test } from "node:test";
import { templateCacheBytes } from "./template-cache-bytes.ts";

test("the limit is given in whole MiB, or not at all", () => {
  assert.equal(templateCacheBytes(undefined), undefined);
  assert.equal(templateCacheBytes(""), undefined);
  assert.equal(templateCacheBytes("0"), 0);
  assert.equal(templateCacheBytes("512"), 512 * 1024 * 1024);
  for (const setting of ["4G", "-1", "1.5", "1e3", " 1", "9999999999"]) {
    assert.throws(() => templateCacheBytes(setting), { code: "INVALID_CONFIG" }, setting);
  }
});
