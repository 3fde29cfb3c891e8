import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, open, readdir, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { imageToolsMissing, useTemporaryDirectory } from "@virga/testkit";
import { copySparse } from "@virga/vm";
import { homePaths } from "@virga/sandbox";
import { reflinkCheck } from "../src/doctor/reflink-check.ts";

const MIB = 1024 * 1024;

/** The smallest that mkfs.xfs makes is of 300 MiB. */
async function withXfs(mount: string, run: () => Promise<void>): Promise<void> {
  const disk = `${mount}.xfs`;
  await writeFile(disk, "");
  await truncate(disk, 320 * MIB);
  execFileSync("mkfs.xfs", ["-q", disk]);
  await mkdir(mount);
  execFileSync("mount", ["-o", "loop", disk, mount]);
  try {
    await run();
  } finally {
    execFileSync("umount", [mount]);
  }
}

async function usedBytes(directory: string): Promise<number> {
  const { bsize, blocks, bfree } = await statfs(directory);
  return (blocks - bfree) * bsize;
}

describe("a state directory on XFS", { skip: imageToolsMissing("mkfs.xfs") }, () => {
  test("copies of disks and memory share blocks, and doctor says so", async (t) => {
    const mount = join(await useTemporaryDirectory(t), "xfs");
    await withXfs(mount, async () => {
      const home = homePaths({ env: { VIRGA_HOME: join(mount, "home") }, uid: 0, userHome: "/" });
      assert.deepEqual(await reflinkCheck.run({ home } as Parameters<typeof reflinkCheck.run>[0]), {
        ok: true,
        detail: `copies in ${mount} share blocks`,
      });
      assert.deepEqual(await readdir(mount), []);

      const [source, copy] = [join(mount, "source"), join(mount, "copy")];
      const file = await open(source, "w");
      await file.truncate(10_000 * MIB);
      await file.write(Buffer.alloc(32 * MIB, 7), 0, 32 * MIB, 100 * MIB);
      await file.sync();
      await file.close();
      const before = await usedBytes(mount);
      assert.equal(await copySparse(source, copy), "reflink");
      const [{ size, blocks, mode }, used] = [await stat(copy), await usedBytes(mount)];
      assert.deepEqual([size, mode & 0o777], [10_000 * MIB, 0o600]);
      assert.ok(blocks * 512 >= 32 * MIB, "it has all that was written");
      assert.ok(used - before < 4 * MIB, `it takes ${used - before} bytes`);
      execFileSync("cmp", ["-n", String(200 * MIB), source, copy]);

      // What is written to the one is not in the other.
      const changed = await open(copy, "r+");
      await changed.write("x", 100 * MIB);
      await changed.close();
      const original = await open(source, "r");
      const { buffer } = await original.read(Buffer.alloc(1), 0, 1, 100 * MIB);
      await original.close();
      assert.equal(buffer[0], 7);
    });
  });
});
