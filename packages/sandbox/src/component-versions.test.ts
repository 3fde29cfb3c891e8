import assert from "node:assert/strict";
import { test } from "node:test";
import { VERSION, componentVersions } from "./index.ts";

test("the packages of one checkout have one version", () => {
  assert.deepEqual(componentVersions(), { sandbox: VERSION, vm: VERSION, guest: VERSION });
});
