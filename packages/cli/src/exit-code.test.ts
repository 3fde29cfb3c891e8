import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { GuestError } from "@virga/guest";
import { VirgaError } from "@virga/vm";
import { EXIT, exitCodeOf, signalExitCode } from "./exit-code.ts";

test("errors of the guest's command are told from those of Virga", () => {
  const notFound = (what: string) =>
    new GuestError("GUEST_NOT_FOUND", "x", { details: { op: "exec", what } });
  assert.equal(exitCodeOf(notFound("program")), 127);
  assert.equal(exitCodeOf(notFound("cwd")), 126);
  assert.equal(exitCodeOf(new GuestError("GUEST_NOT_EXECUTABLE", "x")), 126);
  const tooMany = { details: { op: "exec", what: "program", errno: 24 } };
  assert.equal(exitCodeOf(new GuestError("GUEST_FAILED", "x", tooMany)), 126);
  assert.equal(exitCodeOf(new GuestError("GUEST_FAILED", "x", { details: { op: "init" } })), 125);
  assert.equal(exitCodeOf(new GuestError("GUEST_CONNECTION_LOST", "x")), 125);
  assert.equal(exitCodeOf(new VirgaError("SETUP_NEEDED", "x")), 125);
  assert.equal(exitCodeOf(new VirgaError("ABORTED", "x")), 130);
  assert.equal(exitCodeOf(new TypeError("x")), 125);
  assert.equal(exitCodeOf("text"), 125);
  assert.equal(signalExitCode(9), 137);
});

test("the documentation names every exit code", () => {
  const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  for (const code of Object.values(EXIT))
    assert.match(page, new RegExp(`^\\|[^|]*\\b${code}\\b`, "m"));
});
