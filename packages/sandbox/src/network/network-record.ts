import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessIdentity } from "@virga/vm";
import type { Home } from "../home.ts";
import { isProcessIdentity } from "../owners/is-process-identity.ts";
import { networkDirectory } from "./guest-network.ts";

const FORMAT = 1;

/** `network.json`: the process that serves a VM's network. */
interface NetworkRecord {
  readonly format: typeof FORMAT;
  readonly process: ProcessIdentity;
}

function recordPath(home: Home, id: string): string {
  return join(networkDirectory(home, id), "network.json");
}

/** Notes which process serves VM `id`. Not synced: after a power cut there is none. */
export async function writeNetworkRecord(
  home: Home,
  id: string,
  process: ProcessIdentity,
): Promise<void> {
  const path = recordPath(home, id);
  const record: NetworkRecord = { format: FORMAT, process };
  // Renamed, so that a reader never sees half of it.
  await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The process that was noted for VM `id`; undefined where there is none, or a record of another form: nothing is ended on its word. */
export async function readNetworkRecord(
  home: Home,
  id: string,
): Promise<ProcessIdentity | undefined> {
  try {
    const record = JSON.parse(
      await readFile(recordPath(home, id), "utf8"),
    ) as Partial<NetworkRecord> | null;
    const known = record?.process;
    return record?.format === FORMAT && isProcessIdentity(known) ? known : undefined;
  } catch {
    return undefined;
  }
}
