import { VirgaError, errorText } from "@virga/vm";
import type { SandboxRow } from "../catalog/rows.ts";
import { Timings } from "../timings.ts";
import type { Access } from "./access.ts";
import { cloneRow, cloneSnapshot } from "./clone-snapshot.ts";
import type { CreatedSandbox } from "./create-sandbox.ts";
import { destroySandbox } from "./destroy-sandbox.ts";
import type { LifeOptions } from "./life-tools.ts";
import type { MadeSandbox } from "./make-sandbox.ts";
import { takeSnapshot } from "./take-snapshot.ts";

/** As many clones are restored at once: more would only wait for each other. */
const AT_ONCE = 4;
const MOST = 1_000;

/** How to fork. */
export interface ForkOptions extends LifeOptions {
  /** Whether the clones die with this process. Default false. */
  readonly ephemeral?: boolean;
}

/**
 * Makes clones of a sandbox while it goes on: what runs in it runs on in each of them, as a machine of its own. All of them, or none when one fails, or when this
 * process dies before they are all there.
 */
export async function forkSandbox(
  access: Access,
  id: string,
  count: number,
  options: ForkOptions,
): Promise<CreatedSandbox[]> {
  if (!Number.isSafeInteger(count) || count < 1 || count > MOST) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `Cannot make ${count} forks: it is a whole number from 1 to ${MOST}`,
      { details: { count } },
    );
  }
  const host = await access.host();
  const rows: SandboxRow[] = [];
  const snapshot = await takeSnapshot(access, id, {
    ...options,
    kind: "fork",
    // At once with the snapshot, which nothing else keeps from being removed.
    onCommit: (taken) => {
      for (let index = 0; index < count; index++) rows.push(cloneRow(taken, { parent: id }));
      for (const row of rows) access.catalog.sandboxes.insert(row);
    },
  });
  const made = new Map<string, MadeSandbox>();
  try {
    await eachOf(rows, AT_ONCE, async (row) => {
      const how = {
        snapshot: snapshot.id,
        ephemeral: options.ephemeral ?? false,
        timings: new Timings(),
        ...(options.signal && { signal: options.signal }),
      };
      const clone = await cloneSnapshot(host, how, row);
      made.set(row.id, clone);
    });
    host.catalog.transaction(() => {
      for (const one of made.values()) one.keep();
    });
  } catch (error) {
    await takeBack(access, rows, made);
    throw error;
  }
  for (const one of made.values()) one.release();
  return [...made.values()].map(({ row, guest, timings }) => ({ host, row, guest, timings }));
}

/** Does `work` for each of them, a few at once, and waits for all that began also when one fails. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let isOver = false;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined && !isOver; item = items[next++]) {
      try {
        await work(item);
      } catch (error) {
        isOver = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  const failed = lanes.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Removes all clones, those that were never begun included; the snapshot goes with the last of them. */
async function takeBack(
  access: Access,
  rows: readonly SandboxRow[],
  made: ReadonlyMap<string, MadeSandbox>,
): Promise<void> {
  for (const { id } of rows) {
    try {
      // One that failed may have left its VM.
      await (made.get(id)?.remove() ?? destroySandbox(access, id));
    } catch (error) {
      access.logger.warn({ sandbox: id, error: errorText(error) }, "cannot take back a fork now");
    }
  }
}
