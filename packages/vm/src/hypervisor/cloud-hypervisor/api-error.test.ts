import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, chainIncludes, parseChain } from "./api-error.ts";

test("a chain of causes is read", () => {
  assert.deepEqual(parseChain('["Error from API","The VM could not boot","No such file"]'), [
    "Error from API",
    "The VM could not boot",
    "No such file",
  ]);
});

test("what is no array of strings is one cause, as text", () => {
  const raw = '{"error": "Invalid request\nline"}';
  assert.deepEqual(parseChain(raw), [raw]);
  assert.deepEqual(parseChain('{"error":"too many open connections"}'), [
    '{"error":"too many open connections"}',
  ]);
  assert.deepEqual(parseChain("[1,2]"), ["[1,2]"]);
  assert.deepEqual(parseChain(" \n"), []);
});

test("a chain is cut", () => {
  const chain = parseChain(JSON.stringify(Array.from({ length: 100 }, () => "x".repeat(5000))));
  assert.equal(chain.length, 32);
  assert.equal(chain[0]?.length, 2048);
});

test("the sentence leaves the entry out that says nothing", () => {
  const error = apiError({
    call: "vm.boot",
    status: 500,
    body: '["Error from API","The VM could not boot","VM is already created"]',
  });
  assert.equal(error.code, "HYPERVISOR_ERROR");
  assert.equal(
    error.message,
    "Cloud Hypervisor refused vm.boot: The VM could not boot: VM is already created",
  );
  assert.deepEqual(error.details, {
    call: "vm.boot",
    status: 500,
    chain: ["Error from API", "The VM could not boot", "VM is already created"],
  });
  assert.match(apiError({ call: "vm.nmi", status: 400, body: "" }).message, /HTTP status 400$/);
});

test("pieces of a chain are found whatever their case", () => {
  const error = apiError({
    call: "vm.info",
    status: 404,
    body: '["Error from API","VM is NOT created"]',
  });
  assert.ok(chainIncludes(error, "vm is not created"));
  assert.ok(!chainIncludes(error, "userfaultfd"));
  assert.ok(!chainIncludes(new Error("vm is not created"), "vm is not created"));
});
