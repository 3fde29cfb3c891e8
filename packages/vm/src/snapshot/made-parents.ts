import { rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../errors.ts";

/** The uppermost of the directories above `path` that are not there yet: what a recursive `mkdir` would begin with. Undefined when all are there. */
export async function firstMissingParent(path: string): Promise<string | undefined> {
  let missing: string | undefined;
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    try {
      await stat(parent);
      return missing;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || parent === dirname(parent)) return missing;
      missing = parent;
    }
  }
}

/** Removes the directories above `path` up to and with `top`, as long as they are empty: what somebody put there meanwhile stays, and what it lies in. */
export async function removeMadeParents(path: string, top: string): Promise<void> {
  for (let parent = dirname(path); isWithin(parent, top); parent = dirname(parent)) {
    try {
      await rmdir(parent);
    } catch (error) {
      if (errnoOf(error) === "ENOTEMPTY") return;
      // Not all of them may have been made.
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
}

function isWithin(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}
