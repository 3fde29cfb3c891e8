import { rm } from "node:fs/promises";
import { tryLock } from "@virga/vm";
import { treeSize } from "../tree-size.ts";
import type { Garbage, GarbageKind } from "./garbage.ts";

/** A directory that somebody makes or removes under a lock. */
export interface LeftoverOptions {
  readonly kind: GarbageKind;
  readonly id: string;
  /** The lock's file. */
  readonly lock: string;
  readonly directory: string;
}

/** A directory that is half made or half removed, as garbage, unless somebody is at work on it. */
export async function leftover(options: LeftoverOptions): Promise<Garbage[]> {
  const { kind, id, lock, directory } = options;
  const held = tryLock(lock);
  if (held === undefined) return [];
  held.release();
  const { realBytes: bytes } = await treeSize(directory);
  const reason = "what an interrupted process left of it";
  return [{ kind, id, reason, bytes, remove: () => remove(options) }];
}

async function remove({ lock, directory }: LeftoverOptions): Promise<boolean> {
  const held = tryLock(lock);
  if (held === undefined) return false;
  try {
    await rm(directory, { recursive: true, force: true });
    return true;
  } finally {
    held.release();
  }
}
