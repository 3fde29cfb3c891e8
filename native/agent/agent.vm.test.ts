// The agent as PID 1 of real guests: what needs a kernel of its own.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentClient, isGuestError } from "@virga/guest";
import {
  agentInitramfs,
  prerequisite,
  qemuConfig,
  qemuMissing,
  qemuSubject,
  testAssets,
  withLeakCheck,
  type TestPlace,
} from "@virga/testkit";
import { type Vm, type VmConfig, VmManager } from "@virga/vm";
import { sh, startScript, testFrozen, testMounts, testTrees } from "./test-guest.ts";

const imageTools = ["mksquashfs", "mkfs.ext4", "e2fsck", "busybox"];
const missingTools = imageTools.filter((name) => spawnSync("which", [name]).status !== 0);
const imageSkip = prerequisite(
  "image tools",
  missingTools.length > 0 ? `${missingTools.join(", ")} not installed` : undefined,
);

async function boot(place: TestPlace, more: Partial<VmConfig> = {}): Promise<Vm> {
  const { launcher } = await testAssets();
  const manager = new VmManager({
    directory: place.directory,
    launcher,
    drivers: [qemuSubject.driver],
  });
  const { rootfs: _, ...config } = await qemuConfig(place, "agent");
  return manager.create({ ...config, initramfs: await agentInitramfs(), ...more });
}

function clientOf(vm: Vm): AgentClient {
  return new AgentClient({
    connect: () => vm.connectGuest({ timeoutMs: 60_000 }),
    timeoutMs: 60_000,
  });
}

describe("the agent in a guest", { skip: qemuMissing(), concurrency: false }, () => {
  test("processes: their cgroup, their end, and all stand still between prepare and thaw", (t) =>
    withLeakCheck(t, async (place) => {
      await using vm = await boot(place);
      await using client = clientOf(vm);
      await testMounts(client);
      await testIdentity(client);
      await testCgroups(client);
      await testFiles(client);
      await testTrees(client, place.scratch);
      await testPrepare(client);
      await testFrozen(client);
      await testInitAfterPrepare(client);
      await testMemory(client);
      await client.shutdown("poweroff");
      assert.equal((await vm.exited).reason, "guest-poweroff");
    }));

  test(
    "an image is the root, what is written lies on the upper disk, which is clean at the end",
    { skip: imageSkip },
    (t) =>
      withLeakCheck(t, async (place) => {
        const image = makeImage(place);
        const upper = join(place.scratch, "upper");
        writeFileSync(upper, "");
        truncateSync(upper, 64 << 20);
        execFileSync("mkfs.ext4", ["-q", "-F", upper]);
        const disks = {
          rootfs: { path: image, readonly: true },
          disks: [{ id: "upper", path: upper }],
          kernelArguments: ["virga.root=/dev/vda", "virga.upper=/dev/vdb"],
        };
        for (const content of ["", "kept\n"]) {
          await using vm = await boot(place, disks);
          await using client = clientOf(vm);
          const script =
            "cat /marker; cat /etc/kept 2>/dev/null; echo kept > /etc/kept; ls /modules /init /virga";
          const output = await sh(client, script);
          assert.match(
            output,
            new RegExp(`^the image\n${content}(?:ls: /\\w+: No such file.*\n){3}$`),
          );
          // The old root is not in the way of namespaces.
          assert.match(await sh(client, "unshare -Urm id -u; stat -c %a /tmp"), /^0\n1777\n$/u);
          await client.shutdown("poweroff");
          assert.equal((await vm.exited).reason, "guest-poweroff");
          execFileSync("e2fsck", ["-f", "-n", upper], { stdio: "ignore" });
          const header = execFileSync("dumpe2fs", ["-h", upper], {
            stdio: ["ignore", "pipe", "ignore"],
          });
          assert.doesNotMatch(header.toString(), /needs_recovery/u);
        }
      }),
  );

  test(
    "a process that cannot be frozen is named, and all others run on",
    { skip: imageSkip },
    (t) =>
      withLeakCheck(t, async (place) => {
        const disk = join(place.scratch, "disk");
        writeFileSync(disk, "");
        truncateSync(disk, 16 << 20);
        execFileSync("mkfs.ext4", ["-q", "-F", disk]);
        await using vm = await boot(place, { disks: [{ id: "disk", path: disk }] });
        await using client = clientOf(vm);
        const mount = "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && fsfreeze --freeze /mnt";
        assert.equal(await sh(client, mount), "");
        await using other = await startScript(client, "while echo on; do sleep 0.1; done");
        other.stdout.resume();
        // Who writes to a frozen file system waits in the kernel, where nothing reaches him.
        await using writer = await startScript(client, "echo; echo content > /mnt/file");
        const state = `cut -d' ' -f3 /proc/${writer.pid}/stat`;
        while ((await sh(client, state)) !== "D\n") await sleep(10);
        await assert.rejects(client.prepare({ freezeTimeoutMs: 500 }), (error) => {
          assert.ok(isGuestError(error), String(error));
          assert.equal(error.code, "GUEST_NOT_FROZEN");
          assert.deepEqual(error.details.pids, [writer.pid]);
          return true;
        });
        assert.equal((await pingOf(client)).isPrepared, false);
        await once(other.stdout, "data");
        await sh(client, "fsfreeze --unfreeze /mnt");
        assert.equal((await writer.exited).code, 0);
        await client.prepare();
        await client.thaw();
        assert.equal(await sh(client, "cat /mnt/file; umount /mnt"), "content\n");
        await client.shutdown("poweroff");
        assert.equal((await vm.exited).reason, "guest-poweroff");
      }),
  );

  test("a root that is not there is told, and the agent answers all the same", (t) =>
    withLeakCheck(t, async (place) => {
      await using vm = await boot(place, { kernelArguments: ["virga.root=/dev/vdz"] });
      await using client = clientOf(vm);
      const problem = (await client.request("ping")).get("problem");
      assert.ok(typeof problem === "string");
      assert.match(problem, /^Cannot find \/dev\/vdz: /u);
      assert.equal(await sh(client, "echo here"), "here\n");
      await client.shutdown("reboot");
      assert.equal((await vm.exited).reason, "guest-reboot");
    }));
});

async function testIdentity(client: AgentClient): Promise<void> {
  await client.init({
    hostname: "one",
    machineId: "00112233445566778899aabbccddeeff",
    env: { GREETING: "hello" },
    network: { interface: "lo", address: "10.9.0.2/24", dns: ["10.9.0.3"], mtu: 9_000 },
  });
  const script =
    "hostname; cat /etc/machine-id /etc/resolv.conf; echo $GREETING; ip addr show lo | grep -c 10.9.0.2/24; cat /sys/class/net/lo/mtu; date +%s";
  const lines = (await sh(client, script)).trim().split("\n");
  assert.deepEqual(lines.slice(0, -1), [
    "one",
    "00112233445566778899aabbccddeeff",
    "nameserver 10.9.0.3",
    "hello",
    "1",
    "9000",
  ]);
  await client.files.write("/etc/hosts", "10.0.0.9\tmine\n", { append: true });
  await client.init({ hostname: "two" });
  assert.match(
    await client.files.readText("/etc/hosts"),
    /^127\.0\.0\.1\s+localhost\n::1\s+localhost\n10\.0\.0\.9\tmine\n127\.0\.1\.1\ttwo\t# this machine\n$/u,
  );
  assert.ok(Math.abs(Number(lines.at(-1)) - Date.now() / 1_000) < 60);
  await assert.rejects(
    client.init({ network: { interface: "none0", address: "10.9.0.2/24" } }),
    (error) =>
      isGuestError(error) && error.code === "GUEST_FAILED" && /No such device/u.test(error.message),
  );
}

async function testCgroups(client: AgentClient): Promise<void> {
  // Each in a leaf of its own, below what they see as the root: they cannot leave what prepare freezes.
  assert.match(await sh(client, "cat /proc/self/cgroup"), /^0::\/e\d+\n$/u);
  assert.equal(await sh(client, "test -e /sys/fs/cgroup/cgroup.freeze; echo $?"), "0\n");
  // What a lost connection leaves alive is nothing, even in sessions of their own.
  const child = await startScript(client, "setsid sleep 1234 & setsid sleep 1234 & echo; wait");
  const count = (): Promise<string> => sh(client, "ps -o args | grep -c '^sleep 1234'");
  assert.equal(await count(), "2\n");
  const lost = assert.rejects(child.exited);
  await child.close();
  await lost;
  while ((await count()) !== "0\n") await sleep(10);
  // Leaves go when they are empty.
  const leaves = (): Promise<string> => sh(client, "ls -d /sys/fs/cgroup/e*");
  while ((await leaves()).trim().split("\n").length > 1) await sleep(10);
  // Those whose parent ended before them are the agent's to reap: it is PID 1.
  while ((await sh(client, "ps -o stat | grep -c ^Z")) !== "0\n") await sleep(10);
}

/** As PID 1 its tasks are among the user's processes, and leave nothing. */
async function testFiles({ files }: AgentClient): Promise<void> {
  await files.write("/tmp/a/b", "content", { parents: true, owner: "1000:1000", mode: 0o640 });
  assert.equal(await files.readText("/tmp/a/b", { user: 1_000 }), "content");
  await assert.rejects(
    files.readText("/tmp/a/b", { user: 1_001 }),
    (error) => isGuestError(error) && error.code === "GUEST_DENIED",
  );
  const cgroup = await files.readText("/proc/self/cgroup");
  assert.match(cgroup, /^0::\/e\d+\n$/u);
}

/** Out of memory ends the user's process, not the agent. */
async function testMemory(client: AgentClient): Promise<void> {
  await using hog = await client.exec(["tail", "/dev/zero"]);
  assert.equal((await hog.exited).signal, 9);
  const { agentResidentKib } = await client.stats();
  assert.ok(agentResidentKib <= 1_024, `${agentResidentKib} KiB`);
}

async function testPrepare(client: AgentClient): Promise<void> {
  // It also notes by how many seconds it was held up at most, as far as it can tell by the guest's clock.
  const held = "read u _ < /proc/uptime; u=${u%.*}; [ $((u-l)) -gt $h ] && h=$((u-l)); l=$u";
  const counter = `h=0; read l _ < /proc/uptime; l=\${l%.*}; i=0; while :; do ${held}; i=$((i+1)); echo $i $h > /tmp/count; echo $i; done`;
  await using child = await startScript(client, counter);
  child.stdout.resume();
  const limited = await client.exec(["sleep", "1000"], { timeoutMs: 4_000 });
  await client.prepare();
  const { bootMs, isPrepared } = await pingOf(client);
  assert.equal(isPrepared, true);
  const isBusy = (error: unknown): boolean => isGuestError(error) && error.code === "GUEST_BUSY";
  await assert.rejects(client.exec(["true"]), isBusy);
  await assert.rejects(client.files.stat("/"), isBusy);
  // The limit of `limited` passes while all stands still: were its clock not stopped, it would be over.
  while ((await pingOf(client)).bootMs < bootMs + 4_500) await sleep(50);
  await client.prepare();
  await client.thaw();
  assert.equal(await sh(client, "ps -o args | grep -cx 'sleep 1000'"), "1\n");
  assert.equal((await limited.exited).timedOut, true);
  let [before = 0] = await countOf(client);
  while (before === 0) [before = 0] = await countOf(client);
  let [now = 0, heldS = 0] = await countOf(client);
  // Two on: what it does first may end what it had begun before.
  while (now < before + 2) [now = 0, heldS = 0] = await countOf(client);
  assert.ok(heldS >= 4, `the counter was held up for ${heldS} s`);
  await client.thaw();
}

/** The counter's state; zero when it is just being written. */
async function countOf(client: AgentClient): Promise<number[]> {
  return (await sh(client, "cat /tmp/count")).trim().split(" ").map(Number);
}

/** What a clone's host does: it knows nothing of the connections of before. */
async function testInitAfterPrepare(client: AgentClient): Promise<void> {
  const child = await startScript(client, "echo; sleep 1; echo alive > /tmp/alive; sleep 4321");
  const terminal = await client.exec(["cat"], { pty: { rows: 2, cols: 3 } });
  await client.prepare();
  const lost = Promise.all([assert.rejects(child.exited), assert.rejects(terminal.exited)]);
  await child.close();
  await client.init({ hostname: "clone" });
  // `terminal` was dropped by init; both run on without a host, until one attaches.
  await terminal.close();
  await lost;
  const again = await client.attach(terminal.pid);
  again.stdin.write("hello\n");
  let echoed = "";
  for await (const piece of again.stdout.iterator({ destroyOnReturn: false })) {
    echoed += String(piece);
    if (echoed === "hello\r\nhello\r\n") break;
  }
  while (!(await sh(client, "cat /tmp/alive")).startsWith("alive")) await sleep(10);
  assert.equal(
    await sh(client, "hostname; ps -o args | grep -cx 'sleep 4321'; ps -o args | grep -cx cat"),
    "clone\n1\n1\n",
  );
}

async function pingOf(client: AgentClient): Promise<{ bootMs: number; isPrepared: boolean }> {
  const ping = await client.request("ping");
  return { bootMs: Number(ping.get("bootMs")), isPrepared: ping.get("prepared") === true };
}

function makeImage(place: TestPlace): string {
  const tree = join(place.scratch, "tree");
  const image = join(place.scratch, "image");
  for (const path of ["bin", "etc", "usr/bin"]) mkdirSync(join(tree, path), { recursive: true });
  copyFileSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of ["sh", "cat", "ls", "id", "stat", "unshare"]) {
    symlinkSync("busybox", join(tree, "bin", name));
  }
  writeFileSync(join(tree, "marker"), "the image\n");
  execFileSync("mksquashfs", [tree, image, "-quiet", "-no-progress"]);
  return image;
}
