import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { abortedError } from "@virga/vm";
import { ImageStore } from "../images/image-store.ts";
import { sandboxPaths } from "../sandbox-lock.ts";
import { verifySnapshot } from "../snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import { isTemplateKey } from "../templates/template-key.ts";
import { templatePaths } from "../templates/template-paths.ts";
import type { GarbageKind, GarbageTools } from "./garbage.ts";

/** Something that is kept, and not what it was. */
export interface Damage {
  readonly kind: GarbageKind;
  readonly id: string;
  readonly problem: string;
}

/** Rows of the catalogue that cannot be read: what they stood for is there, and can only be removed. */
export function damagedRows({ catalog }: GarbageTools): Damage[] {
  // Those that nobody has met yet are met by reading all.
  catalog.sandboxes.list();
  catalog.snapshots.list();
  return catalog.damaged
    .list()
    .map(({ kind, id, reason }) => ({ kind, id, problem: `its row cannot be read: ${reason}` }));
}

/** Reads all that restores and boots begin with, and compares it with what was written: images, templates, snapshots, suspended sandboxes. Changes nothing. */
export async function verifyAll(
  tools: GarbageTools,
  signal: AbortSignal | undefined,
): Promise<Damage[]> {
  const { home, catalog } = tools;
  const damages: Damage[] = [];
  const note = (kind: GarbageKind, id: string, problem: string | undefined): void => {
    if (problem !== undefined) damages.push({ kind, id, problem });
  };
  for (const { record, base } of await new ImageStore({ directory: home.images }).list()) {
    const isSame = (await sha256Of(base, signal)) === record.base.sha256;
    note(
      "image",
      record.digest,
      isSame ? undefined : "its base is not what it was when it was made",
    );
  }
  for (const key of (await readdir(home.templates)).filter(isTemplateKey))
    note(
      "template",
      key,
      await verifySnapshot(templatePaths(home.templates, key).snapshot, signal),
    );
  for (const { id, phase } of catalog.snapshots.list()) {
    if (phase === "ready")
      note("snapshot", id, await verifySnapshot(snapshotPaths(home, id).memory, signal));
  }
  for (const { id, phase, suspended } of catalog.sandboxes.list()) {
    if (phase !== "suspended" || suspended === null) continue;
    const directory = sandboxPaths(home, id).suspended(suspended);
    const problem = await verifySnapshot(directory, signal);
    // It may have gone on since.
    const row = catalog.sandboxes.get(id);
    if (row?.phase === "suspended" && row.suspended === suspended) note("sandbox", id, problem);
  }
  return damages;
}

async function sha256Of(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash, { ...(signal && { signal }) });
  } catch (error) {
    throw signal?.aborted === true ? abortedError(`hashing ${path}`, signal) : error;
  }
  return hash.digest("hex");
}
