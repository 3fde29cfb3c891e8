import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { virgaCommand } from "./virga-command.ts";

test("a hint says npx, unless the command is on the user's own PATH", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "virga-command-"));
  t.after(() => rm(root, { recursive: true }));
  const npm = join(root, "node_modules/.bin");
  const own = join(root, "bin");
  for (const folder of [npm, own]) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "virga"), "", { mode: 0o755 });
  }
  assert.equal(virgaCommand("setup", ""), "npx virga setup");
  assert.equal(virgaCommand("setup", `${npm}:${npm}/`), "npx virga setup");
  assert.equal(virgaCommand("setup", `${npm}::${own}`), "virga setup");
  await writeFile(join(own, "other"), "");
  await rm(join(own, "virga"));
  assert.equal(virgaCommand("doctor", own), "npx virga doctor");
});
