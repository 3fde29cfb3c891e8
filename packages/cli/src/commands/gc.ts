import { collectGarbage } from "@virga/sandbox";
import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printError, printLine } from "../output/print.ts";
import { printable } from "../output/printable.ts";
import { mibText } from "../output/table-cells.ts";
import { table } from "../output/table.ts";

/** Options of `virga gc`. */
export interface GcFlags extends JsonFlag {
  readonly dryRun?: true;
  readonly verify?: true;
  readonly orphans?: true;
}

/** `virga gc`: removes what nothing needs any more, or tells what that is. Exit code 1 when something is damaged. */
export async function gcCommand(flags: GcFlags): Promise<number> {
  const result = await collectGarbage({
    dryRun: flags.dryRun === true,
    verify: flags.verify === true,
    orphans: flags.orphans === true,
    signal: interruptSignal(),
  });
  const { items, damaged } = result;
  if (flags.json === true) printJson(result);
  else {
    const rows = items.map(({ kind, id, bytes, reason, removed }) => [
      kind,
      printable(id),
      mibText(bytes),
      removed ? "removed" : "kept",
      printable(reason),
    ]);
    if (rows.length === 0) printLine("Everything is needed.");
    else printLine(table(["KIND", "ID", "REAL", "NOW", "REASON"], rows));
    for (const { kind, id, problem } of damaged) {
      printError(`virga: The ${kind} ${printable(id)} is damaged: ${printable(problem)}`);
    }
  }
  return damaged.length === 0 ? 0 : 1;
}
