import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordPath } from "./directory.ts";
import { readVm } from "./read-vm.ts";
import type { VmSummary } from "./read-vm.ts";
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
    const place = join(directory, id);
    const add = (source: string): void => {
      users.set(source, [...(users.get(source) ?? []), id]);
    };
    let vm: VmSummary | undefined;
    try {
      vm = await readVm(place);
    } catch {
      // Whether the VM of another version lives cannot be told: what it names is in use as long as it is there.
      const named = await snapshotNamedIn(recordPath(place));
      if (named !== undefined) add(named);
      continue;
    }
    if (vm?.restore !== undefined && vm.state !== "ended") add(vm.restore.directory);
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
