import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { GuestInput } from "./guest-input.ts";

test("a write is done when the sink has taken it; end follows all writes", async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const input = new GuestInput({
    sendData: async (bytes) => {
      log.push(bytes.toString());
      await gate.promise;
    },
    sendEnd: () => {
      log.push("end");
      return Promise.resolve();
    },
  });
  input.write("one");
  assert.equal(input.write(Buffer.alloc(70_000, 0x61)), false);
  input.end();
  assert.deepEqual(log, ["one"]);
  gate.resolve();
  await once(input, "finish");
  assert.deepEqual(log, ["one", "a".repeat(70_000), "end"]);
});

test("writing to a process without stdin is an error that says how to get one", async () => {
  const input = new GuestInput(undefined);
  const failed = once(input, "error");
  input.write("x");
  const [error] = await failed;
  assert.ok(guestError("GUEST_BAD_REQUEST", /without stdin/)(error));
});

test("ending the stdin that a process does not have is no error", async () => {
  const input = new GuestInput(undefined);
  input.end();
  await once(input, "finish");
});
