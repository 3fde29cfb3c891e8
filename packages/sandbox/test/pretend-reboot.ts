import { existsSync } from "node:fs";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identifyProcess, isSameProcess } from "@virga/vm";
import type { ProcessIdentity } from "@virga/vm";
import { Catalog } from "../src/catalog/catalog.ts";
import type { Home } from "../src/home.ts";

const EARLIER_BOOT = "00000000-0000-4000-8000-000000000000";

/**
 * Leaves a state directory as a reboot of this machine does: all processes are gone without a word, what was in memory is gone, and every process that was written
 * down is one of an earlier boot, whose pid and start time a living one may have by now: that of `namesake`.
 */
export async function pretendReboot(home: Home, namesake: ProcessIdentity): Promise<void> {
  const { pid, startTime, pidNamespace } = namesake;
  const reborn = { pid, startTime, pidNamespace, bootId: EARLIER_BOOT };
  for (const id of await readdir(home.vms)) {
    const path = join(home.vms, id, "vm.json");
    if (!existsSync(path)) continue;
    const record = JSON.parse(await readFile(path, "utf8"));
    await kill(record.process);
    await writeFile(path, JSON.stringify({ ...record, process: reborn }));
  }
  await rm(home.run, { recursive: true, force: true });
  const owners = join(home.state, "owners");
  for (const name of existsSync(owners) ? await readdir(owners) : []) {
    const record = JSON.parse(await readFile(join(owners, name), "utf8"));
    await writeFile(join(owners, name), JSON.stringify({ ...record, owner: reborn }));
  }
  using catalog = Catalog.open(home.catalog);
  for (const { id, owner } of catalog.sandboxes.list())
    if (owner !== null) catalog.sandboxes.update(id, { owner: reborn });
}

async function kill(identity: ProcessIdentity): Promise<void> {
  process.kill(identity.pid, "SIGKILL");
  while (isSameProcess(identity)) await sleep(5);
}

/** The identity of a living process. */
export function identityOf(pid: number | undefined): ProcessIdentity {
  const identity = pid === undefined ? undefined : identifyProcess(pid);
  if (identity === undefined) throw new Error(`process ${pid} does not live`);
  return identity;
}
