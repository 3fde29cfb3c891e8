import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { identifyProcess } from "@virga/vm";
import { Catalog } from "../src/catalog/catalog.ts";
import { homePaths, openHome } from "../src/home.ts";
import type { Home } from "../src/home.ts";

/** A home of a test's own, with its catalogue open. */
export async function testState(
  t: TestContext,
): Promise<{ readonly home: Home; readonly catalog: Catalog }> {
  const env = { VIRGA_HOME: join(await useTemporaryDirectory(t), "home") };
  const home = await openHome(homePaths({ env, uid: 0, userHome: "/" }));
  const catalog = Catalog.open(home.catalog);
  t.after(() => catalog.close());
  return { home, catalog };
}

/** The record of a VM that lives as long as this process, restored from that snapshot. */
export async function recordVm(home: Home, id: string, snapshotDirectory: string): Promise<void> {
  await mkdir(join(home.vms, id));
  const record = {
    format: 1,
    id,
    phase: "ready",
    config: {},
    build: {},
    uuid: id,
    isolated: true,
    process: identifyProcess(process.pid),
    restore: { directory: snapshotDirectory },
  };
  await writeFile(join(home.vms, id, "vm.json"), JSON.stringify(record));
}
