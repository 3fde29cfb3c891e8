// Every target for long, each run with another seed, which a failure tells.
import { test } from "node:test";
import { fuzz, fuzzAnswers, fuzzList } from "./run.ts";

const seed = Date.now() % 1_000_000;
const iterations = Number(process.env["VIRGA_FUZZ_ITERATIONS"] ?? "300000");

for (const [name, target] of Object.entries({ exec: fuzz, list: fuzzList, answer: fuzzAnswers })) {
  test(`${name}: nothing breaks the parser in ${iterations} iterations of seed ${seed}`, async () => {
    await target({ seed, first: 0, iterations });
  });
}
