import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { StdioOptions } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { useTemporaryDirectory } from "@virga/testkit";
import { virgaCommand } from "@virga/vm";
import { VERSION } from "virga";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

function virga(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdio: StdioOptions = "pipe",
) {
  return spawnSync(process.execPath, ["--conditions=virga-source", main, ...args], {
    encoding: "utf8",
    stdio,
    env: { ...process.env, ...env },
  });
}

test("virga --version prints the version and nothing else", () => {
  for (const option of ["--version", "-V"]) {
    const result = virga([option]);
    assert.equal(result.stderr, "");
    assert.equal(result.stdout, `${VERSION}\n`);
    assert.equal(result.status, 0);
  }
});

test("a Node that is too old is told which one is needed", () => {
  const bin = fileURLToPath(new URL("../bin/virga.js", import.meta.url));
  for (const version of ["20.19.0", "24.14.9"]) {
    const older = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;
    const argv = ["--import", `data:text/javascript,${older}`, bin, "--version"];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8" });
    assert.deepEqual([status, stdout], [125, ""]);
    assert.match(
      stderr,
      new RegExp(`^virga: Node ${version} is too old: Node 24\\.15 or later is needed; [^\n]*\n$`),
    );
  }
});

test("an unknown command or option is a usage error with a suggestion", () => {
  const command = virga(["doctr"]);
  assert.equal(command.status, 2);
  assert.match(command.stderr, /unknown command 'doctr'\n\(Did you mean doctor\?\)/);
  assert.equal(command.stdout, "");
  const option = virga(["doctor", "--jsn"]);
  assert.equal(option.status, 2);
  assert.match(option.stderr, /unknown option '--jsn'\n\(Did you mean --json\?\)/);
  const bare = virga([]);
  assert.equal(bare.status, 2);
  assert.match(bare.stderr, /^Usage: virga /);
});

test("an update of the kernel and a kernel of the user's own exclude each other", () => {
  for (const option of ["--kernel", "--modules"]) {
    const { status, stderr } = virga(["setup", "--update", option, "file"]);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^virga: option '--update' cannot be used with .*${option}`));
  }
});

test("help is on standard output", () => {
  for (const args of [["--help"], ["run", "--help"], ["image", "ls", "--help"]]) {
    const result = virga(args);
    assert.equal(result.status, 0);
    assert.match(result.stdout, /^Usage: virga [^]*\nExamples:\n {2}\S*/);
    assert.equal(result.stderr, "");
  }
});

test("output that cannot be written is one plain error", () => {
  const full = openSync("/dev/full", "w");
  try {
    for (const args of [["run", "--help"], ["doctor"]]) {
      const { status, stderr } = virga(args, {}, ["ignore", full, "pipe"]);
      assert.equal(status, 125, args.join(" "));
      assert.match(stderr, /^virga: Cannot write the output: ENOSPC: [^\n]*\n$/);
    }
  } finally {
    closeSync(full);
  }
});

test("virga doctor reports and changes nothing", async (t) => {
  const home = join(await useTemporaryDirectory(t), "home");
  const result = virga(["doctor", "--json"], { VIRGA_HOME: home });
  const report = JSON.parse(result.stdout);
  assert.deepEqual(Object.keys(report), ["ok", "checks", "hypervisors", "chosen"]);
  assert.equal(report.ok, false);
  assert.equal(result.status, 1);
  const kernel = report.checks.find(({ name }: { name: string }) => name === "guest-kernel");
  assert.deepEqual(kernel, {
    name: "guest-kernel",
    ok: false,
    detail: "there is none yet",
    fix: virgaCommand("setup"),
  });
  const memory = report.checks.find(({ name }: { name: string }) => name === "qemu-rom-off");
  assert.match(memory.detail, /^QEMU \S+ .*has (?:no )?rom=off|^there is no QEMU/);
  for (const hypervisor of report.hypervisors) {
    assert.deepEqual(Object.keys(hypervisor), [
      "name",
      "version",
      "accelerator",
      "usable",
      "reason",
    ]);
    if (!hypervisor.reason.startsWith("/dev/kvm can be opened")) continue;
    assert.match(hypervisor.reason, /no guest was tried: set-up has not been finished yet$/);
  }
  const text = virga(["doctor"], { VIRGA_HOME: home });
  const [, fix] = /^no +guest-kernel +there is none yet\n +fix: (.*)$/m.exec(text.stdout) ?? [];
  assert.equal(fix, virgaCommand("setup"));
  assert.equal(spawnSync("ls", [home]).status, 2, "nothing was made");
});

test("what cannot be run is found before anything is started", async (t) => {
  const scratch = await useTemporaryDirectory(t);
  const home = join(scratch, "home");
  const env = { VIRGA_HOME: home, VIRGA_SETUP: "never" };
  for (const [args, code, message] of [
    [[""], 2, "Cannot run: the name of the command is empty"],
    [["--image", "nothing", "ls"], 2, 'Unknown image "nothing": there is busybox, debian'],
    [["--memory", "1048576", "ls"], 2, /^Cannot run: --memory 1048576 is more .* has: \d+ MiB$/],
    [[`--timings=${scratch}`, "ls"], 125, /^Cannot write the timings to .*: EISDIR/],
    [["--timings=/no/such/file", "ls"], 125, /^Cannot write the timings to .*: ENOENT/],
  ] as const) {
    const { status, stdout, stderr } = virga(["run", ...args], env);
    assert.deepEqual([status, stdout], [code, ""], args.join(" "));
    const line = /^virga: (.*)\n$/.exec(stderr)?.[1] ?? stderr;
    if (typeof message === "string") assert.equal(line, message);
    else assert.match(line, message);
  }
  assert.ok(!existsSync(home), "nothing was made");
});

test("an error of our own ends with 125, its sentence and what to do", () => {
  const result = virga(["setup"], { VIRGA_HOME: "relative" });
  assert.equal(result.status, 125);
  assert.equal(result.stdout, "");
  assert.equal(result.stderr, 'virga: VIRGA_HOME is "relative": it must be an absolute path\n');
});
