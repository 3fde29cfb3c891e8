import { Sandbox } from "@virga/sandbox";
import { ageText } from "../output/age.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { printable } from "../output/printable.ts";
import { shortId } from "../output/table-cells.ts";
import { table } from "../output/table.ts";

/** Options of `virga ls`. */
export interface LsFlags extends JsonFlag {
  readonly quiet?: true;
}

/** `virga ls`: the sandboxes there are. */
export async function lsCommand(flags: LsFlags): Promise<number> {
  const sandboxes = await Sandbox.list();
  if (flags.json === true) printJson(sandboxes);
  else if (flags.quiet === true) for (const { id } of sandboxes) printLine(id);
  else {
    const rows = sandboxes.map((info) => [
      info.name ?? "-",
      shortId(info.id),
      info.reason === null ? info.state : `${info.state} (${printable(info.reason)})`,
      printable(info.image),
      `${info.hypervisor}/${info.accelerator}`,
      String(info.vcpus),
      `${info.memoryMib} MiB`,
      ageText(info.createdAt),
    ]);
    printLine(
      table(["NAME", "ID", "STATE", "IMAGE", "HYPERVISOR", "VCPUS", "MEMORY", "AGE"], rows),
    );
  }
  return 0;
}
