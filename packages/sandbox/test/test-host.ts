import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { patientMs } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { Host, Sandbox, Snapshots, ensureReady, homePaths, openHome } from "@virga/sandbox";
import type { Home, HostOptions } from "@virga/sandbox";
import { Catalog } from "../src/catalog/catalog.ts";

/** A home of a test's own. */
export async function testHome(place: TestPlace): Promise<Home> {
  const env = { VIRGA_HOME: join(place.scratch, "home") };
  return openHome(homePaths({ env, uid: 0, userHome: "/" }));
}

/** A host with a state directory of the test's own, and this machine's kernel, agent and launcher. */
export async function testHost(place: TestPlace, options: HostOptions = {}): Promise<Host> {
  const assets = await ensureReady();
  return Host.open({
    home: await testHome(place),
    assets,
    guestTimeoutMs: patientMs(120_000),
    ...options,
  });
}

/** Destroys the sandboxes and removes the snapshots whose names are meant. Default: all. */
export async function destroyAll(
  host: Host,
  isMeant: (name: string | null) => boolean = () => true,
): Promise<void> {
  for (const { id, name } of host.catalog.sandboxes.list()) {
    if (isMeant(name)) await (await Sandbox.connect(id, { host })).destroy();
  }
  const snapshots = new Snapshots({ home: host.home });
  for (const { id, name } of await snapshots.list()) if (isMeant(name)) await snapshots.remove(id);
}

/** Fails unless nothing is left of any VM in this home. */
export async function checkNoVm(home: Home): Promise<void> {
  const vms = (await readdir(home.vms)).filter((name) => name !== ".builds");
  const owners = existsSync(join(home.state, "owners"))
    ? await readdir(join(home.state, "owners"))
    : [];
  const [disks, sandboxes, snapshots, networks] = await Promise.all(
    [home.disks, home.sandboxes, home.snapshots, home.networks].map((directory) =>
      readdir(directory),
    ),
  );
  using catalog = Catalog.open(home.catalog);
  const rows = [...catalog.sandboxes.list(), ...catalog.snapshots.list()];
  assert.deepEqual(
    { vms, owners, disks, sandboxes, snapshots, networks, rows },
    { vms: [], owners: [], disks: [], sandboxes: [], snapshots: [], networks: [], rows: [] },
  );
}
