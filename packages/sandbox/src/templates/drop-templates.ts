import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, errorText, tryLock } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { isTemplateKey } from "./template-key.ts";
import { templatePaths } from "./template-paths.ts";
import { treeSize } from "../tree-size.ts";

/** What to drop from. */
export interface DropOptions {
  readonly directory: string;
  readonly limitBytes: number;
  /** Snapshot directories that living VMs use. */
  readonly inUse: () => Promise<ReadonlySet<string>>;
  readonly logger: Logger;
}

interface Candidate {
  readonly key: string;
  readonly usedMs: number;
  readonly bytes: number;
}

/** Drops the least used templates until the rest takes at most the limit, and what interrupted processes left behind. */
export async function dropTemplates(options: DropOptions): Promise<void> {
  const { directory, limitBytes, logger } = options;
  const names = await readdir(directory);
  await Promise.all(names.map((name) => sweep(directory, name, logger)));
  const candidates: Candidate[] = [];
  for (const key of names.filter(isTemplateKey)) {
    const candidate = await measure(directory, key);
    if (candidate !== undefined) candidates.push(candidate);
  }
  let total = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { key, bytes } of candidates.toSorted((a, b) => a.usedMs - b.usedMs)) {
    if (total <= limitBytes) return;
    if (!(await dropTemplate(options, key))) continue;
    total -= bytes;
    logger.info({ template: key, bytes }, "dropped the least used template");
  }
}

/** Removes a half-made or half-dropped template, unless the process that is at it lives. */
async function sweep(directory: string, name: string, logger: Logger): Promise<void> {
  const key = /^\.(?:building|dropping)-([0-9a-f]{32})$/u.exec(name)?.[1];
  if (key === undefined) return;
  const lock = tryLock(templatePaths(directory, key).lock);
  if (lock === undefined) return;
  try {
    await rm(join(directory, name), { recursive: true, force: true });
  } catch (error) {
    logger.warn({ template: key, error: errorText(error) }, "cannot remove a half-made template");
  } finally {
    lock.release();
  }
}

/** Drops one. False when it is in use, has gone meanwhile, or cannot be removed: nobody who wants a sandbox should fail for it. */
export async function dropTemplate(
  { directory, inUse, logger }: Omit<DropOptions, "limitBytes">,
  key: string,
): Promise<boolean> {
  const paths = templatePaths(directory, key);
  // Fails while anybody uses it or makes it anew.
  const lock = tryLock(paths.lock);
  if (lock === undefined) return false;
  try {
    // Under the lock: whoever held it until now may have made a clone that outlives him.
    if ((await inUse()).has(paths.snapshot)) return false;
    const dropping = templatePaths(directory, key, "dropping").directory;
    // In one step, so that nobody finds half a template.
    await rename(paths.directory, dropping);
    await rm(dropping, { recursive: true, force: true });
    return true;
  } catch (error) {
    // Another process may have dropped it since it was measured.
    if (errnoOf(error) !== "ENOENT")
      logger.warn({ template: key, error: errorText(error) }, "cannot drop a template");
    return false;
  } finally {
    lock.release();
  }
}

/** Real bytes (memory files are sparse) and last use; undefined for a template that has gone meanwhile. */
async function measure(directory: string, key: string): Promise<Candidate | undefined> {
  const paths = templatePaths(directory, key);
  try {
    const { realBytes } = await treeSize(paths.directory);
    const { mtimeMs } = await stat(paths.used).catch(() => stat(paths.directory));
    return { key, usedMs: mtimeMs, bytes: realBytes };
  } catch {
    return undefined;
  }
}
