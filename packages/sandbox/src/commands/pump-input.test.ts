import assert from "node:assert/strict";
import { PassThrough, Readable, Writable } from "node:stream";
import { test } from "node:test";
import type { GuestProcess } from "@virga/guest";
import { pumpInput } from "./pump-input.ts";

function guestWith(stdin: Writable): GuestProcess {
  return { stdin } as unknown as GuestProcess;
}

test("the whole source is fed, and the end", async () => {
  const stdin = new PassThrough();
  await pumpInput(Readable.from(["a", "b"]), guestWith(stdin));
  assert.equal(stdin.read().toString(), "ab");
  assert.ok(stdin.writableEnded);
});

test("a process that reads no more is no error", async () => {
  const stdin = new Writable({
    write(_chunk, _encoding, callback) {
      callback();
      this.destroy();
    },
  });
  const source = new Readable({
    read() {
      this.push(Buffer.alloc(1000));
    },
  });
  await pumpInput(source, guestWith(stdin));
  assert.ok(source.destroyed);
});

test("an error of the source is the caller's to know", async () => {
  const source = new Readable({
    read() {
      this.destroy(new Error("disk gone"));
    },
  });
  await assert.rejects(pumpInput(source, guestWith(new PassThrough().on("error", () => {}))), {
    message: "disk gone",
  });
});
