import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLabArguments } from "./lab-arguments.ts";

test("options end at the command, whose own options are left alone", () => {
  assert.deepEqual(parseLabArguments(["--mem", "2048", "--rw", "a", "--rw", "b", "ls", "--mem"]), {
    argv: ["ls", "--mem"],
    kernel: "6.12",
    memoryMib: 2048,
    timeoutMs: 600_000,
    writable: ["a", "b"],
  });
  const parsed = parseLabArguments(["--kernel", "stock", "--timeout", "5", "--", "-odd"]);
  assert.ok(typeof parsed === "object");
  assert.equal(parsed.kernel, "stock");
  assert.equal(parsed.timeoutMs, 5000);
  assert.deepEqual(parsed.argv, ["-odd"]);
});

test("what is wrong is said in one sentence", () => {
  assert.equal(parseLabArguments([]), "no command is given");
  assert.equal(parseLabArguments(["--rw", "a", "--"]), "no command is given");
  assert.equal(parseLabArguments(["--mem", "0", "ls"]), "--mem takes a positive number");
  assert.equal(parseLabArguments(["--mem"]), "--mem takes a positive number");
  assert.equal(parseLabArguments(["--rw"]), "--rw takes a directory");
  assert.equal(parseLabArguments(["--kernel", "toString", "ls"]), "--kernel is one of 6.12, stock");
  assert.equal(parseLabArguments(["--fast", "ls"]), "unknown option --fast");
});
