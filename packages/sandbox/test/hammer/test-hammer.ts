import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { collectGarbage, recoverHome } from "@virga/sandbox";
import type { TestPlace } from "@virga/testkit";
import { runKillChild, seededDraw } from "@virga/testkit";
import { verifySnapshot } from "../../src/snapshots/snapshot-hashes.ts";
import { snapshotPaths } from "../../src/snapshots/snapshot-paths.ts";
import { checkNoVm, destroyAll } from "../test-host.ts";
import { hammerHost } from "./hammer-host.ts";
import { readModel } from "./hammer-model.ts";
import type { HammerRun } from "./hammer-run.ts";
import { settleDoubt } from "./settle-doubt.ts";

/** How to hammer. */
export interface HammerOptions extends Pick<HammerRun, "host" | "operations"> {
  readonly processes: number;
  /** How many of them are killed again and again. Default 0. */
  readonly dying?: number;
  /** Milliseconds after which nobody begins an operation any more. Default: all are done. */
  readonly limitMs?: number;
}

const LAST_LINES = 80;
const child = new URL("./hammer-child.ts", import.meta.url);

/**
 * Lets processes do one operation after another on one state directory, by lot, and checks that each of them always finds what is its own as it left it, that nothing
 * fails for another reason than what others did, and that in the end all can be removed and nothing is left. The seed is told; `VIRGA_SEED` repeats the lots.
 */
export async function testHammer(
  t: TestContext,
  place: TestPlace,
  options: HammerOptions,
): Promise<void> {
  const { seed } = seededDraw();
  t.diagnostic(`VIRGA_SEED=${seed}`);
  const { host, operations, processes, dying = 0, limitMs } = options;
  const runs = Array.from({ length: processes }, (_, index): HammerRun => ({
    seed,
    index,
    host,
    operations,
    model: join(place.scratch, `model-${index}.json`),
    ...(limitMs !== undefined && { until: Date.now() + limitMs }),
  }));
  const lines: string[] = [];
  const deaths = await Promise.all(runs.map((run) => live(run, run.index < dying, lines))).catch(
    (error: unknown) => {
      process.stderr.write(`VIRGA_SEED=${seed}\n${lines.slice(-LAST_LINES).join("\n")}\n`);
      throw error;
    },
  );
  const begun = runs.map(({ model }) => readModel(model).begun);
  t.diagnostic(`operations: ${begun.join(", ")}; killed: ${deaths.join(", ")}`);
  await checkAll(runs, lines);
  await removeAll(runs[0] ?? assert.fail());
}

/** All lives of one process; gives how often it was killed. */
async function live(run: HammerRun, dies: boolean, lines: string[]): Promise<number> {
  const onOutput = (text: string): void => void lines.push(...text.trim().split("\n"));
  for (let deaths = 0; ; deaths++) {
    const given: HammerRun = { ...run, ...(dies && { dies: deaths }) };
    const wasKilled = await runKillChild(child, given, onOutput);
    if (!wasKilled) return deaths;
    assert.ok(dies, `process ${run.index} ended by SIGKILL`);
  }
}

/** What each of them holds for its own is there, and the catalogue agrees with the files. */
async function checkAll(runs: readonly HammerRun[], lines: string[]): Promise<void> {
  for (const run of runs) {
    const host = await hammerHost(run);
    await recoverHome(host.home);
    const tell = (text: string): void => void lines.push(text);
    await settleDoubt({ run, model: readModel(run.model), host, tell });
    const { sandboxes, snapshots, damaged } = host.catalog;
    for (const { id, phase, intent, owner } of sandboxes.list()) {
      assert.deepEqual([intent, owner], [null, null], `${id} is settled`);
      assert.ok(phase === "live" || phase === "suspended", `${id} is ${phase}`);
    }
    for (const { id, phase } of snapshots.list()) {
      assert.equal(phase, "ready", id);
      const problem = await verifySnapshot(snapshotPaths(host.home, id).memory, undefined);
      assert.equal(problem, undefined, id);
    }
    assert.deepEqual(damaged.list(), []);
  }
}

/** Everything can be removed, and then nothing is left. */
async function removeAll(run: HammerRun): Promise<void> {
  const host = await hammerHost(run);
  const { home } = host;
  await destroyAll(host);
  await collectGarbage({ home });
  assert.deepEqual((await collectGarbage({ home, orphans: true })).items, []);
  await checkNoVm(home);
  const halves = (await readdir(home.templates)).filter((name) => /^\.(?!.*\.lock$)/u.test(name));
  assert.deepEqual(halves, []);
}
