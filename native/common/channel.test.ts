// The channel against a host that misbehaves, dies in the middle, or comes after another: real bytes, real process.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { before, describe, test } from "node:test";
import { readVectors } from "../protocol/read-vectors.ts";
import { compilerSkip, nativeTestProgram } from "../test-program.ts";
import { RawHost, record } from "./raw-host.ts";

const ping = Buffer.from("81a26f70a470696e67", "hex");
const echo = Buffer.from("81a26f70a46563686f", "hex");
const nonce = (byte: number): Buffer => Buffer.alloc(16, byte);
const zeros = Buffer.alloc(32_768);

describe("channel", { skip: compilerSkip }, () => {
  let program: string;
  before(async () => {
    program = await nativeTestProgram("test-init", true);
  });

  test("byte by byte: handshake, request, answer", async (t) => {
    const host = new RawHost(t, program);
    for (const byte of record("H", nonce(1))) host.write(Buffer.of(byte));
    const confirm = host.confirm(nonce(1), await host.welcome(nonce(1)));
    for (const byte of Buffer.concat([confirm, host.frame("REQUEST", ping)])) {
      host.write(Buffer.of(byte));
    }
    assert.match(await host.answer(), /test-init/);
  });

  test("what stands before a hello is dropped, even parts of other records", async (t) => {
    const host = new RawHost(t, program);
    const dead = record("H", nonce(9));
    const stale = [
      zeros,
      dead.subarray(0, 20),
      record("C", nonce(9), nonce(9)),
      dead.subarray(0, 7),
    ];
    host.write(...stale, record("H", nonce(1)));
    host.write(host.confirm(nonce(1), await host.welcome(nonce(1))), host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("the same hello again gets the same nonce, another a new one", async (t) => {
    const host = new RawHost(t, program);
    host.write(record("H", nonce(1)));
    const first = await host.welcome(nonce(1));
    host.write(zeros, record("H", nonce(1)));
    assert.deepEqual(await host.welcome(nonce(1)), first);
    host.write(record("H", nonce(2)));
    const second = await host.welcome(nonce(2));
    assert.notDeepEqual(second, first);
    // The confirm of a hello that was replaced counts for nothing.
    host.write(record("C", nonce(1), first));
    host.write(host.confirm(nonce(2), second), host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("a hello with something behind its nonce is none", async (t) => {
    const host = new RawHost(t, program);
    host.write(record("H", nonce(1), nonce(1)), record("H", nonce(2)));
    await host.welcome(nonce(2));
    assert.equal(host.waiting, 0);
  });

  test("a repeat of the session's hello between frames is dropped", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    host.write(record("H", nonce(1)), host.frame("REQUEST", ping), record("H", nonce(1)));
    assert.match(await host.answer(), /test-init/);
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("a new host takes over from one that died within a frame", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    const frame = host.frame("REQUEST", Buffer.alloc(30_000));
    host.write(frame.subarray(0, 20_000));
    // The first hello is swallowed by the frame that never ends; the zeros end it.
    host.write(record("H", nonce(2)), zeros, record("H", nonce(2)));
    host.write(host.confirm(nonce(2), await host.welcome(nonce(2))), host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("a new host takes over between frames, at once, in the middle of an operation", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    host.write(host.frame("REQUEST", echo), host.frame("DATA", "\0hello"));
    await host.next();
    assert.equal((await host.next()).payload.toString(), "\u0001hello");
    await host.open(nonce(2));
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("every bad frame ends the session, and the bytes behind it are looked through", async (t) => {
    const bad = readVectors("frame").filter(
      ({ bad: reason, direction }) => reason !== undefined && direction === "host",
    );
    assert.ok(bad.length > 10);
    const host = new RawHost(t, program);
    for (const [index, vector] of bad.entries()) {
      await host.open(nonce(index + 1));
      // The vector's tag belongs to its own session: here only what else is wrong with it may count.
      const bytes = Buffer.from(vector.hex, "hex");
      const right = host.frame("EOF", "\0");
      const length = bytes.readUInt32LE(0);
      if (vector.bad !== "tag") right.copy(bytes, 8, 8, 16);
      if (vector.bad !== "tag" && vector.bad !== "trailer" && length + 24 === bytes.length) {
        right.copy(bytes, 16 + length, right.length - 8);
      }
      host.write(bytes, record("H", nonce(200)));
      await host.welcome(nonce(200));
      assert.equal(host.waiting, 0, vector.name);
    }
  });

  test("a second request before the END ends the session", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    host.write(host.frame("REQUEST", echo), host.frame("REQUEST", ping), record("H", nonce(2)));
    await host.welcome(nonce(2));
  });

  test("data beyond the window ends the session", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    // We return no credit, so the echo stops; what it holds then is less than the two windows together.
    host.write(host.frame("REQUEST", echo));
    const full = Buffer.alloc(32_744);
    for (let i = 0; i < 9; i += 1) host.write(host.frame("DATA", full));
    host.write(record("H", nonce(2)));
    await host.welcome(nonce(2));
  });

  test("data, its end and control that cross the END are dropped and paid back", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
    host.write(host.frame("CONTROL", "not a map"), host.frame("EOF", "\0"));
    host.write(host.frame("DATA", Buffer.alloc(31_695)));
    const credit = await host.next();
    assert.equal(credit.payload.readUInt32LE(0), 1 + 24 + 1_024 + 31_695 + 24 + 1_024);
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("a request that is no map is refused, and the session goes on", async (t) => {
    const host = new RawHost(t, program);
    await host.open(nonce(1));
    for (const payload of ["", "\u00c0", "\u0081", "x".repeat(32_744)]) {
      host.write(host.frame("REQUEST", Buffer.from(payload, "latin1")));
      assert.match(await host.answer(), /BAD_REQUEST/);
    }
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });

  test("a host that asks on and on and reads nothing costs little memory", async (t) => {
    // The sanitizers' allocator keeps what is freed.
    const host = new RawHost(t, await nativeTestProgram("test-init", false));
    await host.open(nonce(1));
    host.stream.pause();
    const before = residentKib(host.child.pid);
    // Far more than the socket holds: at some point the answers have nowhere to go and the session is ended.
    for (let i = 0; i < 20_000; i += 1) {
      if (!host.stream.write(host.frame("REQUEST", ping))) await once(host.stream, "drain");
    }
    assert.ok(residentKib(host.child.pid) - before < 1_024);
    host.stream.resume();
    await host.open(nonce(2));
    host.write(host.frame("REQUEST", ping));
    assert.match(await host.answer(), /test-init/);
  });
});

function residentKib(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/mu.exec(status)?.[1] ?? 0);
}
