// A short run of the fuzz target under sanitizers, always with the same inputs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runFuzz } from "../../test-fuzz.ts";
import { compilerSkip, nativeTestProgram } from "../../test-program.ts";
import { writeCorpus } from "./corpus.ts";

test("no stream or message breaks channel and codecs", { skip: compilerSkip }, async (t) => {
  const program = await nativeTestProgram("common/fuzz", true);
  const directory = mkdtempSync(join(tmpdir(), "virga-fuzz-"));
  t.after(() => rmSync(directory, { recursive: true }));
  runFuzz(program, writeCorpus(directory));
});
