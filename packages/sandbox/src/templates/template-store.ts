import { mkdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errnoOf, silentLogger, tryLock } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { isTemplateKey } from "./template-key.ts";
import type { TemplateParts } from "./template-key.ts";
import { templatePaths } from "./template-paths.ts";
import { dropTemplates } from "./drop-templates.ts";

const FORMAT = 1;
const BACK_OFF_MS = [2, 5, 10, 20, 50] as const;
/** A template that was made and dropped again this often means a cache that is too small for one. */
const MAX_BUILDS = 3;

/** Real bytes of templates that are kept, where nothing else is said. */
export const DEFAULT_TEMPLATE_CACHE_BYTES = 4 * 1024 ** 3;

/** What a store needs. */
export interface TemplateStoreOptions {
  /** Where templates are; it exists. */
  readonly directory: string;
  /** Real bytes that all templates together may take before the least used ones are dropped. */
  readonly limitBytes: number;
  /** Snapshot directories that living VMs use. */
  readonly inUse: () => Promise<ReadonlySet<string>>;
  readonly logger?: Logger;
}

/** How to get a template that may not be there yet. */
export interface EnsureTemplateOptions {
  readonly parts: TemplateParts;
  /** Makes the snapshot at this path, which does not exist. When it rejects, nothing is left of it. */
  readonly build: (snapshotDirectory: string) => Promise<void>;
  /** Called once when another process is making it, or looks at the same moment whether it is there. */
  readonly onWait?: () => void;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for another process that is making it. Default 10 minutes. */
  readonly timeoutMs?: number;
}

/** A template that is surely not dropped until it is released. */
export interface TemplateUse {
  readonly key: string;
  /** The published snapshot. */
  readonly snapshotDirectory: string;
  /** Whether this call made it. */
  readonly built: boolean;
  /** To be called when no clone will be restored from it and none lives. Idempotent. */
  release(): void;
}

/**
 * Templates on disk, one directory per key, shared by all processes. A template appears whole or not at all: it is made in a directory of another name, under
 * a lock of its own, and renamed. Whoever uses one holds that lock shared; the kernel releases it when its holder dies.
 */
export class TemplateStore {
  readonly #options: TemplateStoreOptions;
  readonly #logger: Logger;

  constructor(options: TemplateStoreOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  /** The template, if it is there. */
  async find(key: string): Promise<TemplateUse | undefined> {
    return this.#take(key, false);
  }

  /**
   * The template, made first if it is not there: by one process, however many ask at once. `TIMEOUT` when another process takes too long over it, `ABORTED` by
   * the signal, else what `build` rejects with.
   */
  async ensure(key: string, options: EnsureTemplateOptions): Promise<TemplateUse> {
    const { signal, timeoutMs = 600_000 } = options;
    const deadline = performance.now() + timeoutMs;
    let builds = 0;
    let waits = 0;
    for (;;) {
      if (signal?.aborted === true) throw abortedError("waiting for a template", signal);
      const use = await this.#take(key, builds > 0);
      if (use !== undefined) return use;
      const lock = tryLock(this.#paths(key).lock);
      if (lock === undefined) {
        if (waits++ === 0) options.onWait?.();
        if (performance.now() > deadline) throw waitedTooLong(key, timeoutMs);
        const pauseMs = BACK_OFF_MS[Math.min(waits, BACK_OFF_MS.length) - 1];
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
        continue;
      }
      try {
        if (builds === MAX_BUILDS) throw droppedAgain(key, this.#options.limitBytes);
        if (await this.#make(key, options)) builds++;
      } finally {
        lock.release();
      }
    }
  }

  /** Drops a template that turned out to be damaged, unless somebody uses it. */
  async drop(key: string): Promise<void> {
    const lock = tryLock(this.#paths(key).lock);
    if (lock === undefined) return;
    try {
      await rm(this.#paths(key).directory, { recursive: true, force: true });
    } finally {
      lock.release();
    }
  }

  /** Drops the least used templates until the rest is within the limit, and what interrupted processes left. Templates in use stay. */
  async prune(): Promise<void> {
    const { directory, limitBytes, inUse } = this.#options;
    await dropTemplates({ directory, limitBytes, inUse, logger: this.#logger });
  }

  #paths(key: string): ReturnType<typeof templatePaths> {
    if (!isTemplateKey(key)) throw new TypeError(`not the key of a template: ${key}`);
    return templatePaths(this.#options.directory, key);
  }

  async #take(key: string, built: boolean): Promise<TemplateUse | undefined> {
    const paths = this.#paths(key);
    const lock = tryLock(paths.lock, "shared");
    if (lock === undefined) return undefined;
    try {
      if (!(await isWhole(paths))) {
        lock.release();
        return undefined;
      }
      await touch(paths.used);
    } catch (error) {
      lock.release();
      throw error;
    }
    return { key, snapshotDirectory: paths.snapshot, built, release: () => lock.release() };
  }

  /** Under the lock. False when another process was faster. */
  async #make(key: string, options: EnsureTemplateOptions): Promise<boolean> {
    const paths = this.#paths(key);
    if (await isWhole(paths)) return false;
    const work = templatePaths(this.#options.directory, key, "building");
    await rm(work.directory, { recursive: true, force: true });
    try {
      await mkdir(work.directory, { mode: 0o700 });
      await options.build(work.snapshot);
      const description = { format: FORMAT, key, createdAt: new Date().toISOString() };
      await writeFile(work.used, "");
      // Flushed before the rename: after a power cut the name must not stand for an empty file.
      await writeFile(
        work.description,
        `${JSON.stringify({ ...description, parts: options.parts }, undefined, 2)}\n`,
        { flush: true },
      );
      // A directory without a good description is one that something else damaged.
      await rm(paths.directory, { recursive: true, force: true });
      await rename(work.directory, paths.directory);
    } catch (error) {
      await rm(work.directory, { recursive: true, force: true });
      throw error;
    }
    this.#logger.info({ template: key }, "template made");
    return true;
  }
}

/** Whether the template is there and can be used. A description that is missing, damaged or of another version is as good as none: it is made anew. */
async function isWhole({ description }: { readonly description: string }): Promise<boolean> {
  try {
    const value: unknown = JSON.parse(await readFile(description, "utf8"));
    return (
      typeof value === "object" && value !== null && "format" in value && value.format === FORMAT
    );
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Notes the time of a use. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  try {
    await utimes(path, now, now);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    await writeFile(path, "");
  }
}

function waitedTooLong(key: string, timeoutMs: number): VirgaError {
  return new VirgaError(
    "TIMEOUT",
    `Another process has not finished template ${key} within ${timeoutMs / 1000} s`,
    {
      details: { template: key, timeoutMs },
      hint: "Is that process stopped? End it, then try again.",
    },
  );
}

function droppedAgain(key: string, limitBytes: number): VirgaError {
  return new VirgaError(
    "CAPACITY",
    `Template ${key} was dropped as soon as it was made, ${MAX_BUILDS} times: the limit of the template cache is ${limitBytes} bytes`,
    { details: { template: key, limitBytes }, hint: "Raise the limit of the template cache." },
  );
}
