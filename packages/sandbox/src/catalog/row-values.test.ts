import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testSpec } from "../../test/test-rows.ts";
import { DamagedValue, identityOrNull, intentOrNull, spec, timings, word } from "./row-values.ts";

const column = (value: unknown) => ({ it: value });
const json = (value: unknown) => column(JSON.stringify(value));

test("a value that is right is read as it was written", () => {
  assert.deepEqual(spec(json(testSpec), "it"), testSpec);
  const full = { ...testSpec, imageDigest: "sha256:0", diskMib: 5, later: "ignored" };
  assert.deepEqual(spec(json(full), "it"), full);
  const owner = { pid: 1, startTime: "5", bootId: "b", pidNamespace: "pid:[1]" };
  assert.deepEqual(identityOrNull(json(owner), "it"), owner);
  assert.equal(identityOrNull(column(null), "it"), null);
  const intent = { kind: "snapshot", snapshot: "s", wasPaused: true };
  assert.deepEqual(intentOrNull(json(intent), "it"), intent);
  assert.deepEqual(timings(json({ boot: 0.5 }), "it"), { boot: 0.5 });
});

test("each property of a spec is checked, and named", () => {
  for (const key of Object.keys(testSpec)) {
    const { [key as "image"]: _left, ...rest } = testSpec;
    const missing = { name: "Error", message: new RegExp(`^it\\.${key} is undefined`, "u") };
    assert.throws(() => spec(json(rest), "it"), missing);
    assert.throws(() => spec(json({ ...testSpec, [key]: { wrong: 1 } }), "it"), DamagedValue);
  }
});

test("intents need what their kind needs", () => {
  for (const intent of [
    { kind: "explode" },
    { kind: "suspend" },
    { kind: "snapshot", wasPaused: false },
    { kind: "snapshot", snapshot: "s" },
    {},
  ])
    assert.throws(() => intentOrNull(json(intent), "it"), DamagedValue, JSON.stringify(intent));
});

test("anything at all is read, or is called damaged in one short line", () => {
  const readers = [spec, timings, intentOrNull, identityOrNull];
  const values = fc.oneof(fc.anything(), fc.string(), fc.json(), fc.string({ minLength: 500 }));
  fc.assert(
    fc.property(values, (value) => {
      for (const read of [...readers, (c: object, k: string) => word({ ...c }, k, ["live"])]) {
        try {
          read(column(value), "it");
        } catch (error) {
          assert.ok(error instanceof DamagedValue, String(error));
          assert.ok(error.message.length < 200, error.message);
        }
      }
    }),
  );
});
