import assert from "node:assert/strict";
import { test } from "node:test";
import { guestAddress } from "./save-private-memory.ts";

const GIB = 2 ** 30;

test("memory above 3 GiB lies above 4 GiB in the guest", () => {
  assert.equal(guestAddress(0), 0);
  assert.equal(guestAddress(3 * GIB - 1), 3 * GIB - 1);
  assert.equal(guestAddress(3 * GIB), 4 * GIB);
  assert.equal(guestAddress(10 * GIB), 11 * GIB);
});
