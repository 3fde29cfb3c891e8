// Builds and runs fuzz targets for the tests that lie beside them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { prerequisite } from "@virga/testkit";

const common = join(import.meta.dirname, "common");
const flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-g"];
const seconds = process.env["VIRGA_FUZZ_SECONDS"] ?? "240";

/** A target, without what drives it and without what is common to all of native. */
export interface FuzzTarget {
  readonly sources: readonly string[];
  /** Writes the corpus into a folder; gives the paths of its files. */
  readonly writeCorpus: (directory: string) => string[];
}

/** The C files of a folder, as paths. */
export function sourcesIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(directory, name));
}

/** Builds a target with a compiler and its own sanitizers (`address`, `fuzzer`…). */
export function buildFuzz(
  compiler: string,
  program: string,
  sources: readonly string[],
  ...sanitizers: readonly string[]
): void {
  const built = spawnSync(
    compiler,
    [
      ...flags,
      `-fsanitize=${[...sanitizers, "address", "undefined"].join(",")}`,
      "-fno-sanitize-recover=all",
      "-I",
      common,
      "-o",
      program,
      ...sources,
      ...sourcesIn(common),
    ],
    { encoding: "utf8" },
  );
  assert.deepEqual([built.status, built.stderr], [0, ""]);
}

/** Runs a target under the driver of our own, always with the same inputs. */
export function runFuzz(program: string, files: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(
    program,
    ["--seed", "1", "--iterations", "50000", ...files],
    { encoding: "utf8" },
  );
  assert.deepEqual([status, stderr], [0, ""]);
  assert.equal(stdout, `seed 1: ${files.length} inputs and 50000 mutations\n`);
}

/** Tests a target under libFuzzer, which follows coverage: VIRGA_FUZZ_SECONDS says for how long (default 240). */
export function testLibFuzzer(where: string, { sources, writeCorpus }: FuzzTarget): void {
  test(`libFuzzer finds nothing in ${where} in ${seconds} s`, { skip: fuzzerSkip() }, (t) => {
    const directory = mkdtempSync(join(tmpdir(), "virga-libfuzzer-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const corpus = join(directory, "corpus");
    const program = join(directory, "fuzz");
    writeCorpus(corpus);
    buildFuzz("clang", program, sources, "fuzzer");
    const prefix = `-artifact_prefix=${tmpdir()}/virga-`;
    const run = spawnSync(
      program,
      [`-max_total_time=${seconds}`, "-max_len=4096", prefix, corpus],
      { encoding: "utf8", maxBuffer: 1 << 28 },
    );
    // What failed is kept outside the folder that is removed; the output names it and shows it in hexadecimal.
    assert.equal(run.status, 0, run.stderr.slice(-8_000));
  });
}

/** Reason to skip what needs libFuzzer. */
function fuzzerSkip(): false | string {
  const flags = ["-fsanitize=fuzzer,address", "-x", "c", "-", "-o", "/dev/null"];
  const probe = spawnSync("clang", flags, {
    input: "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d || n; }",
  });
  return prerequisite(
    "libfuzzer",
    probe.status === 0 ? undefined : "clang or its run-time library libclang-rt is not installed",
  );
}
