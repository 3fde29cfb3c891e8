import assert from "node:assert/strict";
import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { homePaths, machineDirectory, openHome } from "./home.ts";

const user = { env: {}, uid: 1000, userHome: "/home/u" };

test("root has the system's directories", () => {
  const home = homePaths({ ...user, uid: 0 });
  assert.equal(home.state, "/var/lib/virga");
  assert.equal(home.run, "/run/virga");
  assert.equal(home.kernel, "/var/lib/virga/kernel");
});

test("facts about the machine do not move with VIRGA_HOME", () => {
  const env = { VIRGA_HOME: "/elsewhere" };
  assert.equal(machineDirectory({ ...user, uid: 0, env }), "/run/virga/machine");
  assert.equal(machineDirectory({ ...user, env }), "/home/u/.local/share/virga/run/machine");
});

test("a user has the XDG directories, or their defaults", () => {
  assert.equal(homePaths(user).state, "/home/u/.local/share/virga");
  assert.equal(homePaths(user).run, "/home/u/.local/share/virga/run");
  const env = { XDG_DATA_HOME: "/data", XDG_RUNTIME_DIR: "/run/user/1000" };
  assert.equal(homePaths({ ...user, env }).state, "/data/virga");
  assert.equal(homePaths({ ...user, env }).run, "/run/user/1000/virga");
  const relative = { XDG_DATA_HOME: "data", XDG_RUNTIME_DIR: "run" };
  assert.deepEqual(homePaths({ ...user, env: relative }), homePaths(user));
});

test("VIRGA_HOME moves everything, root's too", () => {
  for (const uid of [0, 1000]) {
    const home = homePaths({ ...user, uid, env: { VIRGA_HOME: "/v", XDG_DATA_HOME: "/data" } });
    assert.equal(home.state, "/v");
    assert.equal(home.run, "/v/run");
  }
  assert.throws(
    () => homePaths({ ...user, env: { VIRGA_HOME: "v" } }),
    (error) => error instanceof VirgaError && error.code === "INVALID_CONFIG",
  );
});

test("directories are made for this user alone, and narrowed when they were not", async (t) => {
  const directory = join(await useTemporaryDirectory(t), "deep/home");
  const home = homePaths({ ...user, env: { VIRGA_HOME: directory } });
  await openHome(home);
  await chmod(home.kernel, 0o755);
  await openHome(home);
  for (const path of [home.state, home.run, home.kernel, home.vms]) {
    assert.equal((await stat(path)).mode & 0o7777, 0o700, path);
  }
});

test(
  "a directory that belongs to somebody else is refused",
  {
    skip: prerequisite(
      "root",
      process.geteuid?.() === 0 ? undefined : "only root can give directories away",
    ),
  },
  async (t) => {
    const { chown } = await import("node:fs/promises");
    const directory = join(await useTemporaryDirectory(t), "home");
    await mkdir(directory);
    await chown(directory, 4321, 4321);
    await assert.rejects(
      openHome(homePaths({ ...user, env: { VIRGA_HOME: directory } })),
      (error) =>
        error instanceof VirgaError &&
        error.code === "INVALID_CONFIG" &&
        error.message.includes("belongs to user 4321"),
    );
  },
);

test("a state directory is refused at once whose VMs' sockets would have too long paths", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const longest = 107 - "/vms/".length - 20 - "/run/v.sock_4294967295".length;
  const fits = join(directory, "d".repeat(longest - directory.length - 1));
  await openHome(homePaths({ ...user, env: { VIRGA_HOME: fits } }));
  const tooLong = homePaths({ ...user, env: { VIRGA_HOME: `${fits}d` } });
  await assert.rejects(openHome(tooLong), {
    code: "INVALID_CONFIG",
    message: /^Cannot use \S+: VMs need a directory whose path is shorter by 1: .* 108 bytes/,
  });
  await assert.rejects(stat(tooLong.state), { code: "ENOENT" });
});

test("a path that is a file is an error that names it", async () => {
  const home = homePaths({ ...user, env: { VIRGA_HOME: "/dev/null/v" } });
  await assert.rejects(
    openHome(home),
    (error) =>
      error instanceof VirgaError &&
      error.code === "IO_ERROR" &&
      /Cannot make the directory \/dev\/null\/v: ENOTDIR/.test(error.message),
  );
});
