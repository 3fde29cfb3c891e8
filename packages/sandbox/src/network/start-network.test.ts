import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { testProgram, usePathPrograms, withLeakCheck } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { isSameProcess, silentLogger } from "@virga/vm";
import { homePaths, openHome } from "../home.ts";
import type { Home } from "../home.ts";
import { networkSocket } from "./guest-network.ts";
import { readNetworkRecord } from "./network-record.ts";
import { removeNetwork } from "./remove-network.ts";
import { startNetwork } from "./start-network.ts";

/** Goes into the background, as passt does, and ends with its socket. */
const passt = `for fd; do :; done
(exec < /dev/null > /dev/null 2>&1; exec cat <&"$fd") 2> /dev/null &
exit 0`;

async function newNetworks(t: TestContext, place: TestPlace, script = passt) {
  await usePathPrograms(t, place.scratch, { passt: script });
  const env = { VIRGA_HOME: join(place.scratch, "home") };
  const home = await openHome(homePaths({ env, uid: 0, userHome: "/" }));
  const assets = {
    launcher: await testProgram("launcher"),
    passtGuard: await testProgram("passt-guard"),
  };
  const start = (id: string, signal?: AbortSignal): Promise<void> =>
    startNetwork({ home, id, assets, logger: silentLogger, signal });
  return { home, start };
}

async function processOf(home: Home, id: string) {
  const found = await readNetworkRecord(home, id);
  assert.ok(found !== undefined);
  return found;
}

test("what serves a network is written down, started anew for each VMM, and removed by whoever knows the id", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, start } = await newNetworks(t, place);
    await start("one");
    assert.ok(existsSync(networkSocket(home, "one")));
    const first = await processOf(home, "one");
    assert.ok(isSameProcess(first));
    await start("one");
    const second = await processOf(home, "one");
    assert.deepEqual([isSameProcess(first), isSameProcess(second)], [false, true]);
    await start("two");
    await removeNetwork(home, "one", silentLogger);
    assert.equal(isSameProcess(second), false);
    assert.deepEqual(await readdir(home.networks), ["two"]);
    await removeNetwork(home, "one", silentLogger);
    await removeNetwork(home, "two", silentLogger);
  }));

test("a record that does not name this very process ends nothing", (t) =>
  withLeakCheck(t, async (place) => {
    const { home } = await newNetworks(t, place);
    const other = { pid: process.pid, startTime: "1", bootId: "b", pidNamespace: "p" };
    for (const record of ["", "null", "{}", JSON.stringify({ format: 1, process: other })]) {
      const directory = join(home.networks, "old");
      await mkdir(directory);
      await writeFile(join(directory, "network.json"), record);
      await removeNetwork(home, "old", silentLogger);
      assert.deepEqual(await readdir(home.networks), []);
    }
  }));

test("where passt cannot serve its words are told, and nothing is left", (t) =>
  withLeakCheck(t, async (place) => {
    const words =
      "echo 'Failed to send 9 bytes to syslog\nNo external routable interface' >&2; exit 1";
    const { home, start } = await newNetworks(t, place, words);
    await assert.rejects(start("one"), {
      code: "LAUNCH_FAILED",
      message: "Cannot give the sandbox a network: passt says: No external routable interface",
    });
    assert.deepEqual(await readdir(home.networks), []);
  }));

test("an abort ends the wait for a passt that never serves, and leaves nothing", (t) =>
  withLeakCheck(t, async (place) => {
    const { home, start } = await newNetworks(t, place, "exec sleep 600");
    const abort = new AbortController();
    const starting = assert.rejects(start("one", abort.signal), { code: "ABORTED" });
    while ((await readNetworkRecord(home, "one")) === undefined) await new Promise(setImmediate);
    abort.abort();
    await starting;
    assert.deepEqual(await readdir(home.networks), []);
  }));
