import { Snapshots } from "@virga/sandbox";
import { ageText } from "../../output/age.ts";
import { printJson } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { table } from "../../output/table.ts";

const SHORT_ID = 8;
const MIB = 2 ** 20;

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
      id.slice(0, SHORT_ID),
      state === "ready" ? kind : `${kind} (${state})`,
      sandbox.slice(0, SHORT_ID),
      `${Math.ceil(apparentBytes / MIB)} MiB`,
      `${Math.ceil(realBytes / MIB)} MiB`,
      ageText(createdAt),
    ],
  );
  printLine(table(["NAME", "ID", "KIND", "SANDBOX", "SIZE", "REAL", "AGE"], rows));
  return 0;
}
