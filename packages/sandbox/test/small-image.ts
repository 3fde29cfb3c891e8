import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestPlace } from "@virga/testkit";
import { Images, currentBusybox, homePaths } from "@virga/sandbox";
import type { Home } from "@virga/sandbox";

const APPLETS = ["sh", "cat", "echo", "sleep", "sync", "hostname", "head", "md5sum", "kill"];

/** Makes an image with a disk and nothing in it but this machine's busybox. */
export async function buildSmallImage(place: TestPlace, home: Home, name: string): Promise<void> {
  const tree = join(place.scratch, `image-${name}`);
  for (const folder of ["bin", "etc", "root", "srv"]) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  const busybox = await currentBusybox(homePaths().busybox);
  assert.ok(busybox !== undefined, "set-up gave no busybox");
  copyFileSync(busybox, join(tree, "bin/busybox"));
  for (const applet of APPLETS) symlinkSync("busybox", join(tree, "bin", applet));
  writeFileSync(join(tree, "etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  const environment = { PATH: "/bin", HOME: "/root" };
  await new Images({ home }).build({ name, from: tree, settings: { environment } });
}
