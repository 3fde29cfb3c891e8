import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { VERSION } from "./index.ts";

test("VERSION is the version of the package", () => {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  assert.match(VERSION, /^\d+\.\d+\.\d+/);
  assert.ok(manifest.includes(`"version": "${VERSION}"`));
});
