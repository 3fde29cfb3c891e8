import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, isVirgaError, readVm, virgaCommand } from "@virga/vm";
import type { Home } from "../home.ts";
import { deadOwners, unreadableOwners } from "../owners/owner-record.ts";
import type { CheckDefinition } from "./check.ts";

const leftovers: CheckDefinition = {
  name: "leftovers",
  essential: false,
  run: async ({ home }) => {
    const ids = (await deadOwners(home, { sweep: false })).map(({ id }) => id);
    if (ids.length === 0) return { ok: true, detail: "no VM of a process that was killed" };
    const what = ids.length === 1 ? "a VM" : `${ids.length} VMs`;
    return {
      ok: false,
      detail: `${what} of processes that were killed: ${ids.toSorted().join(", ")}`,
      fix: `${virgaCommand("setup")}, or any other command but this one`,
    };
  },
};

const unreadable: CheckDefinition = {
  name: "records",
  essential: false,
  run: async ({ home }) => {
    const paths = await unreadableRecords(home);
    if (paths.length === 0) return { ok: true, detail: "this version can read all of VMs" };
    return {
      ok: false,
      detail: `another version of Virga wrote these, or they are damaged; they are left alone: ${paths.join(", ")}`,
      fix: "End what they tell of with the version that wrote them, or remove them",
    };
  },
};

async function unreadableRecords(home: Home): Promise<string[]> {
  const paths = await unreadableOwners(home);
  for (const id of await listDirectories(home.vms)) {
    const directory = join(home.vms, id);
    try {
      await readVm(directory);
    } catch (error) {
      if (!isVirgaError(error) || error.code !== "VM_NOT_OURS") throw error;
      paths.push(directory);
    }
  }
  return paths.toSorted();
}

async function listDirectories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** What should have gone with the process that made it, and what this version cannot judge. */
export const leftoverChecks: readonly CheckDefinition[] = [leftovers, unreadable];
