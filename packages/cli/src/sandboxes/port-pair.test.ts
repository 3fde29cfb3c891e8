import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgumentError } from "commander";
import { addPort } from "./port-pair.ts";

test("a port is the same here unless another one is named", () => {
  assert.deepEqual(addPort("80"), [{ local: 80, port: 80 }]);
  assert.deepEqual(addPort("9000:80", addPort("0:22")), [
    { local: 0, port: 22 },
    { local: 9000, port: 80 },
  ]);
  for (const text of ["", "0", "x", "80:", ":80", "1:0", "70000", "70000:80", "1:2:3", "-1"]) {
    assert.throws(() => addPort(text), InvalidArgumentError, text);
  }
});
