import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory, useVariable } from "@virga/testkit";
import { virgaCommand } from "@virga/vm";
import { runProgram } from "../src/program.ts";
import { virgaIn } from "./test-virga.ts";

/** A `virga` with a state directory of its own, in which there is nothing. */
async function useVirga(t: TestContext, home?: string) {
  const { argv, env } = virgaIn(home ?? join(await useTemporaryDirectory(t), "home"));
  return (...args: readonly string[]) => {
    const end = spawnSync(argv[0], [...argv.slice(1), ...args], {
      encoding: "utf8",
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    return { code: end.status, stdout: end.stdout, stderr: end.stderr };
  };
}

/** The same in this process, which is quicker: its exit code, and what it says on standard error. */
async function runHere(t: TestContext, args: readonly string[]) {
  const { mock } = t.mock.method(process.stderr, "write", () => true);
  try {
    const code = await runProgram(args);
    return { code, stderr: mock.calls.map((call) => String(call.arguments[0])).join("") };
  } finally {
    mock.restore();
  }
}

/** An empty state directory for what runs in this process. */
async function useHome(t: TestContext): Promise<void> {
  useVariable(t, "VIRGA_HOME", join(await useTemporaryDirectory(t), "home"));
}

test("where there is nothing, lists are empty and nothing is removed", async (t) => {
  const virga = await useVirga(t);
  const quiet = (stdout: string) => ({ code: 0, stdout, stderr: "" });
  assert.deepEqual(virga("ls", "--json"), quiet("[]\n"));
  assert.deepEqual(virga("ls", "-q"), quiet(""));
  assert.match(virga("ls").stdout, /^NAME +ID +STATE +IMAGE +HYPERVISOR +VCPUS +MEMORY +AGE\n$/);
  assert.deepEqual(virga("snapshot", "ls", "--json"), quiet("[]\n"));
  assert.match(virga("snapshot", "ls").stdout, /^NAME +ID +KIND +SANDBOX +SIZE +REAL +AGE\n$/);
  assert.deepEqual(virga("rm", "--all", "--json"), quiet("[]\n"));
  assert.deepEqual(virga("gc", "--dry-run"), quiet("Everything is needed.\n"));
  assert.deepEqual(JSON.parse(virga("gc", "--json").stdout), { items: [], damaged: [] });
});

test("a sandbox or snapshot that is not there is one error, and says what to do", async (t) => {
  await useHome(t);
  const see = virgaCommand("ls");
  const end = { code: 125, stderr: `virga: VM not found: web\nvirga: See: ${see}\n` };
  for (const args of [
    ["exec", "web", "ls"],
    ["exec", "-d", "web", "ls"],
    ["shell", "web"],
    ["info", "web"],
    ["rm", "web"],
    ["pause", "web"],
    ["resume", "web"],
    ["suspend", "web"],
    ["balloon", "web", "64"],
    ["fork", "web"],
    ["logs", "web"],
    ["stats", "web"],
    ["forward", "web", "80"],
    ["cp", ".", "web:/x"],
    ["snapshot", "create", "web"],
  ]) {
    assert.deepEqual(await runHere(t, args), end, args.join(" "));
  }
  const snapshot = await runHere(t, ["snapshot", "rm", "ready"]);
  assert.equal(snapshot.code, 125);
  assert.match(snapshot.stderr, /^virga: .*ready/);
});

test("what is no name finds nothing, leads nowhere and is told in one line", async (t) => {
  const scratch = await useTemporaryDirectory(t);
  useVariable(t, "VIRGA_HOME", join(scratch, "home"));
  useVariable(t, "VIRGA_SETUP", "never");
  // Where such a name would lead, were it a part of a path.
  const lures = ["vms", "snapshots", "sandboxes", "images", "templates", "disks"];
  for (const lure of lures) {
    await mkdir(join(scratch, lure), { recursive: true });
    await writeFile(join(scratch, lure, "vm.json"), "{}");
  }
  const before = await readdir(scratch, { recursive: true });
  for (const name of [
    "..",
    "../../vms",
    "../x",
    "a/b",
    "/",
    "a\0b",
    "a\nb",
    "é",
    "x".repeat(300),
  ]) {
    for (const args of [
      ["exec", name, "ls"],
      ["info", name],
      ["rm", name],
      ["resume", name],
      ["snapshot", "create", name],
      ["snapshot", "rm", name],
      ["create", "--name", name],
      ["create", "--image", name],
      ["run", "--image", name, "ls"],
      ["image", "info", name],
      ["image", "rm", name],
      ["image", "build", name, "--from", scratch],
    ]) {
      const { code, stderr } = await runHere(t, args);
      const what = `${JSON.stringify(args)}: ${code} ${stderr}`;
      assert.ok(code === 125 || code === 2, what);
      const lines = stderr.trimEnd().split("\n");
      assert.ok(lines.length <= 2 && lines.every((line) => line.startsWith("virga: ")), what);
    }
  }
  const after = await readdir(scratch, { recursive: true });
  assert.deepEqual(after.filter((path) => !path.startsWith("home")).toSorted(), before.toSorted());
  assert.deepEqual(await readdir(join(scratch, "home", "vms")), []);
});

test("a sandbox of which there are only files is removed by its id", async (t) => {
  const home = join(await useTemporaryDirectory(t), "home");
  const virga = await useVirga(t, home);
  const id = `i${"a".repeat(19)}`;
  const disk = join(home, "disks", `${id}.ext4`);
  await mkdir(join(home, "disks"), { recursive: true, mode: 0o700 });
  await writeFile(disk, "");
  assert.deepEqual(virga("rm", id), { code: 0, stdout: `${id}\n`, stderr: "" });
  assert.ok(!existsSync(disk));
  assert.equal(virga("rm", id).code, 125);
});

test("wrong usage ends with 2 before anything is looked up", async (t) => {
  await useHome(t);
  for (const [args, message] of [
    [["rm"], /either their names or --all/],
    [["rm", "--all", "web"], /either their names or --all/],
    [["exec", "web"], /missing required argument 'command'/],
    [["exec", "-d", "-it", "web", "ls"], /'-d, --detach' cannot be used with/],
    [["ls", "-q", "--json"], /cannot be used with/],
    [["cp", "a", "b"], /one of the two is NAME:\/PATH/],
    [["cp", "-", "-"], /one of the two is NAME:\/PATH/],
    [["cp", "a:/x", "b:/y"], /from one sandbox to another[^]*cp a:\/x - \| .*cp - b:\/y\n$/],
    [["cp", "-", "a:/x/"], /standard input has no name, and a:\/x\/ is a directory/],
    [["cp", "--json", "a:/x", "-"], /--json and the file would both go to standard output/],
    [["forward", "web", "x"], /PORT or LOCAL:PORT/],
    [["fork", "web", "--count", "0"], /whole number from 1/],
    [["balloon", "web", "x"], /whole number from 0/],
    [["logs", "-f", "--json", "web"], /cannot be used with/],
    [["creat"], /Did you mean create/],
    [["snapshot", "rmm"], /Did you mean rm/],
    [["create", "--nmae", "x"], /Did you mean --name/],
  ] as const) {
    const { code, stderr } = await runHere(t, args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.match(stderr, /^virga: /);
  }
});
