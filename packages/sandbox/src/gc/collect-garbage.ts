import { abortedError, errorText, silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { homePaths, openHome } from "../home.ts";
import type { Home } from "../home.ts";
import { lightTools } from "../life/access.ts";
import { recoverSandboxes } from "../life/recover-sandboxes.ts";
import { deadSandboxes } from "./dead-sandboxes.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";
import { orphans } from "./orphans.ts";
import { spareImages } from "./spare-images.ts";
import { spareSnapshots } from "./spare-snapshots.ts";
import { staleTemplates } from "./stale-templates.ts";
import { damagedRows, verifyAll } from "./verify.ts";
import type { Damage } from "./verify.ts";

/** What to collect. */
export interface CollectGarbageOptions {
  /** Default: where the environment and the user put it. */
  readonly home?: Home;
  readonly logger?: Logger;
  /** Only tells what would be removed, but for what would be free only after that. */
  readonly dryRun?: boolean;
  /** Also compares images, templates and snapshots with what was written. */
  readonly verify?: boolean;
  /** Also removes VMs, disks, suspended sandboxes and snapshots of which the catalogue knows nothing. After a catalogue was lost, that is all of them. */
  readonly orphans?: boolean;
  readonly signal?: AbortSignal;
}

/** Something that nothing needs. */
export interface GarbageItem extends Omit<Garbage, "remove" | "isOrphan"> {
  /** False in a dry run, for what only `orphans` removes, or when it could not be removed: somebody needs it by now, or the log says why. */
  readonly removed: boolean;
}

/** What was found. */
export interface GarbageReport {
  readonly items: readonly GarbageItem[];
  /** What is kept and cannot be used: rows of the catalogue, and, verified, files. */
  readonly damaged: readonly Damage[];
}

/** In this order: what goes may have kept what comes after it. */
const SOURCES: readonly ((tools: GarbageTools) => Promise<Garbage[]>)[] = [
  deadSandboxes,
  orphans,
  spareSnapshots,
  spareImages,
  staleTemplates,
];

/**
 * Removes what nothing needs: what died with its process, what the catalogue knows nothing of (where it is of
 * value: only with `orphans`), snapshots of forks from which no VM goes on, images without a
 * name, a sandbox or a snapshot, templates whose image or kernel is gone, and what interrupted processes left. Nothing that is damaged is removed.
 */
export async function collectGarbage(options: CollectGarbageOptions = {}): Promise<GarbageReport> {
  const { logger = silentLogger, dryRun = false, verify = false, signal } = options;
  const withOrphans = options.orphans === true;
  const home = await openHome(options.home ?? homePaths());
  const tools = lightTools(home, logger);
  const items: GarbageItem[] = [];
  for (const find of SOURCES) {
    for (const { remove, isOrphan, ...garbage } of await find(tools)) {
      if (signal?.aborted === true) throw abortedError("collecting garbage", signal);
      const isKept = dryRun || (isOrphan === true && !withOrphans);
      const removed = !isKept && (await tryRemove(garbage, remove, logger));
      items.push({ ...garbage, removed });
    }
    // What dead operations left undone keeps snapshots and images; sandboxes that go were told of by now.
    if (find === deadSandboxes && !dryRun) await recoverSandboxes(tools);
  }
  const damaged = [...damagedRows(tools), ...(verify ? await verifyAll(tools, signal) : [])];
  return { items, damaged };
}

async function tryRemove(
  { kind, id }: Pick<Garbage, "kind" | "id">,
  remove: Garbage["remove"],
  logger: Logger,
): Promise<boolean> {
  try {
    const removed = await remove();
    if (removed) logger.info({ kind, id }, "removed what nothing needs");
    return removed;
  } catch (error) {
    logger.warn({ kind, id, error: errorText(error) }, "cannot remove what nothing needs now");
    return false;
  }
}
