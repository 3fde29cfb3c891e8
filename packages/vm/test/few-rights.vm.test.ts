// A VM's life where the manager may do little: as an ordinary user, and as a root that may not administer the system.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, chownSync, copyFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  prerequisite,
  qemuConfig,
  qemuMissing,
  testAssets,
  withLeakCheck,
  type TestPlace,
} from "@virga/testkit";
import type { VmConfig } from "@virga/vm";
import type { Life, LifeOptions } from "./one-life.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("one-life.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;
const skipUnlessRoot = prerequisite("root", isRoot ? undefined : "these tests change their user");
const someUser = 54_321;

/** Runs the life behind a command that execs what follows it. */
async function live(prefix: readonly string[], options: LifeOptions): Promise<Life> {
  const node = [process.execPath, "--conditions=virga-source", program, JSON.stringify(options)];
  const [command = "", ...args] = [...prefix, ...node];
  const { stdout } = await run(command, args);
  return JSON.parse(stdout);
}

async function lifeOptions(place: TestPlace): Promise<LifeOptions> {
  const { launcher } = await testAssets();
  const { directory, scratch } = place;
  const config = await qemuConfig(place, "a");
  return { directory, scratch, launcher, config, clone: await qemuConfig(place, "b") };
}

/** Gives the place to that user, with copies of what root keeps to itself. */
function handOver(place: TestPlace, options: LifeOptions, uid: number): LifeOptions {
  const copy = (path: string | undefined): string => {
    assert.ok(path !== undefined);
    const target = join(place.scratch, basename(path));
    copyFileSync(path, target);
    chmodSync(target, 0o755);
    return target;
  };
  const own = (config: VmConfig): VmConfig => {
    chownSync(config.rootfs?.path ?? "", uid, uid);
    return { ...config, kernel: copy(config.kernel), initramfs: copy(config.initramfs) };
  };
  for (const path of [place.root, place.directory, place.scratch]) chownSync(path, uid, uid);
  return {
    ...options,
    launcher: copy(options.launcher),
    config: own(options.config),
    clone: own(options.clone),
    uid,
  };
}

describe("a VM's life", { skip: qemuMissing() }, () => {
  test("as an ordinary user", { skip: skipUnlessRoot }, async (t) => {
    await withLeakCheck(t, async (place) => {
      const life = await live([], handOver(place, await lifeOptions(place), someUser));
      assert.deepEqual(life, {
        isolated: false,
        reason: "not running as root",
        vmmUids: `${someUser} ${someUser} ${someUser} ${someUser}`,
        vmmCapabilities: "0000000000000000",
        modes: ["copy", "shared"],
      });
    });
  });

  test("as root without CAP_SYS_ADMIN", { skip: skipUnlessRoot }, async (t) => {
    await withLeakCheck(t, async (place) => {
      const drop = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
      const life = await live(drop, await lifeOptions(place));
      assert.equal(life.isolated, false);
      assert.match(life.reason, /^The launcher failed at step "netns"[^]*EPERM$/);
      assert.equal(life.vmmUids, "0 0 0 0");
      const capabilities = BigInt(`0x${life.vmmCapabilities}`);
      assert.equal(capabilities & (1n << 21n), 0n, life.vmmCapabilities);
      assert.deepEqual(life.modes, ["copy", "shared"]);
    });
  });
});
