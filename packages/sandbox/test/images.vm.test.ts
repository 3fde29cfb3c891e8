import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { imageToolsMissing, qemuMissing, withLeakCheck } from "@virga/testkit";
import type { TestPlace } from "@virga/testkit";
import { Images, Sandbox, currentBusybox, homePaths } from "@virga/sandbox";
import type { Host, ImageSettings } from "@virga/sandbox";
import { upperPath } from "../src/sandbox-disks.ts";
import { checkNoVm, testHost } from "./test-host.ts";

const unsized = { hypervisor: "qemu", memoryMib: 128, image: "tools" } as const;
const shape = { ...unsized, diskMib: 256 } as const;
/** MiB where nothing else is asked for. */
const DEFAULT_DISK_MIB = 10 * 1024;
const settings: Partial<ImageSettings> = {
  user: "worker:crew",
  workdir: "/srv",
  environment: { PATH: "/tools", GREETING: "hello" },
};
const APPLETS = [
  "sh",
  "cat",
  "pwd",
  "dd",
  "rm",
  "sync",
  "mount",
  "ls",
  "mkdir",
  "tar",
  "id",
  "chmod",
  "df",
];

/** The busybox that this machine's guests have. */
async function guestBusybox(): Promise<string> {
  return (await currentBusybox(homePaths().busybox)) ?? assert.fail("set-up gave no busybox");
}

/** An image with nothing in it but busybox in an unusual place, and a file. */
async function buildTools(place: TestPlace, host: Host): Promise<void> {
  const tree = join(place.scratch, "tree");
  for (const name of ["tools", "srv"]) mkdirSync(join(tree, name), { recursive: true });
  copyFileSync(await guestBusybox(), join(tree, "tools/busybox"));
  for (const name of APPLETS) symlinkSync("busybox", join(tree, "tools", name));
  writeFileSync(join(tree, "srv/note"), "of the image\n");
  mkdirSync(join(tree, "etc"));
  writeFileSync(
    join(tree, "etc/passwd"),
    "root:x:0:0::/:/tools/sh\nworker:x:1000:7::/srv:/tools/sh\n",
  );
  writeFileSync(join(tree, "etc/group"), "crew:x:9:\n");
  await new Images({ home: host.home }).build({ name: "tools", from: tree, settings });
}

async function say(sandbox: Sandbox, script: string, user = "root"): Promise<string> {
  const { stdout, stderr, exitCode } = await sandbox.run(["sh", "-c", script], {
    user,
    reject: false,
  });
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

/** The size of the root file system, as programs inside see it, is the disk's: less what ext4 itself takes, its journal above all. */
async function checkSize(sandbox: Sandbox, diskMib: number): Promise<void> {
  const [, line = ""] = (await say(sandbox, "df -P -m /")).split("\n");
  const mib = Number(/^\S+ +(\d+) /u.exec(line)?.[1]);
  assert.ok(mib <= diskMib && mib >= diskMib * 0.95 - 20, `${diskMib} MiB asked for: ${line}`);
}

const realKib = async (path: string): Promise<number> => (await stat(path)).blocks / 2;

/** Writes into one clone and not into the other: neither shows in the other one, nor in the template, nor in the image. */
async function clonesAreApart(host: Host): Promise<void> {
  await using one = await Sandbox.create({ ...shape, host });
  await using two = await Sandbox.create({ ...shape, host });
  assert.ok((await one.vm.info()).restore, "restored from a template");
  await checkSize(one, shape.diskMib);
  await say(one, "echo changed > note; echo new > /tools/new; rm /tools/tar; sync");
  assert.equal(await say(one, "cat note"), "changed");
  assert.equal(await say(two, "cat note; ls /tools/tar"), "of the image\n/tools/tar");
  await using three = await Sandbox.create({ ...shape, host });
  assert.equal(await say(three, "cat note; ls /tools/new || echo none"), "of the image\nnone");
  await assert.rejects(new Images({ home: host.home }).remove("tools"), { code: "IN_USE" });
}

/** What is removed inside is given back to the host's file system. */
async function spaceReturns(host: Host): Promise<void> {
  await using sandbox = await Sandbox.create({ ...shape, host });
  const disk = upperPath(host.home, sandbox.id);
  const before = await realKib(disk);
  await say(sandbox, "dd if=/dev/urandom of=/srv/big bs=1M count=24 2>/dev/null; sync");
  const full = await realKib(disk);
  assert.ok(full > before + 20 * 1024, `${before} KiB, then ${full} KiB`);
  await say(sandbox, "rm /srv/big; sync");
  // The guest's kernel gives it back by and by.
  while ((await realKib(disk)) > before + 4 * 1024) await sleep(20);
}

const skip = qemuMissing() || imageToolsMissing("sqfstar", "mke2fs");

describe("images on QEMU", { skip }, () => {
  test("a guest runs from an image, cold and as a clone with a disk of its own", (t) =>
    withLeakCheck(t, async (place) => {
      const host = await testHost(place);
      await buildTools(place, host);
      {
        await using cold = await Sandbox.create({ ...unsized, host, cold: true });
        await checkSize(cold, DEFAULT_DISK_MIB);
        const script = 'pwd; cat note; echo "$GREETING $MORE"; mount | cat';
        const { stdout } = await cold.run(["sh", "-c", script], { env: { MORE: "more" } });
        const [directory, note, greeting, ...mounts] = stdout.trim().split("\n");
        assert.deepEqual([directory, note, greeting], ["/srv", "of the image", "hello more"]);
        assert.ok(mounts.some((line) => line.startsWith("overlay on / type overlay")));
        assert.equal((await cold.run(["pwd"], { cwd: "/" })).stdout, "/\n");
        const who = await cold.run(["sh", "-c", "id; echo $HOME"]);
        assert.match(who.stdout, /^uid=1000.* gid=9.*\n\/srv\n$/);
        assert.match(await say(cold, "id"), /^uid=0/);
        await cold.copyIn(join(place.scratch, "tree/srv/note"), "/made/here/");
        assert.equal(await say(cold, "cat /made/here/note"), "of the image");
        await assert.rejects(cold.run(["uname"]), {
          code: "GUEST_NOT_FOUND",
          message: /PATH is \/tools/,
        });
      }
      await clonesAreApart(host);
      await spaceReturns(host);
      await checkNoVm(host.home);
      const [image] = await new Images({ home: host.home }).list();
      assert.deepEqual(image?.names, ["tools"]);
      await new Images({ home: host.home }).remove("tools");
      await assert.rejects(Sandbox.create({ ...shape, host }), { code: "NOT_FOUND" });
    }));
});
