import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { prerequisite } from "./index.ts";

const before = process.env["VIRGA_REQUIRE"];

afterEach(() => {
  if (before === undefined) delete process.env["VIRGA_REQUIRE"];
  else process.env["VIRGA_REQUIRE"] = before;
});

test("something present is not skipped", () => {
  process.env["VIRGA_REQUIRE"] = "qemu";
  assert.equal(prerequisite("qemu", undefined), false);
});

test("something missing is skipped with its name and reason", () => {
  delete process.env["VIRGA_REQUIRE"];
  assert.equal(prerequisite("qemu", "not on PATH"), "qemu: not on PATH");
});

test("VIRGA_REQUIRE turns the skip into an error", () => {
  process.env["VIRGA_REQUIRE"] = "lab, qemu";
  assert.throws(() => prerequisite("qemu", "not on PATH"), /asks for qemu.*not on PATH/);
  assert.equal(prerequisite("kvm", "no device"), "kvm: no device");
});
