import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { parsePort, tunnelFields } from "./guest-port.ts";

const port = { port: 80, address: "::1", uid: 0 };

function record(fields: object): Map<string, never> {
  return new Map(Object.entries(fields)) as Map<string, never>;
}

test("a port is read", () => {
  assert.deepEqual(parsePort(record(port)), port);
});

for (const change of [{ port: 0 }, { port: 65_536 }, { address: "host" }, { uid: -1 }]) {
  test(`one with ${JSON.stringify(change)} is refused`, () => {
    assert.throws(() => parsePort(record({ ...port, ...change })), guestError("GUEST_PROTOCOL"));
  });
}

test("a tunnel needs a port, and an address if any host", () => {
  assert.deepEqual(tunnelFields(80, undefined), { port: 80, host: undefined });
  assert.deepEqual(tunnelFields(80, "::1"), { port: 80, host: "::1" });
  for (const wrong of [0, 65_536, 1.5])
    assert.throws(() => tunnelFields(wrong, undefined), guestError("GUEST_BAD_REQUEST"));
  assert.throws(() => tunnelFields(80, "localhost"), guestError("GUEST_BAD_REQUEST"));
});
