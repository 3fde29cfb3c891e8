// Fuzzes the host's parser. usage: main [--target exec|list|answer] [--seed N] [--iterations N] [--first N]
import { parseArgs } from "node:util";
import { fuzz, fuzzAnswers, fuzzList, type FuzzRun } from "./run.ts";

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "exec" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    iterations: { type: "string", default: "10000" },
    first: { type: "string", default: "0" },
  },
});
const run = {
  seed: Number(values.seed),
  first: Number(values.first),
  iterations: Number(values.iterations),
};
if (!Object.values(run).every((value) => Number.isInteger(value) && value >= 0)) {
  process.stderr.write("fuzz: --seed, --iterations and --first are integers of 0 or more\n");
  process.exit(2);
}
process.stdout.write(
  `seed ${run.seed}, iterations ${run.first} to ${run.first + run.iterations - 1}\n`,
);
const targets: Record<string, (run: FuzzRun) => Promise<unknown>> = {
  exec: fuzz,
  list: fuzzList,
  answer: fuzzAnswers,
};
const target = targets[values.target];
if (target === undefined) {
  process.stderr.write(`fuzz: --target is one of ${Object.keys(targets).join(", ")}\n`);
  process.exit(2);
}
process.stdout.write(`${JSON.stringify(await target(run))}\n`);
