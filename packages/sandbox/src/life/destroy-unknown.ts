import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownedIds } from "../owners/owner-record.ts";
import { upperPath } from "../sandbox-disks.ts";
import { isSandboxId } from "../sandbox-id.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { destroySandbox } from "./destroy-sandbox.ts";
import { dropForkSnapshot } from "./drop-fork-snapshot.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";

/**
 * Destroys a sandbox whose row was damaged, by its id or name, or lost, by its id. Gives its id; undefined where there is no such thing, or the catalogue or a process
 * knows it.
 */
export async function destroyUnknown(
  tools: LifeTools,
  reference: string,
  options: LifeOptions = {},
): Promise<string | undefined> {
  const { home, catalog } = tools;
  const damaged = catalog.damaged.find("sandbox", reference);
  const id = damaged?.id ?? reference;
  // It becomes a part of paths.
  if (!isSandboxId(id) || catalog.sandboxes.get(id) !== undefined) return undefined;
  if ((await ownedIds(home)).has(id)) return undefined;
  const files = [join(home.vms, id), upperPath(home, id), sandboxPaths(home, id).directory];
  if (damaged === undefined && !files.some((path) => existsSync(path))) return undefined;
  await destroySandbox(tools, id, options);
  catalog.damaged.remove("sandbox", id);
  const snapshot = damaged === undefined ? undefined : snapshotIn(damaged.content);
  if (snapshot !== undefined) await dropForkSnapshot(tools, snapshot);
  return id;
}

/** The snapshot that a damaged row says its sandbox was made from, as far as that can be read. */
function snapshotIn(content: string): string | undefined {
  try {
    const { snapshot } = JSON.parse(content) as { readonly snapshot?: unknown };
    return typeof snapshot === "string" ? snapshot : undefined;
  } catch {
    return undefined;
  }
}
