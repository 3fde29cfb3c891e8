import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { linuxSignal } from "./linux-signals.ts";

test(
  "names give the numbers of Linux",
  { skip: process.platform !== "linux" && "the host is not Linux" },
  () => {
    for (const name of [
      "SIGHUP",
      "SIGINT",
      "SIGQUIT",
      "SIGKILL",
      "SIGUSR1",
      "SIGTERM",
      "SIGCONT",
      "SIGSTOP",
      "SIGWINCH",
    ] as const) {
      assert.equal(linuxSignal(name), constants.signals[name]);
    }
  },
);

test("numbers are taken as they are", () => {
  assert.equal(linuxSignal(1), 1);
  assert.equal(linuxSignal(64), 64);
});

for (const signal of [0, 65, 1.5, -9, "SIGNOTHING", "term", "toString", ""]) {
  test(`${JSON.stringify(signal)} is refused`, () => {
    assert.throws(() => linuxSignal(signal), guestError("GUEST_BAD_REQUEST", /1 to 64/));
  });
}
