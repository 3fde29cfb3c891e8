import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { copySparse } from "@virga/vm";
import type { SnapshotRow } from "../catalog/rows.ts";
import { agentOf } from "../guest/guest-agent.ts";
import { upperPath } from "../sandbox-disks.ts";
import { newSandboxId } from "../sandbox-id.ts";
import { syncPath } from "../setup/publish.ts";
import { writeHashes } from "../snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../snapshots/snapshot-paths.ts";
import type { LifeOptions, LifeTools } from "./life-tools.ts";
import { operate, vmOf } from "./operate.ts";
import { withOperation } from "./operation-timings.ts";
import type { AtWork } from "./operate.ts";

/** What snapshot to take. */
export interface TakeSnapshotOptions extends LifeOptions {
  readonly kind: SnapshotRow["kind"];
  readonly name?: string | undefined;
  /** Called in the transaction by which the snapshot is there: for rows that need it. */
  readonly onCommit?: (snapshot: SnapshotRow) => void;
}

/**
 * Takes a snapshot of a sandbox: memory, devices and disk of one moment, in which what runs in it is frozen. A running sandbox goes on, and can be used, before its files are synced;
 * a paused one stays paused. A failure leaves the sandbox as it was, and no snapshot.
 */
export async function takeSnapshot(
  tools: LifeTools,
  id: string,
  options: TakeSnapshotOptions,
): Promise<SnapshotRow> {
  const name = options.kind;
  const plan = { name, legal: ["running", "paused"] } as const;
  return operate(tools, id, plan, options, (work) => take(tools, work, options));
}

async function take(
  tools: LifeTools,
  work: AtWork,
  options: TakeSnapshotOptions,
): Promise<SnapshotRow> {
  const { operation, timings, row, signal } = work;
  const { id } = row;
  const { catalog, home, manager } = tools;
  const abort = { signal };
  const wasPaused = work.state === "paused";
  const snapshot: SnapshotRow = {
    id: newSandboxId(),
    name: options.name ?? null,
    phase: "creating",
    kind: options.kind,
    sandbox: id,
    spec: row.spec,
    createdAt: new Date().toISOString(),
    timings: {},
  };
  await operation.step("intent", () =>
    catalog.transaction(() => {
      catalog.snapshots.insert(snapshot);
      const intent = { kind: "snapshot", snapshot: snapshot.id, wasPaused } as const;
      catalog.sandboxes.update(id, { intent });
    }),
  );
  const { directory, memory, upper } = snapshotPaths(home, snapshot.id);
  await operation.step("directory", () => mkdir(directory, { mode: 0o700 }));
  await operation.step("base", () => manager.prepareSnapshot(id, abort));
  await using agent = agentOf(vmOf(work), tools);
  if (!wasPaused) {
    await operation.step("mark", () => catalog.sandboxes.update(id, { pendingThaw: "thaw" }));
    await operation.step("prepare", () => agent.prepare(abort));
  }
  const stopped = performance.now();
  if (!wasPaused) await operation.step("pause", () => manager.pause(id, abort));
  const disk = upperPath(home, id);
  const hasDisk = existsSync(disk);
  let thawing: Promise<void> | undefined;
  try {
    await operation.step("save", () =>
      manager.snapshot(id, memory, {
        ...abort,
        ...(hasDisk && {
          whilePaused: () =>
            operation.step("disk", async () => void (await copySparse(disk, upper, abort))),
        }),
        resume: !wasPaused,
        onResumed: () => {
          timings.add("stop", performance.now() - stopped);
          thawing = operation.step("thaw", async () => {
            await agent.thaw();
            // It can be used again, while its files are synced and hashed.
            catalog.sandboxes.update(id, { pendingThaw: "none" });
          });
          // Waited for when the files are published; an error before that must not be lost.
          thawing.catch(() => undefined);
        },
      }),
    );
  } finally {
    // Also where it fails: what settles it must not be overtaken by a late thaw.
    await Promise.allSettled([thawing]);
  }
  await thawing;
  if (hasDisk) await operation.step("sync", () => syncPath(upper));
  // Of one that may be kept for long; what runs in the sandbox goes on meanwhile.
  if (options.kind === "snapshot") {
    await operation.step("hash", () => writeHashes(memory, signal));
  }
  await operation.step("sync directory", () => syncPath(directory));
  const taken = { ...snapshot, phase: "ready", timings: timings.toJSON() } as const;
  // Durable: recovery removes one that is not ready. What a fork needs does not outlive this process.
  const durable = options.kind === "snapshot";
  await operation.step("commit", () =>
    catalog.transaction(
      () => {
        catalog.snapshots.update(snapshot.id, { phase: "ready", timings: taken.timings });
        const pendingThaw = wasPaused ? "thaw" : "none";
        const noted = withOperation(row, options.kind, timings);
        catalog.sandboxes.update(id, { intent: null, pendingThaw, timings: noted });
        options.onCommit?.(taken);
      },
      { durable },
    ),
  );
  return taken;
}
