import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { commandScript } from "./command-script.ts";

test("arguments and environment reach the command unchanged", () => {
  const odd = `it's "odd" $HOME \`id\` \\ * \n end`;
  const script = commandScript({
    argv: [
      process.execPath,
      "-p",
      "JSON.stringify([process.argv.slice(1), process.env.ODD, process.cwd()])",
      odd,
    ],
    cwd: tmpdir(),
    env: { ODD: odd },
    shared: [],
  });
  const result = spawnSync("sh", { input: script, encoding: "utf8" });
  assert.equal(result.stderr, "");
  assert.deepEqual(JSON.parse(result.stdout), [[odd], odd, tmpdir()]);
});

test("a directory that does not exist ends it before the command", () => {
  const script = commandScript({ argv: ["echo", "ran"], cwd: "/nonexistent", env: {}, shared: [] });
  const result = spawnSync("sh", { input: script, encoding: "utf8" });
  assert.equal(result.status, 125);
  assert.equal(result.stdout, "");
});
