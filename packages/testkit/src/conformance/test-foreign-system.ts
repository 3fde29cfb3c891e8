import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readTail } from "@virga/vm";
import { debianInitramfs } from "../debian-initramfs.ts";
import { withLeakCheck } from "../leaks/leak-check.ts";
import { prerequisite } from "../prerequisite.ts";
import { managerOn, type ConformanceSubject } from "./conformance-subject.ts";
import { networksMissing, withNamespaces } from "./test-network.ts";

const GUEST = { mac: "02:fc:00:00:00:02", address: "10.77.0.2", mask: "255.255.255.0" };
const GATEWAY = "10.77.0.1";
const CONSOLE_BYTES = 2 ** 20;
const INIT = "/opt/own-init";
const MARK = "a disk of the test's own";

const ownInit = `#!/bin/sh
# /dev, /run, /proc and /sys are what the initramfs left.
say() { echo "own-init: $*" > /dev/console; }
say "pid $$, started as $0"
say "root $(awk '$2 == "/" && $1 != "rootfs" { print $1, $3, substr($4, 1, 2) }' /proc/mounts)"
say "mark $(cat /mark)"
say "command line $(cat /proc/cmdline)"
say "address $(ip -o -4 addr show dev eth0 | awk '{ print $4 }')"
say "gateway $(ip route | awk '$1 == "default" { print $3 }')"
say "ping $(ping -c 1 -w 30 ${GATEWAY} | grep -c '1 packets received')"
say end
poweroff -f
`;

function toolsMissing(): false | string {
  for (const [program, option] of [
    ["mke2fs", "-V"],
    ["busybox", "--help"],
    ["cpio", "--version"],
  ] as const) {
    const { error } = spawnSync(program, [option]);
    if (error !== undefined) return prerequisite(program, error.message);
  }
  return prerequisite("mke2fs", undefined);
}

/** A root file system with busybox and an init of its own, in an ext4 disk. Gives the disk's path. */
function makeRoot(directory: string): string {
  const tree = join(directory, "root");
  for (const name of ["bin", "dev", "opt", "proc", "root", "run", "sys", "tmp"]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  const busybox = spawnSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).stdout.trim();
  cpSync(busybox, join(tree, "bin/busybox"), { dereference: true });
  for (const name of ["sh", "cat", "awk", "ip", "ping", "grep", "poweroff"]) {
    symlinkSync("busybox", join(tree, "bin", name));
  }
  writeFileSync(join(tree, INIT), ownInit, { mode: 0o755 });
  writeFileSync(join(tree, "mark"), `${MARK}\n`);
  const disk = join(directory, "root.ext4");
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", tree, disk, "16M"]);
  return disk;
}

/** A kernel, an initramfs and a root file system that are not ours boot, and honour what the command line says. Real guests only. */
export function testForeignSystem(name: string, subject: ConformanceSubject): void {
  describe(`foreign system: ${name}`, { skip: networksMissing() || toolsMissing() }, () => {
    test("Debian's initramfs mounts the given disk, starts the given init and takes the given address", async (t) => {
      await withNamespaces(1, async ([namespace = ""]) => {
        execFileSync("ip", ["-n", namespace, "addr", "add", `${GATEWAY}/24`, "dev", "tap0"]);
        await withLeakCheck(t, async (place) => {
          const manager = await managerOn(subject, place);
          const { mac, address, mask } = GUEST;
          const config = await subject.config(place, "foreign");
          const vm = await manager.create({
            ...config,
            initramfs: await debianInitramfs(place.scratch),
            rootfs: { path: makeRoot(place.scratch) },
            initPath: INIT,
            guestChannel: false,
            memoryMib: 256,
            networkNamespace: namespace,
            network: { mac, tap: "tap0", guestAddress: address, gateway: GATEWAY, mask },
            // An initramfs that is not ours mounts the root: which one, the user says.
            kernelArguments: ["root=/dev/vda", "rw", "panic=-1"],
          });
          const exit = await vm.exited;
          const console = join(vm.config.vmDirectory, "run", "console.log");
          const { bytes } = await readTail(console, CONSOLE_BYTES);
          const text = bytes.toString("utf8").replaceAll("\r", "");
          const said = Object.fromEntries(
            [...text.matchAll(/^own-init: (\S+(?: line)?) ?(.*)$/gmu)].map(([, key, value]) => [
              key,
              value,
            ]),
          );
          const { "command line": line = "", ...rest } = said;
          assert.deepEqual(
            rest,
            {
              pid: `1, started as ${INIT}`,
              root: "/dev/vda ext4 rw",
              mark: MARK,
              address: `${address}/24`,
              gateway: GATEWAY,
              ping: "1",
              end: "",
            },
            text.slice(-4000),
          );
          const ours = `init=${INIT} ip=${address}::${GATEWAY}:${mask}::eth0:off root=/dev/vda rw`;
          assert.ok(line.includes(ours), line);
          assert.equal(exit.reason, "guest-poweroff");
          await vm.destroy();
        });
      });
    });
  });
}
