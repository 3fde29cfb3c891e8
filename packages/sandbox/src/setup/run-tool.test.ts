import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "@virga/vm";
import { runTool } from "./run-tool.ts";

const failsWith = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof VirgaError);
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  return true;
};
const what = "try it";

test("gives standard output, passes input on and reports lines", async () => {
  const lines: string[] = [];
  const output = await runTool("sh", ["-c", "cat; echo two >&2"], {
    what,
    input: Buffer.from("one\n"),
    onLine: (line) => lines.push(line),
  });
  assert.equal(output.toString(), "one\n");
  assert.deepEqual(lines.toSorted(), ["one", "two"]);
});

test("a failure carries the exit code and what the program said", async () => {
  await assert.rejects(
    runTool("sh", ["-c", "echo out; echo it broke >&2; exit 7"], { what }),
    failsWith("SETUP_FAILED", /^Cannot try it: sh .*: it ended with 7:\nit broke$/s),
  );
  await assert.rejects(
    runTool("sh", ["-c", "echo only out; kill -9 $$"], { what }),
    failsWith("SETUP_FAILED", /it died of SIGKILL:\nonly out$/),
  );
});

test("a missing program is named", async () => {
  await assert.rejects(
    runTool("virga-no-such-program", [], { what }),
    failsWith("SETUP_FAILED", /Cannot try it: the program virga-no-such-program cannot be run/),
  );
});

test("time, output and the abort signal end the program", async () => {
  await assert.rejects(
    runTool("sleep", ["600"], { what, timeoutMs: 50 }),
    failsWith("SETUP_FAILED", /not done after 0.05 s/),
  );
  await assert.rejects(
    runTool("sh", ["-c", "while :; do echo 0123456789; done"], { what, maxOutputBytes: 1000 }),
    failsWith("SETUP_FAILED", /more than 1000 bytes/),
  );
  const abort = new AbortController();
  const running = runTool("sh", ["-c", "echo on; exec sleep 600"], {
    what,
    signal: abort.signal,
    onLine: () => abort.abort(),
  });
  await assert.rejects(running, failsWith("ABORTED", /try it/));
  await assert.rejects(
    runTool("true", [], { what, signal: abort.signal }),
    failsWith("ABORTED", /try it/),
  );
});
