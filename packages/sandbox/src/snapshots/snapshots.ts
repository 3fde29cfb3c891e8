import { existsSync } from "node:fs";
import { isVirgaError, silentLogger } from "@virga/vm";
import type { Logger, VirgaError } from "@virga/vm";
import { Catalog } from "../catalog/catalog.ts";
import { isSandboxId } from "../sandbox-id.ts";
import { homePaths, openHome } from "../home.ts";
import type { Home } from "../home.ts";
import { recoverHome } from "../recover-home.ts";
import { inUseError, whoNeedsSnapshot } from "./references.ts";
import type { Reference, ReferenceTools } from "./references.ts";
import { dropSnapshot, removeSnapshot } from "./remove-snapshot.ts";
import { snapshotInfo } from "./snapshot-info.ts";
import type { SnapshotInfo } from "./snapshot-info.ts";
import { snapshotPaths } from "./snapshot-paths.ts";

/** Whose snapshots. */
export interface SnapshotsOptions {
  /** Default: where the environment and the user put it. */
  readonly home?: Home;
  readonly logger?: Logger;
}

/** The snapshots of a state directory. Holds nothing open. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  #tools: Promise<ReferenceTools> | undefined;

  constructor(options: SnapshotsOptions = {}) {
    this.#options = options;
  }

  /** All snapshots, the oldest first, with those that forks made. */
  async list(): Promise<SnapshotInfo[]> {
    const tools = await this.#open();
    return Promise.all(tools.catalog.snapshots.list().map((row) => snapshotInfo(tools, row)));
  }

  /** The snapshot of this name, id, or beginning of an id, and who needs it. `NOT_FOUND`. */
  async info(reference: string): Promise<SnapshotInfo & { readonly users: readonly Reference[] }> {
    const tools = await this.#open();
    const row = tools.catalog.snapshots.find(reference);
    const users = await whoNeedsSnapshot(tools, row.id);
    return { ...(await snapshotInfo(tools, row)), users };
  }

  /**
   * Removes a snapshot by name, id, or beginning of an id, also one of which the catalogue knows nothing more. `NOT_FOUND`, `INVALID_STATE` while it is being taken,
   * `IN_USE` names who needs it. Gives its id.
   */
  async remove(reference: string): Promise<string> {
    const tools = await this.#open();
    try {
      const row = tools.catalog.snapshots.find(reference);
      await removeSnapshot(tools, row);
      return row.id;
    } catch (error) {
      if (!isVirgaError(error) || error.code !== "NOT_FOUND") throw error;
      return removeUnknown(tools, reference, error);
    }
  }

  #open(): Promise<ReferenceTools> {
    this.#tools ??= open(this.#options).catch((error: unknown) => {
      this.#tools = undefined;
      throw error;
    });
    return this.#tools;
  }
}

async function open(options: SnapshotsOptions): Promise<ReferenceTools> {
  const { logger = silentLogger } = options;
  const home = await openHome(options.home ?? homePaths());
  await recoverHome(home, logger);
  return { home, catalog: Catalog.open(home.catalog, { logger }) };
}

/** One whose row was damaged or lost. */
async function removeUnknown(
  tools: ReferenceTools,
  reference: string,
  error: VirgaError,
): Promise<string> {
  const { catalog, home } = tools;
  const id = catalog.damaged.find("snapshot", reference)?.id ?? reference;
  const isThere =
    catalog.damaged.find("snapshot", id) !== undefined ||
    (isSandboxId(id) && existsSync(snapshotPaths(home, id).directory));
  if (!isThere) throw error;
  const users = await whoNeedsSnapshot(tools, id);
  if (users.length > 0) throw inUseError(`snapshot "${reference}"`, users);
  await dropSnapshot(tools, id);
  return id;
}
