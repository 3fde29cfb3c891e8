import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { qemuMissing, withLeakCheck } from "@virga/testkit";
import { Sandbox, Timings } from "@virga/sandbox";
import { identifyProcess } from "@virga/vm";
import type { Host, RunOptions } from "@virga/sandbox";
import { DEFAULT_GUEST_PATH } from "../src/images/image.ts";
import { checkNoVm, testHome, testHost } from "./test-host.ts";

const qemu = { hypervisor: "qemu", memoryMib: 256 } as const;

async function templatesOf(host: Host): Promise<string[]> {
  return (await readdir(host.home.templates)).filter((name) => !name.endsWith(".lock"));
}

describe("sandboxes on QEMU", { skip: qemuMissing() }, () => {
  test("the first one makes a template, further ones restore it and are themselves", (t) =>
    withLeakCheck(t, async (place) => {
      const messages: string[] = [];
      const host = await testHost(place, { onProgress: (message) => messages.push(message) });
      const script =
        "hostname; cat /etc/machine-id; date +%Y; echo $WHO; head -c16 /dev/urandom | md5sum";
      const seen: string[][] = [];
      {
        await using first = await Sandbox.create({ ...qemu, host, env: { WHO: "one" } });
        await using second = await Sandbox.create({ ...qemu, host, env: { WHO: "two" } });
        for (const sandbox of [first, second]) {
          const { stdout, exitCode } = await sandbox.run(["sh", "-c", script]);
          assert.equal(exitCode, 0);
          seen.push(stdout.trim().split("\n"));
          const { restore } = await sandbox.vm.info();
          assert.equal(restore?.mode, "shared");
          assert.match(restore.reason, /protected against accidents only|read-only/);
        }
        const [one, two] = seen as [string[], string[]];
        assert.deepEqual([one[0], two[0]], [first.id, second.id]);
        assert.notEqual(one[1], two[1], "machine id");
        assert.equal(one[2], String(new Date().getFullYear()));
        assert.deepEqual([one[3], two[3]], ["one", "two"]);
        assert.notEqual(one[4], two[4], "random bytes");
      }
      assert.deepEqual(messages, ["Preparing the first sandbox of this kind (once)"]);
      assert.equal((await templatesOf(host)).length, 1);
      await checkNoVm(host.home);
      const before = await hashOfMemory(host);
      await runsCommands(host);
      assert.equal(await hashOfMemory(host), before, "clones wrote and died");
      await damagedTemplate(host);
    }));

  test("a cold one boots, and needs no template", (t) =>
    withLeakCheck(t, async (place) => {
      const timings = new Timings();
      const host = await testHost(place);
      await using sandbox = await Sandbox.create({ ...qemu, host, cold: true, timings });
      assert.equal((await sandbox.run(["uname"])).stdout, "Linux\n");
      assert.equal((await sandbox.vm.info()).restore, undefined);
      assert.deepEqual(await templatesOf(host), []);
      assert.deepEqual(Object.keys(timings.toJSON()), [
        "row",
        "directory",
        "create",
        "boot",
        "init",
      ]);
    }));

  test("what a killed process leaves is removed by the next host, and nothing else", (t) =>
    withLeakCheck(t, async (place) => {
      const home = await testHome(place);
      const program = `
        import { Sandbox } from "@virga/sandbox";
        import { testHost } from ${JSON.stringify(new URL("test-host.ts", import.meta.url).href)};
        const host = await testHost(${JSON.stringify(place)});
        const options = { ...${JSON.stringify(qemu)}, host, cold: true, ephemeral: true };
        const sandbox = await Sandbox.create(options);
        console.log(sandbox.vm.pid);
        setInterval(() => {}, 1000);`;
      const child = spawn(
        process.execPath,
        ["--conditions=virga-source", "--input-type=module", "-e", program],
        { stdio: ["ignore", "pipe", "inherit"], cwd: import.meta.dirname },
      );
      const [line] = (await once(createInterface(child.stdout), "line")) as [string];
      const pid = Number(line);
      const living = await testHost(place);
      assert.doesNotThrow(() => process.kill(pid, 0), "its owner lives");
      await using own = await Sandbox.create({ ...qemu, host: living, cold: true });
      child.kill("SIGKILL");
      await once(child, "exit");
      assert.doesNotThrow(() => process.kill(pid, 0), "the VM outlives its owner");
      await testHost(place);
      // Whoever inherits it may leave it unreaped.
      assert.equal(identifyProcess(pid), undefined);
      assert.equal((await own.run(["true"])).exitCode, 0, "another's sandbox is not touched");
      const pending = assert.rejects(own.run(["sleep", "60"]), destroyed("run sleep", own.id));
      const running = await own.spawn(["sleep", "60"]).started;
      const exited = assert.rejects(
        running.exited.catch(async (error: unknown) => {
          throw await own.explain("run sleep", error);
        }),
        destroyed("run sleep", own.id),
      );
      await own.destroy();
      await Promise.all([pending, exited]);
      await assert.rejects(own.run(["true"]), destroyed("run true", own.id));
      await assert.rejects(own.copyIn(import.meta.filename, "/x"), {
        code: "VM_DESTROYED",
      });
      await checkNoVm(home);
    }));
});

function destroyed(what: string, id: string): { code: string; message: string } {
  return { code: "VM_DESTROYED", message: `Cannot ${what}: VM "${id}" was destroyed` };
}

async function hashOfMemory(host: Host): Promise<string> {
  const [key = ""] = await templatesOf(host);
  const hash = createHash("sha256");
  const file = createReadStream(join(host.home.templates, key, "snapshot", "memory"));
  for await (const chunk of file) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function runsCommands(host: Host): Promise<void> {
  await using sandbox = await Sandbox.create({ ...qemu, host });
  const failing = await sandbox.run(["sh", "-c", "cat; echo err >&2; pwd; echo $A; exit 7"], {
    stdin: "in\n",
    cwd: "/tmp",
    env: { A: "b c" },
    reject: false,
  });
  assert.deepEqual(failing, {
    stdout: "in\n/tmp\nb c\n",
    stderr: "err\n",
    exitCode: 7,
    signal: undefined,
    timedOut: false,
  });
  const stdin = Readable.from([Buffer.alloc(300_000), Buffer.alloc(300_000)]);
  assert.equal((await sandbox.run(["wc", "-c"], { stdin })).stdout, "600000\n");
  const killed = await sandbox.run(["sh", "-c", "kill -9 $$"], { reject: false });
  assert.deepEqual([killed.exitCode, killed.signal], [137, 9]);
  const late = await sandbox.run(["sleep", "60"], { timeoutMs: 200, reject: false });
  assert.equal(late.timedOut, true);
  assert.equal((await sandbox.run(["sh", "-c", "echo $PATH"])).stdout, `${DEFAULT_GUEST_PATH}\n`);
  await assert.rejects(sandbox.run(["no-such-program"]), {
    code: "GUEST_NOT_FOUND",
    message: `Cannot run no-such-program: not found in the guest (PATH is ${DEFAULT_GUEST_PATH})`,
  });
  const misspelt = { timeout: 1 } as RunOptions;
  await assert.rejects(sandbox.run(["true"], misspelt), {
    code: "INVALID_ARGUMENT",
    message: 'Cannot run true: there is no option "timeout", did you mean "timeoutMs"?',
  });
  await assert.rejects(sandbox.run(["yes"], { maxOutputBytes: 100_000 }), { code: "CAPACITY" });
  const copied = join(host.home.state, "copied");
  await writeFile(copied, "content");
  await sandbox.copyIn(copied, "/tmp/a/b");
  await sandbox.files.write("/tmp/written", "by files", { mode: 0o600 });
  assert.equal((await sandbox.run(["cat", "/tmp/written"])).stdout, "by files");
  assert.equal(await sandbox.files.readText("/tmp/written"), "by files");
  await sandbox.copyIn(import.meta.dirname, "/tests");
  assert.equal((await sandbox.run(["cat", "/tmp/a/b"])).stdout, "content");
  assert.match((await sandbox.run(["ls", "/tests"])).stdout, /^sandbox\.vm\.test\.ts$/m);
  await assert.rejects(sandbox.copyIn(copied, "/proc/file"), {
    code: "IO_ERROR",
    message: /in the sandbox: .*\/proc\/file/,
  });
  const stopping = sandbox.run(["sleep", "60"]);
  stopping.catch(() => undefined);
  process.kill(sandbox.vm.pid, "SIGKILL");
  await assert.rejects(stopping, {
    code: "HYPERVISOR_EXITED",
    message: /sleep.*has ended \(killed\)/,
  });
}

async function damagedTemplate(host: Host): Promise<void> {
  const [key = ""] = await templatesOf(host);
  await truncate(join(host.home.templates, key, "snapshot", "memory"), 4096);
  await using sandbox = await Sandbox.create({ ...qemu, host });
  assert.equal((await sandbox.run(["true"])).exitCode, 0);
  assert.deepEqual(await templatesOf(host), [key]);
}
