import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import { Connection } from "./connection.ts";

/** Collects what a connection brings. */
class Collector {
  readonly bytes: Buffer[] = [];
  readonly gone = Promise.withResolvers<unknown>();
  onBytes(bytes: Buffer): void {
    this.bytes.push(bytes);
  }
  onGone(cause: unknown): void {
    this.gone.resolve(cause);
  }
  get text(): string {
    return Buffer.concat(this.bytes).toString();
  }
}

test("bytes that come between two receivers are kept for the second", async () => {
  const [host, guest] = duplexPair();
  const connection = new Connection(host);
  const first = new Collector();
  connection.receive(first);
  connection.pauseReceiving();
  guest.end("early");
  await once(host, "end");
  const second = new Collector();
  connection.receive(second);
  assert.equal(second.text, "early");
  assert.equal(await second.gone.promise, undefined);
  assert.equal(first.text, "");
  assert.equal(connection.isOpen, false);
  await connection.close();
});

test("close ends our side, drops what still comes, and is over when the peer ends its side", async () => {
  const [host, guest] = duplexPair();
  const connection = new Connection(host);
  const collector = new Collector();
  connection.receive(collector);
  guest.resume();
  guest.once("end", () => guest.end("too late"));
  await connection.close();
  assert.equal(host.destroyed, true);
  assert.equal(collector.text, "");
  assert.equal(connection.isOpen, false);
});

test("a peer that does not end its side is cut off", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [host, guest] = duplexPair();
  guest.resume();
  const connection = new Connection(host);
  const closing = connection.close();
  assert.equal(connection.close(), closing);
  context.mock.timers.tick(249);
  assert.equal(host.destroyed, false);
  context.mock.timers.tick(1);
  await closing;
  assert.equal(host.closed, true);
});

test("a peer that has ended is not waited for, whatever is still to be written", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const stuck = new Duplex({ read() {}, write() {} });
  const connection = new Connection(stuck);
  const writing = connection.write(Buffer.from("x"));
  const closing = connection.close();
  stuck.push(null);
  await closing;
  await writing;
});

test("an error of the stream is the cause of the loss, and crashes nobody", async () => {
  const [host] = duplexPair();
  const connection = new Connection(host);
  const collector = new Collector();
  connection.receive(collector);
  const error = new Error("EPIPE");
  host.destroy(error);
  assert.equal(await collector.gone.promise, error);
  await connection.close();
  await connection.write(Buffer.from("x"));
});

test("a stream that was destroyed before is gone", async () => {
  const [host] = duplexPair();
  host.destroy();
  const connection = new Connection(host);
  assert.equal(connection.isOpen, false);
  await connection.close();
});

test("write settles when the bytes are taken, and when they never will be", async () => {
  const stuck = new Duplex({ read() {}, write() {} });
  const connection = new Connection(stuck);
  const writing = connection.write(Buffer.from("x"));
  stuck.destroy();
  await writing;
  const [host, guest] = duplexPair();
  const open = new Connection(host);
  await open.write(Buffer.from("hello"));
  assert.equal(String(guest.read()), "hello");
  guest.end();
  await open.close();
});
