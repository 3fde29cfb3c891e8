import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestError, guestErrorCodes, isGuestError, isVirgaError } from "./errors.ts";

test("an error carries code, details, hint and cause", () => {
  const cause = new Error("below");
  const error = new GuestError("GUEST_FAILED", "It failed", {
    cause,
    details: { op: "exec", errno: 5 },
    hint: "Try again.",
  });
  assert.equal(error.name, "GuestError");
  assert.equal(error.code, "GUEST_FAILED");
  assert.deepEqual(error.details, { op: "exec", errno: 5 });
  assert.equal(error.hint, "Try again.");
  assert.equal(error.cause, cause);
});

test("an error without options has no cause, no hint and empty details", () => {
  const error = new GuestError("GUEST_BUSY", "Busy");
  assert.equal("cause" in error, false);
  assert.equal(error.hint, undefined);
  assert.deepEqual(error.details, {});
});

test("the brand marks errors of Virga's, the name those of this package", () => {
  const foreign = Object.assign(new Error("x"), {
    [Symbol.for("virga.error")]: true,
    code: "TIMEOUT",
  });
  assert.equal(isVirgaError(foreign), true);
  assert.equal(isGuestError(foreign), false);
  assert.equal(isGuestError(new GuestError("ABORTED", "x")), true);
  assert.equal(isVirgaError(new Error("x")), false);
  assert.equal(isVirgaError(undefined), false);
});

test("codes are unique and sorted", () => {
  assert.deepEqual([...new Set(guestErrorCodes)].toSorted(), [...guestErrorCodes]);
});
