// The fuzz target under libFuzzer, which follows coverage: VIRGA_FUZZ_SECONDS says for how long (default 240).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fuzzerSkip } from "../../test-program.ts";
import { writeCorpus } from "./corpus.ts";

const seconds = process.env["VIRGA_FUZZ_SECONDS"] ?? "240";
const flags = [
  "-std=c11",
  "-D_GNU_SOURCE",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-O1",
  "-g",
  "-fsanitize=fuzzer,address,undefined",
  "-fno-sanitize-recover=all",
];
const common = join(import.meta.dirname, "..");

const sources = (directory: string, left = ""): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".c") && name !== left)
    .map((name) => join(directory, name));

test(`libFuzzer finds nothing in ${seconds} s`, { skip: fuzzerSkip() }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "virga-libfuzzer-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const corpus = join(directory, "corpus");
  const program = join(directory, "fuzz");
  writeCorpus(corpus);
  const built = spawnSync(
    "clang",
    [
      ...flags,
      "-I",
      common,
      "-o",
      program,
      ...sources(import.meta.dirname, "driver.c"),
      ...sources(common),
    ],
    { encoding: "utf8" },
  );
  assert.deepEqual([built.status, built.stderr], [0, ""]);
  const run = spawnSync(
    program,
    [`-max_total_time=${seconds}`, "-max_len=4096", `-artifact_prefix=${tmpdir()}/virga-`, corpus],
    { encoding: "utf8", maxBuffer: 1 << 28 },
  );
  // What failed is kept outside the folder that is removed; the output names it and shows it in hexadecimal.
  assert.equal(run.status, 0, run.stderr.slice(-8_000));
});
