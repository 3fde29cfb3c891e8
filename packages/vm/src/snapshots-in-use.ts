import { join } from "node:path";
import { vmLayout } from "./directory.ts";
import { isSameProcess } from "./launch/process-identity.ts";
import { readRecord } from "./record.ts";
import { vmDirectories } from "./vm-directories.ts";

/** Snapshot directories that VMs in a manager's directory are restored from and still use, whoever started those VMs. */
export async function snapshotsInUse(directory: string): Promise<ReadonlySet<string>> {
  return new Set((await snapshotUsers(directory)).keys());
}

/** As {@link snapshotsInUse}, each with the ids of the VMs that use it. */
export async function snapshotUsers(
  directory: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  for (const id of await vmDirectories(directory)) {
    const path = vmLayout(join(directory, id), "api.sock", true).record;
    // A record of a later version says nothing to us; its VM's process holds what it has mapped.
    const record = await readRecord(path).catch(() => undefined);
    if (record?.restore === undefined) continue;
    const starting = record.phase === "creating" && record.process === undefined;
    if (!starting && (record.process === undefined || !isSameProcess(record.process))) continue;
    const source = record.restore.directory;
    users.set(source, [...(users.get(source) ?? []), id]);
  }
  return users;
}
