import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isVirgaError } from "@virga/vm";
import { imagePaths } from "../images/image-paths.ts";
import { ImageStore } from "../images/image-store.ts";
import { inUseError, whoNeedsImage } from "../snapshots/references.ts";
import { treeSize } from "../tree-size.ts";
import { leftover } from "./leftover.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";
import { hasOrphans } from "./orphans.ts";

/**
 * Images without a name of which there is no sandbox and no snapshot, and what interrupted processes left of images. None of the former while there is anything of
 * value that the catalogue knows nothing of: it may be a sandbox or a snapshot of any of them.
 */
export async function spareImages(tools: GarbageTools): Promise<Garbage[]> {
  const { home, catalog, logger } = tools;
  const store = new ImageStore({
    directory: home.images,
    logger,
    checkRemoval: (digest, given) => {
      const users = whoNeedsImage(catalog, digest);
      // It may have got a name meanwhile.
      if (users.length > 0 || given.length > 0) throw inUseError(`image ${digest}`, users);
    },
  });
  const spare = (await store.list())
    .filter(({ names }) => names.length === 0)
    .map(({ record }) => record.digest)
    .filter((digest) => whoNeedsImage(catalog, digest).length === 0);
  const canGo = spare.length > 0 && !(await hasOrphans(tools));
  const found: Garbage[] = [];
  for (const digest of canGo ? spare : []) {
    const { realBytes: bytes } = await treeSize(imagePaths(home.images, digest).directory);
    const reason = "it has no name, and there is no sandbox or snapshot of it";
    found.push({ kind: "image", id: digest, reason, bytes, remove: () => remove(store, digest) });
  }
  return [...found, ...(await leftovers(tools))];
}

async function remove(store: ImageStore, digest: string): Promise<boolean> {
  try {
    return (await store.remove(digest)).removed;
  } catch (error) {
    if (isVirgaError(error) && (error.code === "IN_USE" || error.code === "NOT_FOUND"))
      return false;
    throw error;
  }
}

async function leftovers({ home }: GarbageTools): Promise<Garbage[]> {
  const found: Garbage[] = [];
  for (const name of await readdir(home.images)) {
    const hex = /^\.(?:building|dropping|pulling)-([0-9a-f]{64})$/u.exec(name)?.[1];
    if (hex === undefined) continue;
    const id = `sha256:${hex}`;
    const { lock } = imagePaths(home.images, id);
    found.push(
      ...(await leftover({ kind: "image", id, lock, directory: join(home.images, name) })),
    );
  }
  return found;
}
