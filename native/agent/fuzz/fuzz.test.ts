// A short run of the agent's fuzz target under sanitizers, always with the same inputs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compilerSkip } from "../../test-program.ts";
import { buildFuzz } from "./build.ts";
import { writeCorpus } from "./corpus.ts";

test("no request or archive breaks what the agent reads it with", { skip: compilerSkip }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "virga-agent-fuzz-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const program = join(directory, "fuzz");
  buildFuzz("gcc", program, false);
  const files = writeCorpus(join(directory, "corpus"));
  const { status, stdout, stderr } = spawnSync(
    program,
    ["--seed", "1", "--iterations", "50000", ...files],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, stderr], [0, ""]);
  assert.equal(stdout, `seed 1: ${files.length} inputs and 50000 mutations\n`);
});
