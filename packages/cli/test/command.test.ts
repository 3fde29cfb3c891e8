import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VERSION } from "virga";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

function virga(...args: string[]) {
  return spawnSync(process.execPath, ["--conditions=virga-source", main, ...args], {
    encoding: "utf8",
  });
}

test("virga --version prints the version and nothing else", () => {
  const result = virga("--version");
  assert.equal(result.stderr, "");
  assert.equal(result.stdout, `${VERSION}\n`);
  assert.equal(result.status, 0);
});

test("an unknown command is a usage error that names it", () => {
  const result = virga("bogus");
  assert.equal(result.status, 2);
  assert.match(result.stderr, /unknown command or option "bogus"/);
  assert.equal(result.stdout, "");
});
