import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { GuestError, isGuestError } from "@virga/guest";
import type { ExecOptions, GuestErrorCode } from "@virga/guest";
import { DEFAULT_GUEST_PATH } from "../images/image.ts";
import { explainStart } from "./explain-start.ts";

const { ENOENT, EACCES, ENOTDIR, ENOEXEC } = constants.errno;

function refused(code: GuestErrorCode, what: string, errno: number): GuestError {
  return new GuestError(code, "The guest refused exec: …", {
    details: { op: "exec", what, errno },
  });
}

const cases: readonly [string, GuestError, string, ExecOptions, string][] = [
  ["a name", refused("GUEST_NOT_FOUND", "program", ENOENT), "nosuch", {}, `not found in the guest (PATH is ${DEFAULT_GUEST_PATH})`],
  ["a name and a PATH", refused("GUEST_NOT_FOUND", "program", ENOENT), "nosuch", { env: { PATH: "/a" } }, "not found in the guest (PATH is /a)"],
  ["a name and no environment", refused("GUEST_NOT_FOUND", "program", ENOENT), "nosuch", { inheritEnv: false }, "not found in the guest (PATH is not set)"],
  ["a path", refused("GUEST_NOT_FOUND", "program", ENOENT), "/no/such", {}, "there is no such file in the guest"],
  ["no interpreter", refused("GUEST_NOT_EXECUTABLE", "program", ENOENT), "/script", {}, "the interpreter it names is not in the guest"],
  ["no right", refused("GUEST_NOT_EXECUTABLE", "program", EACCES), "/file", {}, "the guest cannot run it: permission denied"],
  ["no program", refused("GUEST_NOT_EXECUTABLE", "program", ENOEXEC), "/file", {}, "the guest cannot run it: exec format error"],
  ["an odd number", refused("GUEST_FAILED", "program", 4000), "/file", {}, "the guest cannot run it: Unknown system error -4000"],
  ["a directory that is not there", refused("GUEST_NOT_FOUND", "cwd", ENOENT), "ls", { cwd: "/w" }, "there is no directory /w in the guest"],
  ["a directory that is a file", refused("GUEST_NOT_FOUND", "cwd", ENOTDIR), "ls", { cwd: Buffer.from("/w") }, "the directory /w in the guest cannot be entered: not a directory"],
]; // prettier-ignore

for (const [name, error, program, options, why] of cases) {
  test(`${name}: ${why}`, () => {
    const explained = explainStart(error, { command: [program, "x"], options, env: {} });
    assert.ok(isGuestError(explained));
    assert.equal(explained.message, `Cannot run ${program}: ${why}`);
    assert.deepEqual([explained.code, explained.details], [error.code, error.details]);
    assert.equal(explained.cause, error);
  });
}

test("the sandbox's PATH counts, and other errors stay as they are", () => {
  const attempt = { command: ["x"], options: {}, env: { PATH: "/of/the/sandbox" } };
  const missing = explainStart(refused("GUEST_NOT_FOUND", "program", ENOENT), attempt);
  assert.match(String(missing), /PATH is \/of\/the\/sandbox/);
  for (const error of [
    new Error("x"),
    new GuestError("GUEST_BUSY", "x", { details: { op: "exec" } }),
  ]) {
    assert.equal(explainStart(error, attempt), error);
  }
});
