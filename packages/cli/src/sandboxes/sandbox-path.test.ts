import assert from "node:assert/strict";
import { test } from "node:test";
import { sandboxPath } from "./sandbox-path.ts";

test("a path in a sandbox is a name, a colon and an absolute path", () => {
  assert.deepEqual(sandboxPath("web:/srv/a:b"), { sandbox: "web", path: "/srv/a:b" });
  assert.deepEqual(sandboxPath("i012:/"), { sandbox: "i012", path: "/" });
  for (const text of ["web", "web:", "web:srv", "/web:/srv", "./web:/srv", "We:/srv", ":/srv"]) {
    assert.equal(sandboxPath(text), undefined, text);
  }
});
