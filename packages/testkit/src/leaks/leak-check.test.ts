import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { test } from "node:test";
import { mountsMissing } from "../mount-right.ts";
import { makePlace, removePlace, withLeakCheck } from "./leak-check.ts";
import type { TestPlace } from "./leak-count.ts";
import { processesNaming } from "./process-leaks.ts";

test("a test that leaves nothing passes, and its folders are removed", async (t) => {
  let root = "";
  await withLeakCheck(t, async (place) => {
    root = place.root;
    writeFileSync(join(place.scratch, "fixture"), "");
  });
  assert.equal(existsSync(root), false);
});

test("each kind of leak is named, and removed", async (t) => {
  const descriptor: number[] = [];
  let root = "";
  let pid = 0;
  const leave = async (place: TestPlace): Promise<void> => {
    root = place.root;
    writeFileSync(join(place.directory, "vm.json"), "");
    // A session of its own and no trace in its command line: only its open log names the test.
    const log = openSync(join(place.scratch, "log"), "w");
    const child = spawn("sleep", ["600"], { detached: true, stdio: ["ignore", log, log] });
    child.unref();
    pid = child.pid ?? 0;
    closeSync(log);
    descriptor.push(openSync("/dev/null", "r"));
    const server = createServer().listen(join(place.scratch, "s.sock"));
    server.unref();
    t.after(() => server.close());
  };
  await assert.rejects(withLeakCheck(t, leave), (error: Error) => {
    assert.match(error.message, /file .*\/s\/vm\.json/);
    assert.match(error.message, new RegExp(`process ${pid}: sleep 600`));
    assert.match(error.message, /socket .*\/x\/s\.sock/);
    assert.match(error.message, /descriptor of \/dev\/null/);
    return true;
  });
  for (const one of descriptor) closeSync(one);
  assert.equal(existsSync(root), false);
  // It may be dead and not reaped: its parent has gone, and who adopts it takes its time.
  const commandLine = `/proc/${pid}/cmdline`;
  assert.equal(existsSync(commandLine) ? readFileSync(commandLine, "utf8") : "", "");
});

test("the error of the test itself is kept", async (t) => {
  const failing = withLeakCheck(t, () => Promise.reject(new Error("mine")));
  await assert.rejects(failing, /^Error: mine$/);
});

test("a mount of the test accuses no process of the machine", { skip: mountsMissing() }, (t) => {
  const place = makePlace();
  const child = spawn("sleep", ["600"], { stdio: "ignore", cwd: "/", env: {} });
  t.after(async () => {
    child.kill("SIGKILL");
    await removePlace(place);
  });
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", place.scratch]);
  try {
    const accused = processesNaming(basename(place.root), false).map(({ pid }) => pid);
    assert.ok(child.pid !== undefined && !accused.includes(child.pid));
  } finally {
    execFileSync("umount", [place.scratch]);
  }
});

test(
  "a namespace that was made meanwhile keeps a test's mount, and is not accused; one that shows its files is",
  { skip: mountsMissing() },
  async (t) => {
    const [place, other] = [makePlace(), makePlace()];
    const children: ChildProcess[] = [];
    t.after(async () => {
      for (const child of children) child.kill("SIGKILL");
      await removePlace(place);
      await removePlace(other);
    });
    const isAccused = async (script: string, cwd: string): Promise<boolean> => {
      const words = ["--mount", "sh", "-c", `${script} && cd / && echo ready && exec sleep 600`];
      const child = spawn("unshare", words, { stdio: ["ignore", "pipe", "inherit"], cwd, env: {} });
      children.push(child);
      await once(child.stdout, "data");
      const token = basename(place.root);
      return processesNaming(token, false).some(({ pid }) => pid === child.pid);
    };
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", place.directory]);
    try {
      assert.equal(await isAccused("true", "/"), false);
      assert.equal(await isAccused(`mount --bind . ${other.scratch}`, place.scratch), true);
    } finally {
      execFileSync("umount", [place.directory]);
    }
  },
);
