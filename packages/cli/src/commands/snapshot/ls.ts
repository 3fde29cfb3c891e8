import { Snapshots } from "@virga/sandbox";
import { ageText } from "../../output/age.ts";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { mibText, shortId } from "../../output/table-cells.ts";
import { table } from "../../output/table.ts";

/** `virga snapshot ls`: the snapshots there are. */
export async function snapshotLs(json: boolean): Promise<number> {
  const snapshots = await new Snapshots().list();
  if (json) {
    printJson(snapshots);
    return 0;
  }
  const rows = snapshots.map(
    ({ id, name, kind, state, sandbox, apparentBytes, realBytes, createdAt }) => [
      name ?? "-",
      shortId(id),
      state === "ready" ? kind : `${kind} (${state})`,
      shortId(sandbox),
      mibText(apparentBytes),
      mibText(realBytes),
      ageText(createdAt),
    ],
  );
  printLine(table(["NAME", "ID", "KIND", "SANDBOX", "SIZE", "REAL", "AGE"], rows));
  return 0;
}
