import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgumentError } from "commander";
import { addCopy, addVariable, guestDirectory, secondsToMs, wholeNumber } from "./parse-values.ts";

test("numbers are whole and within their limits", () => {
  const parse = wholeNumber(1, 255);
  assert.equal(parse("1"), 1);
  assert.equal(parse("255"), 255);
  for (const text of ["0", "256", "-1", "1.5", "1e2", "", " 1", "0x10", "99999999999999999"]) {
    assert.throws(() => parse(text), InvalidArgumentError, text);
  }
});

test("seconds may have fractions and are above 0", () => {
  assert.equal(secondsToMs("2"), 2000);
  assert.equal(secondsToMs("0.5"), 500);
  assert.equal(secondsToMs("0.0001"), 1);
  for (const text of ["0", "-1", "", "1s", "Infinity", "1e3"]) {
    assert.throws(() => secondsToMs(text), InvalidArgumentError, text);
  }
});

test("a variable is given, or taken from here, or left out", () => {
  const add = addVariable({ HERE: "value" });
  assert.deepEqual(add("A=b=c\nd", {}), { A: "b=c\nd" });
  assert.deepEqual(add("A=", { A: "x", B: "y" }), { A: "", B: "y" });
  assert.deepEqual(add("HERE", {}), { HERE: "value" });
  assert.deepEqual(add("NOWHERE", { A: "x" }), { A: "x" });
  for (const text of ["", "=x"]) assert.throws(() => add(text, {}), InvalidArgumentError, text);
});

test("a copy is parted at the last colon and goes to an absolute path", () => {
  assert.deepEqual(addCopy("a:b:/c", []), [{ source: "a:b", destination: "/c" }]);
  assert.equal(addCopy("x:/y", addCopy("a:/b", [])).length, 2);
  for (const text of ["", "a", ":", ":/b", "a:", "a:b", "/a"]) {
    assert.throws(() => addCopy(text, []), InvalidArgumentError, text);
  }
});

test("a working directory is absolute", () => {
  assert.equal(guestDirectory("/tmp"), "/tmp");
  assert.throws(() => guestDirectory("tmp"), InvalidArgumentError);
});
