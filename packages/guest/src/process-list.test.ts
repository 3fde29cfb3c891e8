import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { parseProcesses, targetFields } from "./process-list.ts";

const running = { pid: 42, tag: "job", program: "make", pty: false, attached: true, startedMs: 9 };

function answer(execs: readonly object[]): Map<string, never> {
  const maps = execs.map((exec) => new Map(Object.entries(exec)));
  return new Map([["execs", maps as never]]);
}

test("processes are read, with their exits, and made safe to show", () => {
  const ended = { ...running, pid: 43, program: "a\u001bb", signal: 9, timedOut: true };
  const list = parseProcesses(answer([running, ended]));
  assert.deepEqual(list[0], {
    pid: 42,
    tag: "job",
    program: "make",
    hasTerminal: false,
    isAttached: true,
    startedMs: 9,
    exit: undefined,
  });
  assert.equal(list[1]?.program, "a\\x1bb");
  assert.deepEqual(list[1]?.exit, { signal: 9, coreDumped: false, timedOut: true });
});

const wrong: readonly [string, readonly object[]][] = [
  ["a pid of 0", [{ ...running, pid: 0 }]],
  ["a code of 256", [{ ...running, code: 256 }]],
  ["no time", [{ ...running, startedMs: -1 }]],
  ["more than an agent can have", Array.from({ length: 65 }, () => running)],
];
for (const [name, execs] of wrong) {
  test(`${name} is refused`, () => {
    assert.throws(() => parseProcesses(answer(execs)), guestError("GUEST_PROTOCOL", /execs/u));
  });
}

test("what is no list of maps is refused", () => {
  const list = (value: unknown): Map<string, never> => new Map([["execs", value as never]]);
  assert.throws(() => parseProcesses(list(7)), guestError("GUEST_PROTOCOL"));
  assert.throws(() => parseProcesses(list([7])), guestError("GUEST_PROTOCOL"));
});

test("a process is named by a pid or a tag", () => {
  assert.deepEqual(targetFields("attach", 7), { pid: 7 });
  assert.deepEqual(targetFields("attach", { tag: "job" }), { tag: "job" });
  for (const target of [0, -1, 1.5, { tag: "" }]) {
    assert.throws(() => targetFields("attach", target), guestError("GUEST_BAD_REQUEST"));
  }
});
