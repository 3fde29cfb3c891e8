import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { rejectsWithCode, useTemporaryDirectory } from "@virga/testkit";
import { launchError, launcherArguments, spawnHeld } from "./launcher.ts";

const argv = ["/usr/bin/vmm", "--api-socket", "x"] as const;

test("arguments come in the launcher's order, binds only with a mount namespace", () => {
  const options = {
    launcher: "/l",
    argv: [...argv] as [string, ...string[]],
    logPath: "/log",
    networkNamespace: "new",
    networkDevice: "tap0",
    binds: [
      { source: "/a", target: "/b", readonly: false },
      { source: "/c", target: "/d", readonly: true },
    ],
    rlimits: { core: 0 },
  };
  assert.deepEqual(launcherArguments({ ...options, mountNamespace: true }), [
    "--netns", "new", "--netdev", "tap0", "--mountns", "--bind", "/a", "/b", "--bind-ro", "/c", "/d", "--rlimit", "core=0", "--", ...argv,
  ]); // prettier-ignore
  assert.deepEqual(
    launcherArguments({
      ...options,
      networkNamespace: undefined,
      networkDevice: undefined,
      mountNamespace: false,
    }),
    ["--rlimit", "core=0", "--", ...argv],
  );
  const passing = { ...options, mountNamespace: true, binds: [], descriptorPaths: ["/a", "/b"] };
  assert.deepEqual(launcherArguments(passing).slice(4, 8), [
    "--mountns", "--descriptors", "2", "--rlimit",
  ]); // prettier-ignore
  const bound = launcherArguments({ ...options, mountNamespace: false, diesWithParent: true });
  assert.deepEqual(bound.slice(0, 2), ["--die-with-parent", String(process.pid)]);
});

test("an abort ends the wait for a launcher that does not come to its end", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const launcher = join(directory, "launcher");
  await writeFile(launcher, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
  const held = await spawnHeld({
    launcher,
    argv: ["/bin/true"],
    logPath: "/dev/null",
    mountNamespace: false,
    binds: [],
    rlimits: {},
  });
  const ended = once(held.child, "exit");
  try {
    const abort = new AbortController();
    const going = rejectsWithCode(held.go(600_000, abort.signal), "ABORTED");
    abort.abort(new Error("no patience"));
    await going;
  } finally {
    held.child.kill("SIGKILL");
    await ended;
  }
});

test("a report becomes one sentence naming step, path and errno", () => {
  const of = (report: object): { code: string; message: string } =>
    launchError(JSON.stringify(report), { argv: [...argv] });
  const bind = of({ step: "bind", errno: 2, code: "ENOENT", path: "/x" });
  assert.deepEqual(
    [bind.code, bind.message],
    ["LAUNCH_FAILED", 'The launcher failed at step "bind" on /x: ENOENT'],
  );
  assert.deepEqual(of({ step: "exec", errno: 2, code: "ENOENT" }).code, "HYPERVISOR_MISSING");
  assert.match(
    of({ step: "exec", errno: 13, code: "EACCES" }).message,
    /\/usr\/bin\/vmm is not executable/u,
  );
  assert.match(
    of({ step: "netdev", errno: 19, code: "ENODEV", path: "tap0" }).message,
    /Network device tap0 does not exist/u,
  );
  assert.equal(launchError("garbage", { argv: [...argv] }).code, "LAUNCH_FAILED");
});
