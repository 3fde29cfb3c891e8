import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { vmLayout } from "./directory.ts";
import { isSameProcess } from "./launch/process-identity.ts";
import { readRecord } from "./record.ts";
import type { VmRecord } from "./record.ts";
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
    const add = (source: string): void => {
      users.set(source, [...(users.get(source) ?? []), id]);
    };
    let record: VmRecord | undefined;
    try {
      record = await readRecord(path);
    } catch {
      // Whether the VM of another version lives cannot be told: what it names is in use as long as it is there.
      const named = await snapshotNamedIn(path);
      if (named !== undefined) add(named);
      continue;
    }
    if (record?.restore === undefined) continue;
    const starting = record.phase === "creating" && record.process === undefined;
    if (!starting && (record.process === undefined || !isSameProcess(record.process))) continue;
    add(record.restore.directory);
  }
  return users;
}

async function snapshotNamedIn(path: string): Promise<string | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<VmRecord> | null;
    const directory: unknown = value?.restore?.directory;
    return typeof directory === "string" ? directory : undefined;
  } catch {
    return undefined;
  }
}
