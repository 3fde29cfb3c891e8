import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newSandboxId } from "../sandbox-id.ts";
import { checkName } from "./names.ts";

test("a name is what can be a host name, and no id", () => {
  for (const name of ["a", "0", "web-1", "i", "a".repeat(63), `i${"a".repeat(18)}`])
    assert.equal(checkName(name), name);
  const id = newSandboxId();
  for (const name of ["", "-a", "A", "a_b", "a.b", "a/b", "ä", "a\n", "a".repeat(64), id, 5, null])
    assert.throws(() => checkName(name), { code: "INVALID_ARGUMENT" }, JSON.stringify(name));
});

test("whatever is accepted as a name can be a part of a path and a line of a table", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      try {
        checkName(name);
      } catch {
        return;
      }
      assert.match(name, /^[a-z0-9-]{1,63}$/u);
      assert.ok(!name.startsWith("-"));
    }),
  );
});
