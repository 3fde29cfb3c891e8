// Measures Virga against the raw hypervisor. usage: npm run bench -- [options]; --help lists them.
import { writeFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { benchesFor, isHypervisor } from "./benches.ts";
import { describeMachine } from "./machine.ts";
import { runBenches, type Outcome } from "./run-benches.ts";
import { table } from "./table.ts";

const usage = `usage: npm run bench -- [options]

  --minutes N          begin no round after so long (default 10), the first one of each bench excepted; end
                       earlier when every interval is within 5 %
  --only NAME          only benches whose name contains NAME; may be repeated
  --hypervisor NAME    qemu (default) or cloud-hypervisor
  --json FILE          where the samples go (default bench/results/TIME.json)
  --list               names the benches`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    only: { type: "string", multiple: true, default: [] },
    hypervisor: { type: "string", default: "qemu" },
    json: { type: "string" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) fail(`--minutes "${values.minutes}": it is a number above 0`);
const { hypervisor } = values;
if (!isHypervisor(hypervisor)) fail(`--hypervisor "${hypervisor}": there is no such one`);

const abort = new AbortController();
process.once("SIGINT", () => abort.abort()).once("SIGTERM", () => abort.abort());

if (values.help) console.log(usage);
else await run(benchesFor(hypervisor));

async function run(all: readonly Bench[]): Promise<void> {
  const benches = all.filter(
    ({ name }) => values.only.length === 0 || values.only.some((part) => name.includes(part)),
  );
  if (benches.length === 0) fail(`no bench has ${values.only.join(" or ")} in its name`);
  if (values.list) {
    for (const { name, about } of benches) console.log(`${name}: ${about}`);
    return;
  }
  const started = new Date();
  const machine = describeMachine();
  const begun = performance.now();
  const endMs = begun + minutes * 60_000;
  const { signal } = abort;
  const outcomes = await runBenches(benches, { endMs, signal, onTurn: print });
  const results = outcomes.flatMap(({ results: ofOne }) => ofOne ?? []);
  console.log(`\n${table(results)}\n`);
  const wide = results.filter(({ isNarrow }) => !isNarrow).length;
  const took = ((performance.now() - begun) / 60_000).toFixed(1);
  const rest =
    wide === 0
      ? "every interval is within 5 %"
      : `${wide} of ${results.length} intervals are wider than 5 %`;
  const what = results.length === 0 ? "nothing was measured" : rest;
  console.log(`${took} of ${minutes} minutes: ${what}`);
  const file = values.json ?? `bench/results/${started.toISOString().replaceAll(":", "-")}.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    JSON.stringify({ format: 1, started, minutes, hypervisor, machine, benches: outcomes }),
  );
  console.log(`samples: ${file}`);
  if (outcomes.some(({ error }) => error !== undefined) || abort.signal.aborted) {
    process.exitCode = 1;
  }
}

function print({ name, about, results, skipped, error }: Outcome): void {
  console.log(`\n${name}: ${about}`);
  if (skipped !== undefined) console.log(`  skipped: ${skipped}`);
  if (error !== undefined) console.log(`  FAILED: ${error}`);
  if (results !== undefined) console.log(table(results).replaceAll(/^/gmu, "  "));
}

function fail(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}
