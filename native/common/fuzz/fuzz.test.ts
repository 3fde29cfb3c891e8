// A short run of the fuzz target under sanitizers, always with the same inputs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compilerSkip, nativeTestProgram } from "../../test-program.ts";
import { writeCorpus } from "./corpus.ts";

test("no stream or message breaks channel and codecs", { skip: compilerSkip }, async (t) => {
  const program = await nativeTestProgram("common/fuzz", true);
  const directory = mkdtempSync(join(tmpdir(), "virga-fuzz-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const files = writeCorpus(directory);
  const { status, stdout, stderr } = spawnSync(
    program,
    ["--seed", "1", "--iterations", "50000", ...files],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, stderr], [0, ""]);
  assert.equal(stdout, `seed 1: ${files.length} inputs and 50000 mutations\n`);
});
