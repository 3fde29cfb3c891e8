// A short run of the agent's fuzz target under sanitizers, always with the same inputs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildFuzz, runFuzz } from "../../test-fuzz.ts";
import { compilerSkip } from "../../test-program.ts";
import { writeCorpus } from "./corpus.ts";
import { driver, sources } from "./sources.ts";

test("no request or archive breaks what the agent reads it with", { skip: compilerSkip }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "virga-agent-fuzz-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const program = join(directory, "fuzz");
  buildFuzz("gcc", program, [...sources, driver]);
  runFuzz(program, writeCorpus(join(directory, "corpus")));
});
