import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readFile, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { Sandbox, collectGarbage, recoverHome } from "@virga/sandbox";
import type { Home } from "@virga/sandbox";
import { askFakeGuest, useTemporaryDirectory, withLeakCheck } from "@virga/testkit";
import { identifyProcess } from "@virga/vm";
import { openAccess } from "../src/life/access.ts";
import { fakeHost } from "./fake-host.ts";
import { idOf } from "./test-rows.ts";
import { testState } from "./test-vms.ts";
import { fakeHostOptions } from "./use-fake-host.ts";

const ID = idOf("somebody's");
const KEY = "a".repeat(32);
const DIGEST = "b".repeat(64);

/** Everything that removes what was left behind. */
async function removeLeft(home: Home): Promise<void> {
  await recoverHome(home);
  await openAccess({ home });
  for (const orphans of [false, true]) await collectGarbage({ home, orphans, verify: true });
}

/** Every path below a directory with what it holds, or where it leads; the catalogue and locks excepted. */
async function contents(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    if (/(?:^|\/)(?:catalog\.sqlite.*|lock|lock\.db.*|[^/]+\.lock)$/u.test(name)) continue;
    const path = join(root, name);
    const entry = await lstat(path);
    if (entry.isSymbolicLink()) found[name] = `-> ${await readlink(path)}`;
    else if (entry.isFile()) found[name] = await readFile(path, "utf8");
    else found[name] = entry.isDirectory() ? "directory" : "socket";
  }
  return found;
}

async function plant(path: string, text = "somebody's"): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Files of others, and where they lie. */
const kinds: readonly {
  readonly title: string;
  readonly plant: (home: Home) => Promise<void>;
}[] = [
  {
    title: "directories and files of other names",
    plant: async (home) => {
      const { vms, disks, sandboxes, snapshots, networks, images, templates, state, run } = home;
      for (const directory of [vms, disks, sandboxes, snapshots, networks, images, templates]) {
        await plant(join(directory, "thesis", "chapter.txt"));
        await plant(join(directory, "notes.txt"));
      }
      for (const directory of [state, run, join(state, "owners")])
        await plant(join(directory, "notes.json"));
    },
  },
  {
    title: "a file that has the name of a directory",
    plant: async ({ vms, sandboxes, snapshots, networks }) => {
      for (const directory of [vms, sandboxes, snapshots, networks])
        await plant(join(directory, ID));
    },
  },
  {
    title: "a directory that has the name of a disk",
    plant: ({ disks }) => plant(join(disks, `${ID}.ext4`, "notes.txt")),
  },
  {
    title: "a VM's directory with files of others in it",
    plant: async ({ vms }) => {
      await plant(join(vms, ID, "thesis.txt"));
      await mkdir(join(vms, ID, "run"));
    },
  },
  {
    title: "a VM's record that this version cannot read",
    plant: async ({ vms }) => {
      await plant(join(vms, ID, "vm.json"), '{"format":99}');
      await plant(join(vms, idOf("torn"), "vm.json"), '{"format":1');
    },
  },
  {
    title: "an owner's record that cannot be read",
    plant: async ({ state }) => {
      await plant(join(state, "owners", `${ID}.json`), '{"format":99}');
      await plant(join(state, "owners", "torn.json"), '{"format":1');
    },
  },
];

for (const { title, plant: plantThem } of kinds) {
  test(`left alone: ${title}`, async (t) => {
    const { home } = await testState(t);
    await plantThem(home);
    const before = await contents(home.state);
    assert.ok(Object.keys(before).length > 0);
    await removeLeft(home);
    assert.deepEqual(await contents(home.state), before);
  });
}

/** A directory outside that looks like what links with our names lead to. */
async function outside(t: TestContext): Promise<string> {
  const root = await useTemporaryDirectory(t);
  for (const name of ["vm.json", "run/api.sock", "lock.db", "base/memory"])
    await plant(join(root, name), "");
  for (const name of ["suspended-1/memory", "snapshot/memory", "template.json", "chapter.txt"])
    await plant(join(root, name));
  return root;
}

test("left alone: what links with our names lead to", async (t) => {
  const { home } = await testState(t);
  const root = await outside(t);
  const { vms, disks, sandboxes, snapshots, networks, templates, images } = home;
  const entities = [vms, sandboxes, snapshots, networks].map((directory) => join(directory, ID));
  const links = [...entities, join(vms, idOf("empty")), join(disks, `${ID}.ext4`)];
  const halves = ["building", "dropping"].flatMap((word) => [
    join(templates, `.${word}-${KEY}`),
    join(images, `.${word}-${DIGEST}`),
  ]);
  const empty = await useTemporaryDirectory(t);
  for (const path of [...links, ...halves, join(templates, KEY)]) {
    const target = path.includes(idOf("empty")) ? empty : root;
    await symlink(path.endsWith(".ext4") ? join(root, "chapter.txt") : target, path);
  }
  const before = await contents(root);
  await removeLeft(home);
  assert.deepEqual(await contents(root), before);
  assert.deepEqual(await readdir(empty), []);
  for (const path of links) assert.ok((await lstat(path)).isSymbolicLink(), path);
  await assert.rejects(Sandbox.destroyUnknown(ID, { home }), { code: "VM_NOT_OURS" });
  assert.deepEqual(await contents(root), before);
});

test("an empty directory with the name of a sandbox or a snapshot is told, and goes only as an orphan", async (t) => {
  const { home } = await testState(t);
  const paths = [home.vms, home.snapshots].map((directory) => join(directory, ID));
  for (const path of paths) await mkdir(path);
  await recoverHome(home);
  const { items } = await collectGarbage({ home });
  assert.deepEqual(
    items.map(({ kind, id, removed }) => [kind, id, removed]),
    [
      ["sandbox", ID, false],
      ["snapshot", ID, false],
    ],
  );
  for (const path of paths) assert.ok((await lstat(path)).isDirectory());
  await collectGarbage({ home, orphans: true });
  for (const path of paths) await assert.rejects(lstat(path), { code: "ENOENT" });
});

test("left alone: processes and VMs of others", (t) =>
  withLeakCheck(t, async (place) => {
    const options = await fakeHostOptions(place, "qemu");
    const shape = { cold: true, memoryMib: 96, vcpus: 1, name: "box" };
    const theirs = await fakeHost(options);
    const box = await Sandbox.create({ ...shape, host: theirs });
    const ours = await fakeHost({ ...options, directory: join(place.scratch, "ours") });
    // One that has the id and the name of theirs, and has lost its row; and a link to theirs.
    const own = await Sandbox.create({ ...shape, host: ours });
    ours.catalog.sandboxes.delete(own.id);
    await symlink(join(theirs.home.vms, box.id), join(ours.home.vms, box.id));
    const directory = join(ours.home.vms, own.id);
    const stranger = spawn("sleep", ["600"], {
      argv0: `qemu-system-x86_64 ${directory}`,
      stdio: "ignore",
    });
    await once(stranger, "spawn");
    const ended = once(stranger, "exit");
    try {
      const before = await contents(theirs.home.vms);
      await removeLeft(ours.home);
      assert.equal(identifyProcess(own.vm.pid), undefined, "what is ours is gone");
      assert.deepEqual(await contents(theirs.home.vms), before);
      assert.equal(await askFakeGuest(box.vm, "ping"), "pong");
      assert.deepEqual([stranger.exitCode, stranger.signalCode], [null, null]);
    } finally {
      stranger.kill("SIGKILL");
      await ended;
    }
    await box.destroy();
  }));
