import { recoverHome } from "@virga/sandbox";
import { seededDraw } from "@virga/testkit";
import { hammerHost } from "./hammer-host.ts";
import { readModel, writeModel } from "./hammer-model.ts";
import type { HammerRun } from "./hammer-run.ts";
import { lookAround } from "./look-around.ts";
import { useOwn } from "./own-work.ts";
import { settleDoubt } from "./settle-doubt.ts";
import { useShared } from "./shared-work.ts";
import type { HammerWorker, Lot } from "./worker.ts";

/** Does one process's share of a hammer, each operation by lot, and checks what is its own. Throws at the first thing that is not as it must be. */
export async function doShare(run: HammerRun, tell: (text: string) => void): Promise<void> {
  const model = readModel(run.model);
  let host = await hammerHost(run);
  await recoverHome(host.home);
  await settleDoubt({ run, model, host, tell });
  writeModel(run.model, model);
  while (model.begun < run.operations && Date.now() < (run.until ?? Infinity)) {
    const lot = lots(run, model.begun);
    // Some commands come from a process that was there before, others from a new one.
    if (lot("new", 3) === 0) {
      host = await hammerHost(run);
      await recoverHome(host.home);
    }
    await operate({ run, model, host, tell }, lot);
  }
}

function lots({ seed, index }: HammerRun, operation: number): Lot {
  const { draw } = seededDraw(seed);
  return (name, limit) => draw(`${index} ${operation} ${name}`, limit) - 1;
}

async function operate(worker: HammerWorker, lot: Lot): Promise<void> {
  const kind = lot("kind", 10);
  // Where it has nothing of its own to work on and no place for more.
  const isDone = kind < 5 && (await useOwn(worker, lot));
  if (isDone) return;
  if (kind < 8) await useShared(worker, lot);
  else await lookAround(worker, lot);
}
