import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseGuestTimeout } from "./guest-timeout.ts";

function guestTimeoutMs(setting: string | undefined): number | undefined {
  return chooseGuestTimeout({}, { VIRGA_GUEST_TIMEOUT_MS: setting });
}

test("the time is given in whole milliseconds, or not at all", () => {
  assert.equal(guestTimeoutMs(undefined), undefined);
  assert.equal(guestTimeoutMs(""), undefined);
  assert.equal(guestTimeoutMs("1"), 1);
  assert.equal(guestTimeoutMs("600000"), 600_000);
  for (const setting of ["0", "10s", "-1", "1.5", "1e3", " 1", "9999999999"]) {
    assert.throws(() => guestTimeoutMs(setting), { code: "INVALID_CONFIG" }, setting);
  }
});

test("what was given goes before the setting, which is then not even read", () => {
  const env = { VIRGA_GUEST_TIMEOUT_MS: "10s" };
  assert.equal(chooseGuestTimeout({ guestTimeoutMs: 5 }, env), 5);
});
