import assert from "node:assert/strict";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { makePlace, pythonMissing, qemuMissing, removePlace, settledLeaks } from "@virga/testkit";
import { identifyProcess } from "@virga/vm";
import { useShell } from "./terminal-user.ts";
import { endOf, testVirga } from "./test-virga.ts";
import type { TestVirga, VirgaEnd } from "./test-virga.ts";

const shape = ["--hypervisor", "qemu", "--memory", "256"];
const run = (...words: readonly string[]): string[] => ["run", ...shape, ...words];

async function firstLine(stream: Readable | null): Promise<string> {
  assert.ok(stream);
  const [line] = (await once(createInterface(stream), "line")) as [string];
  return line;
}

interface TimingsLine {
  readonly boot?: number;
  readonly destroy: number;
  readonly total: number;
}

/** The JSON object that is the last line on standard error. */
function timingsOf({ stderr }: VirgaEnd): TimingsLine {
  return JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
}

/** The id of the only VM there is. */
async function onlyVm({ home }: TestVirga): Promise<string> {
  const ids = (await readdir(join(home, "vms"))).filter((name) => !name.startsWith("."));
  assert.equal(ids.length, 1, ids.join(" "));
  return ids[0] ?? "";
}

describe("virga run on QEMU", { skip: qemuMissing() }, () => {
  const place = makePlace();
  let virga: TestVirga;

  async function leavesNothing(): Promise<void> {
    assert.deepEqual(await virga.leftovers(), []);
    assert.deepEqual(await settledLeaks(place), []);
  }

  before(async () => {
    virga = await testVirga(place);
  });

  after(() => removePlace(place));

  test("five at once make one template", async () => {
    const ends = await Promise.all(
      ["1", "2", "3", "4", "5"].map((n) => virga.run(run("--", "echo", n))),
    );
    for (const [index, end] of ends.entries()) {
      assert.deepEqual(end, { code: 0, signal: null, stdout: `${index + 1}\n`, stderr: "" });
    }
    assert.equal((await virga.templates()).length, 1);
    await leavesNothing();
  });

  test("streams and exit code are the command's own, and a second run restores", async () => {
    const file = join(place.scratch, "timings");
    const script = "echo out; echo err >&2; exit 7";
    const end = await virga.run(run(`--timings=${file}`, "--", "sh", "-c", script));
    assert.deepEqual(end, { code: 7, signal: null, stdout: "out\n", stderr: "err\n" });
    const steps = JSON.parse(await readFile(file, "utf8"));
    assert.ok(steps.create > 0 && steps.command > 0 && steps.destroy > 0 && steps.total > 0);
    assert.equal(steps.boot, undefined, "nothing was booted");
    const cold = await virga.run(run("--cold", "--timings", "--", "sh", "-c", "echo e >&2"));
    assert.match(cold.stderr, /^e\n\{.*\}\n$/);
    assert.ok((timingsOf(cold).boot ?? 0) > 0, "a cold one boots");
    assert.equal((await virga.templates()).length, 1);
    await leavesNothing();
  });

  test("a hundred megabytes go in, and many come out", async () => {
    const child = virga.start(run("--", "wc", "-c"));
    const ending = endOf(child);
    createReadStream("/dev/zero", { end: 100_000_000 - 1 }).pipe(child.stdin as Writable);
    assert.deepEqual(await ending, { code: 0, signal: null, stdout: "100000000\n", stderr: "" });
    const out = await virga.run(run("--", "head", "-c", "5000000", "/dev/zero"));
    assert.equal(out.stdout.length, 5_000_000);
  });

  test("without a command the image's own runs", async () => {
    const end = await virga.run(run(), "echo $((6 * 7))");
    assert.deepEqual(end, { code: 0, signal: null, stdout: "42\n", stderr: "" });
  });

  test("the command's faults have their exit codes", async () => {
    const missing = await virga.run(run("--timings", "--", "no-such-program"));
    assert.equal(missing.code, 127);
    assert.match(
      missing.stderr,
      /^virga: Cannot run no-such-program: not found in the guest \(PATH is [^)]*\)\n\{.*\}\n$/,
    );
    assert.ok(timingsOf(missing).total > 0);
    const file = await virga.run(run("--", "/etc/passwd"));
    assert.equal(file.code, 126);
    assert.equal(
      file.stderr,
      "virga: Cannot run /etc/passwd: the guest cannot run it: permission denied\n",
    );
    assert.equal((await virga.run(run("--workdir", "/nowhere", "--", "ls"))).code, 126);
    assert.equal((await virga.run(run("--", "sh", "-c", "kill -9 $$"))).code, 137);
    const late = await virga.run(run("--timeout", "0.5", "--timings", "--", "sleep", "60"));
    assert.deepEqual([late.code, late.stdout], [124, ""]);
    assert.ok(timingsOf(late).destroy > 0, "a command that failed has its timings too");
    await leavesNothing();
  });

  test("environment, directory and files reach the command", async () => {
    const tree = join(place.scratch, "tree");
    await mkdir(join(tree, "sub"), { recursive: true });
    await writeFile(join(tree, "sub", "file"), "content", { mode: 0o751 });
    const script =
      'pwd; echo "$A $VIRGA_SETUP ${NOT_SET_HERE-none}"; cat sub/file other/file; stat -c %a sub/file';
    const options = ["--env", "A=b c", "--env", "VIRGA_SETUP", "--env", "NOT_SET_HERE"];
    options.push("--copy", `${tree}:/work`, "--copy", `${tree}/sub/file:/work/other/`);
    const end = await virga.run(run(...options, "--workdir", "/work", "sh", "-c", script));
    assert.equal(end.stdout, "/work\nb c never none\ncontentcontent751\n");
    const gone = await virga.run(run("--copy", "/no/such/file:/x", "--", "true"));
    assert.equal(gone.code, 125);
    assert.equal(gone.stderr, "virga: Cannot copy /no/such/file: it does not exist\n");
  });

  test("output that cannot be written is one error, and the VM is removed", async (t) => {
    const full = await open("/dev/full", "w");
    t.after(() => full.close());
    const end = await endOf(
      virga.start(run("--", "head", "-c", "1000000", "/dev/zero"), {
        stdio: ["ignore", full.fd, "pipe"],
      }),
    );
    assert.equal(end.code, 125);
    assert.match(end.stderr, /^virga: Cannot write the output: ENOSPC: [^\n]*\n$/);
    await leavesNothing();
  });

  test("an input that cannot be read is an error, none at all is not", async (t) => {
    const directory = await open(place.scratch);
    t.after(() => directory.close());
    const reading = await endOf(
      virga.start(run("--", "cat"), { stdio: [directory.fd, "pipe", "pipe"] }),
    );
    assert.deepEqual([reading.code, reading.stdout], [125, ""]);
    assert.equal(reading.stderr, "virga: Cannot read standard input: it is a directory\n");
    const none = await endOf(virga.start(run("--", "cat"), { stdio: ["ignore", "pipe", "pipe"] }));
    assert.deepEqual(none, { code: 0, signal: null, stdout: "", stderr: "" });
    await leavesNothing();
  });

  test("a reader that goes away ends the run", async () => {
    const child = virga.start(run("--", "yes"));
    child.stdin?.end();
    assert.equal(await firstLine(child.stdout), "y");
    child.stdout?.destroy();
    const [code] = await once(child, "exit");
    assert.equal(code, 141);
    await leavesNothing();
  });

  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${name} stops the VM and leaves nothing, also with output that nobody reads`, async () => {
      const child = virga.start(run("--", "sh", "-c", "echo started; exec yes"));
      child.stdout?.once("readable", () => child.kill(name));
      const [exitCode] = await once(child, "exit");
      child.stdout?.resume();
      assert.equal(exitCode, code);
      await leavesNothing();
    });
  }

  // A terminal's Ctrl-C hits virga and all that it started and that did not leave its group.
  for (const [when, options, sign] of [
    ["runs", [], "started"],
    ["boots", ["--cold", "--verbose"], "VM started"],
  ] as const) {
    test(`Ctrl-C of a terminal while the command ${when} ends all of the process group and leaves nothing`, async () => {
      const script = "echo started; exec sleep 600";
      const child = virga.start(run(...options, "--", "sh", "-c", script), {
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const seen = createInterface((when === "runs" ? child.stdout : child.stderr) as Readable);
      for await (const line of seen) if (line.includes(sign)) break;
      child.stdout?.resume();
      child.stderr?.resume();
      process.kill(-(child.pid as number), "SIGINT");
      const [exitCode] = await once(child, "exit");
      assert.equal(exitCode, 130);
      await leavesNothing();
      assert.throws(() => process.kill(-(child.pid as number), 0), { code: "ESRCH" });
    });
  }

  test("a signal while the sandbox is made leaves nothing", async () => {
    const child = virga.start(run("--cold", "--verbose", "--", "true"));
    child.stdin?.end();
    const lines = createInterface(child.stderr as Readable);
    for await (const line of lines) if (line.includes("VM started")) break;
    child.stderr?.resume();
    child.kill("SIGTERM");
    const [exitCode] = await once(child, "exit");
    assert.equal(exitCode, 143);
    await leavesNothing();
  });

  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${name} while the first template of its kind is made ends virga create and leaves nothing`, async () => {
      const before = await readdir(join(virga.home, "templates"));
      // Nobody else here has a template of this size.
      const shape = ["--hypervisor", "qemu", "--memory", "136"];
      const child = virga.start(["create", ...shape, "--verbose"]);
      child.stdin?.end();
      const lines = createInterface(child.stderr as Readable);
      for await (const line of lines) if (line.includes("VM started")) break;
      child.stderr?.resume();
      child.kill(name);
      const [exitCode] = await once(child, "exit");
      assert.equal(exitCode, code);
      await leavesNothing();
      const made = (await readdir(join(virga.home, "templates"))).filter(
        (file) => !before.includes(file) && !file.endsWith(".lock"),
      );
      assert.deepEqual(made, []);
      assert.equal(await virga.ok(["ls", "-q"]), "");
    });
  }

  for (const next of [run("--", "true"), ["image", "ls"], ["setup"]]) {
    test(`what a killed virga leaves is removed by the next virga ${next[0]}`, async () => {
      const child = virga.start(run("--", "sh", "-c", "echo started; exec sleep 600"));
      assert.equal(await firstLine(child.stdout), "started");
      const id = await onlyVm(virga);
      const path = join(virga.home, "vms", id, "vm.json");
      const { process: vmm } = JSON.parse(await readFile(path, "utf8"));
      child.kill("SIGKILL");
      await once(child, "exit");
      assert.ok(identifyProcess(vmm.pid), "the VM lives on");
      const end = await virga.run(next);
      assert.equal(end.code, 0, end.stderr);
      assert.equal(identifyProcess(vmm.pid), undefined);
      await leavesNothing();
    });
  }

  test("what a killed virga left of a template is made anew", async () => {
    const words = [
      "run",
      "--hypervisor",
      "qemu",
      "--memory",
      "128",
      "--verbose",
      "--",
      "echo",
      "x",
    ];
    const before = await virga.templates();
    const child = virga.start(words);
    for await (const line of createInterface(child.stderr as Readable))
      if (line.includes("VM started")) break;
    child.kill("SIGKILL");
    child.stderr?.resume();
    await once(child, "exit");
    assert.deepEqual(await virga.templates(), before);
    const end = await virga.run(words.filter((word) => word !== "--verbose"));
    assert.deepEqual(end, { code: 0, signal: null, stdout: "x\n", stderr: "" });
    const names = await readdir(join(virga.home, "templates"));
    assert.deepEqual(
      names.filter((name) => name.startsWith(".")),
      [],
    );
    assert.equal((await virga.templates()).length, before.length + 1);
    await leavesNothing();
  });

  test("the death of the VM is an error that says so", async () => {
    const child = virga.start(run("--", "sh", "-c", "echo started; exec sleep 600"));
    const ending = endOf(child);
    await once(child.stdout as Readable, "readable");
    const id = await onlyVm(virga);
    const path = join(virga.home, "vms", id, "vm.json");
    process.kill(JSON.parse(await readFile(path, "utf8")).process.pid, "SIGKILL");
    const end = await ending;
    assert.equal(end.code, 125);
    assert.match(end.stderr, /^virga: Cannot run sh: VM "\w+" has ended \(killed\)\n$/);
    await leavesNothing();
  });

  const skip = pythonMissing();
  test("-it is a real terminal: size, resize, Ctrl-C, restored afterwards", { skip }, async () => {
    await useShell([...virga.argv, ...run("-it", "--", "sh", "-i")], virga.env);
    await leavesNothing();
  });
});
