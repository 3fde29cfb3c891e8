import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { bytesOf, readVectors } from "../../../native/protocol/read-vectors.ts";
import { decodeMessage } from "./message-decode.ts";
import { encodeMessage } from "./message-encode.ts";
import { type GuestInit, initRequest, parsePing, parseStats } from "./operations.ts";

const messages = new Map(readVectors("message").map((vector) => [vector.name, vector]));
const golden = (name: string): Buffer => bytesOf(messages.get(name)?.hex);

test("each operation of the protocol has a golden request", () => {
  const page = new URL("../../../native/protocol/PROTOCOL.md", import.meta.url);
  const operations = [...readFileSync(page, "utf8").matchAll(/`\{op: ?"([a-z.]+)"/gu)].map(
    ([, operation]) => operation,
  );
  assert.ok(operations.length > 20, `only ${operations.length} operations were found`);
  const golden = new Set(
    [...messages.values()].map(({ value }) => (value as { readonly op?: string } | null)?.op),
  );
  assert.deepEqual(
    operations.filter((operation) => !golden.has(operation)),
    [],
  );
});

test("the golden answer to ping is read", () => {
  assert.deepEqual(parsePing(decodeMessage(golden("response ping"))), {
    version: 1,
    agent: "0.1.0",
    bootMs: 1_234,
    prepared: false,
    initialised: true,
  });
});

test("the golden answer to stats is read, loads as fractions", () => {
  assert.deepEqual(parseStats(decodeMessage(golden("response stats"))), {
    uptimeMs: 5_000,
    loadAverage: [0.12, 0.34, 0.56],
    cpus: 2,
    cpuBusyMs: 1_500,
    cpuTotalMs: 10_000,
    diskTotalKib: 122_880,
    diskFreeKib: 100_000,
    memoryTotalKib: 245_760,
    memoryFreeKib: 200_000,
    memoryAvailableKib: 210_000,
    processes: 3,
    agentResidentKib: 600,
  });
});

test("answers with fields missing are refused", () => {
  assert.throws(() => parsePing(new Map()), guestError("GUEST_PROTOCOL", /ping.*"version"/));
  assert.throws(() => parseStats(new Map()), guestError("GUEST_PROTOCOL", /stats.*"loadAverage"/));
});

type GoldenInit = Omit<GuestInit, "entropy" | "timeNs"> & {
  readonly entropy: { readonly $bin: string };
  readonly timeNs: readonly [seconds: number, nanoseconds: number];
};

test("init is sent as the golden vector", () => {
  const vector = messages.get("request init")?.value as GoldenInit;
  const { entropy, timeNs, ...rest } = vector;
  const [seconds, nanoseconds] = timeNs;
  const init = { ...rest, timeNs: BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds) };
  const fields = initRequest(init, bytesOf(entropy.$bin), 0n);
  const message = encodeMessage({ op: "init", ...fields });
  assert.equal(message.toString("hex"), messages.get("request init")?.hex);
});

test("the time of now is the host's", () => {
  assert.deepEqual(
    initRequest({ timeNs: "now" }, new Uint8Array(32), 3_000_000_004n)["timeNs"],
    [3, 4],
  );
  assert.equal(initRequest({}, new Uint8Array(32), 3n)["timeNs"], undefined);
});

const refused: readonly [string, GuestInit, number, RegExp][] = [
  ["too little entropy", {}, 31, /31 bytes/],
  ["too much entropy", {}, 257, /257 bytes/],
  ["a machine id that is none", { machineId: "ABC" }, 32, /"ABC" is not 32/],
  ["a time before 1970", { timeNs: -1n }, 32, /-1, a time before 1970/],
];
for (const [name, init, length, message] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => initRequest(init, new Uint8Array(length), 0n),
      guestError("GUEST_BAD_REQUEST", message, { op: "init", outcome: "not-started" }),
    );
  });
}
