import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { reportError } from "./report-error.ts";

function report(t: TestContext, error: unknown, verbose = false): { code: number; text: string } {
  const { mock } = t.mock.method(process.stderr, "write", () => true);
  try {
    const code = reportError(error, { verbose });
    return { code, text: mock.calls.map((call) => String(call.arguments[0])).join("") };
  } finally {
    mock.restore();
  }
}

test("an error is a sentence and what to do; its background comes with verbose", (t) => {
  const cause = Object.assign(new Error("\u001b[2Jbad"), { code: "EIO" });
  const error = Object.assign(new Error("Cannot run", { cause }), {
    code: "UNSUPPORTED",
    hint: "Do this.",
    details: { logTail: "line 1\nline\u0007 2\n" },
  });
  const short = "virga: Cannot run\nvirga: Do this.\n";
  assert.deepEqual(report(t, error), { code: 125, text: short });
  assert.equal(
    report(t, error, true).text,
    `${short}virga: because: ?[2Jbad\nvirga: the end of the hypervisor's log:\nline 1\nline? 2\n`,
  );
});

test("why a hypervisor did not start is told, in one line", (t) => {
  const failed = (details: object): Error =>
    Object.assign(new Error("Cannot start"), { code: "HYPERVISOR_EXITED", details });
  const logTail = "trace\nqemu: cannot open\u0007 it\n\n";
  assert.equal(
    report(t, failed({ step: "wait for socket", logTail })).text,
    "virga: Cannot start\nvirga: The hypervisor's log ends: qemu: cannot open? it\n",
  );
  assert.equal(report(t, failed({ logTail })).text, "virga: Cannot start\n", "it did start");
  assert.equal(report(t, failed({ step: "x", logTail: "\n" })).text, "virga: Cannot start\n");
});

test("what is no error of ours comes with its stack", (t) => {
  assert.match(report(t, new TypeError("oops")).text, /^virga: TypeError: oops\n +at /);
  assert.equal(report(t, "text").text, "virga: text\n");
});
