import { canReflink, nearestExisting } from "@virga/vm";
import type { CheckDefinition } from "./check.ts";

/** Whether copies share blocks where the state is: what a snapshot and a fork cost hangs on it. */
export const reflinkCheck: CheckDefinition = {
  name: "reflinks",
  essential: false,
  run: async ({ home }) => {
    // It is made when first used.
    const place = await nearestExisting(home.state);
    if (await canReflink(place)) return { ok: true, detail: `copies in ${place} share blocks` };
    return {
      ok: false,
      detail: `the file system of ${place} has no reflinks: disks and memory are copied, which takes room, and time while a sandbox is snapshotted or forked`,
      fix: "Put the state directory on XFS or btrfs, by VIRGA_HOME",
    };
  },
};
