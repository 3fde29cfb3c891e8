// Runs the tests of one tier. usage: run-tests fast|all|lab|long [--shard i/n] [--totals FILE] [FILTER…]
// A filter is a part of a path: only files containing one of the filters run.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drivesLab, longPasses, runLabTests } from "./run-lab-tests.ts";
import { findTestFiles, isLongInLab, takeShard, type FileTier } from "./test-files.ts";
import { runTestFiles, type TestRunResult } from "./test-process.ts";
import { addTotals, emptyTotals, summary } from "./test-totals.ts";

interface Phase {
  readonly tier: FileTier;
  /** Test files at the same time; undefined: as many as there are cores. */
  readonly concurrency?: number;
  /** All files in one process: a start of node is dear in the lab. */
  readonly oneProcess?: boolean;
  readonly testTimeoutMs: number;
  readonly limitMs: number;
}

const minute = 60_000;
// The limits stop what hangs; the budgets in CONTRIBUTING.md are what a run should take.
const fast: Phase = { tier: "fast", testTimeoutMs: 5 * minute, limitMs: 15 * minute };
// Emulated guests use every core they get: files that boot them run one after the other.
const vm: Phase = { tier: "vm", concurrency: 1, testTimeoutMs: 5 * minute, limitMs: 20 * minute };
const long: Phase = {
  tier: "long",
  concurrency: 1,
  testTimeoutMs: 60 * minute,
  limitMs: 360 * minute,
};
const lab: Phase = { tier: "lab", concurrency: 1, testTimeoutMs: 5 * minute, limitMs: 20 * minute };
const inLab: Phase = {
  ...lab,
  testTimeoutMs: 7 * minute,
  // Ends before the machine is ended, and can then say what was still running.
  limitMs: 26 * minute,
  oneProcess: true,
};
const runs: Record<string, readonly Phase[]> = {
  fast: [fast],
  all: [fast, vm],
  lab: [lab],
  // What runs inside the lab: started by the tier "lab", not by hand.
  "in-lab": [inLab],
  long: [long],
};

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  options: { shard: { type: "string" }, totals: { type: "string" } },
  allowPositionals: true,
});
const [name = "", ...filters] = positionals;
const phases = runs[name];
if (phases === undefined) {
  fail(`unknown tier "${name}": it is one of ${Object.keys(runs).join(", ")}`);
}
const [index, count] = shardOf(values.shard ?? "1/1");
const totals = emptyTotals();
let ended = true;
let selected = 0;
for (const phase of phases) {
  const tiers: FileTier[] = name === "in-lab" ? ["lab", "long"] : [phase.tier];
  const files = findTestFiles(root, tiers).filter(
    (file) => filters.length === 0 || filters.some((filter) => file.includes(filter)),
  );
  const share = takeShard(files, index, count);
  selected += share.length;
  if (share.length === 0) continue;
  const result = await runPhase(phase, share);
  addTotals(totals, result.totals);
  if (result.problem !== undefined) {
    ended = false;
    console.log(`FAIL tier ${phase.tier}: ${result.problem}`);
    break;
  }
}
// Of few files in many shards some are empty, and rightly so.
const ran = totals.passed + totals.failed + totals.skipped > 0 || (selected === 0 && count > 1);
if (!ran) console.log(`FAIL no test ran (tier ${name}, filters: ${filters.join(" ") || "none"})`);
if (values.totals === undefined) process.stdout.write(summary(totals));
else writeFileSync(values.totals, JSON.stringify(totals));
process.exitCode = ended && ran && totals.failed === 0 ? 0 : 1;

async function runPhase(phase: Phase, share: readonly string[]): Promise<TestRunResult> {
  const goesInside = (file: string): boolean =>
    name === "lab" ? !drivesLab(file) : name === "long" && isLongInLab(file);
  const outside = share.filter((file) => !goesInside(file));
  const inside = share.filter(goesInside);
  const none: TestRunResult = { totals: emptyTotals() };
  const part = outside.length > 0 ? await runTestFiles({ root, files: outside, ...phase }) : none;
  if (part.problem !== undefined || inside.length === 0) return part;
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.on("SIGINT", abort).on("SIGTERM", abort);
  try {
    return await runInside(inside, part, controller.signal);
  } finally {
    process.off("SIGINT", abort).off("SIGTERM", abort);
  }
}

async function runInside(
  files: readonly string[],
  before: TestRunResult,
  signal: AbortSignal,
): Promise<TestRunResult> {
  const starts =
    name === "long"
      ? // A start for each: together they take longer than a machine may.
        files.map((file) => () => runLabTests(root, [file], signal, { passes: longPasses }))
      : [() => runLabTests(root, files, signal)];
  const { totals } = before;
  for (const start of starts) {
    const part = await start();
    addTotals(totals, part.totals);
    if (part.problem !== undefined) return { totals, problem: part.problem };
  }
  return { totals };
}

function shardOf(text: string): [index: number, count: number] {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [shard, shards] = [Number(i), Number(n)];
  if (!(shard >= 1 && shard <= shards)) fail(`--shard "${text}": it is i/n with 1 ≤ i ≤ n`);
  return [shard, shards];
}

function fail(message: string): never {
  console.error(`run-tests: ${message}`);
  process.exit(2);
}
