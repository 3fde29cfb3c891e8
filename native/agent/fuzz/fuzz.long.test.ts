// The agent's fuzz target under libFuzzer, which follows coverage: VIRGA_FUZZ_SECONDS says for how long (default 240).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fuzzerSkip } from "../../test-program.ts";
import { buildFuzz } from "./build.ts";
import { writeCorpus } from "./corpus.ts";

const seconds = process.env["VIRGA_FUZZ_SECONDS"] ?? "240";

test(
  `libFuzzer finds nothing in the agent's reading in ${seconds} s`,
  { skip: fuzzerSkip() },
  (t) => {
    const directory = mkdtempSync(join(tmpdir(), "virga-agent-libfuzzer-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const corpus = join(directory, "corpus");
    const program = join(directory, "fuzz");
    writeCorpus(corpus);
    buildFuzz("clang", program, true);
    const run = spawnSync(
      program,
      [
        `-max_total_time=${seconds}`,
        "-max_len=4096",
        `-artifact_prefix=${tmpdir()}/virga-`,
        corpus,
      ],
      { encoding: "utf8", maxBuffer: 1 << 28 },
    );
    // What failed is kept outside the folder that is removed; the output names it and shows it in hexadecimal.
    assert.equal(run.status, 0, run.stderr.slice(-8_000));
  },
);
