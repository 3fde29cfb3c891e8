import { virgaCommand } from "@virga/vm";
import { deadOwners } from "../owner-record.ts";
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

/** What should have gone with the process that made it. */
export const leftoverChecks: readonly CheckDefinition[] = [leftovers];
