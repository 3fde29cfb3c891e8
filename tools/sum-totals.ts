// Adds up the tiers of a run and prints the sum last. usage: sum-totals {NAME EXIT-CODE TOTALS-FILE}…
import { readFileSync } from "node:fs";
import { addTotals, emptyTotals, summary, type TestTotals } from "./test-totals.ts";

const args = process.argv.slice(2);
if (args.length === 0 || args.length % 3 !== 0) {
  console.error("usage: sum-totals {NAME EXIT-CODE TOTALS-FILE}…");
  process.exit(2);
}
const sum = emptyTotals();
for (let at = 0; at < args.length; at += 3) {
  const [name = "", code = "", file = ""] = args.slice(at, at + 3);
  const totals = tierTotals(name, code, file);
  const { passed, failed, skipped } = totals;
  console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  addTotals(sum, totals);
}
process.stdout.write(summary(sum));
process.exitCode = sum.failed === 0 ? 0 : 1;

// A tier that broke off without naming a failing test counts as one failure: the sum never looks better than the run was.
function tierTotals(name: string, code: string, file: string): TestTotals {
  const totals = readTotals(file);
  if (totals === undefined) console.log(`FAIL ${name}: no result, exit code ${code}`);
  else if (code !== "0" && totals.failed === 0) console.log(`FAIL ${name}: exit code ${code}`);
  else return totals;
  const broken = totals ?? emptyTotals();
  broken.failed++;
  return broken;
}

function readTotals(file: string): TestTotals | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
