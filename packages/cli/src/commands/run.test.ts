import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { CommanderError } from "commander";
import type { RunSettings } from "../run/run-settings.ts";
import { runCommand } from "./run.ts";

async function parse(...args: string[]): Promise<RunSettings> {
  let settings: RunSettings | undefined;
  const command = runCommand(async (given) => {
    settings = given;
  });
  await command.exitOverride().parseAsync(args, { from: "user" });
  assert.ok(settings);
  return settings;
}

async function refuses(t: TestContext, args: string[], message: RegExp): Promise<void> {
  t.mock.method(process.stderr, "write", () => true);
  await assert.rejects(parse(...args), (error) => {
    assert.ok(error instanceof CommanderError);
    assert.match(error.message, message);
    assert.notEqual(error.exitCode, 0);
    return true;
  });
  t.mock.restoreAll();
}

test("everything has a default", async () => {
  assert.deepEqual(await parse("true"), {
    command: ["true"],
    image: "busybox",
    hypervisor: "auto",
    vcpus: 1,
    memoryMib: 512,
    diskMib: undefined,
    network: "none",
    env: {},
    workdir: undefined,
    user: undefined,
    timeoutMs: undefined,
    copies: [],
    interactive: false,
    terminal: false,
    cold: false,
    timings: undefined,
    verbose: false,
  });
});

test("every option is passed on", async () => {
  const line =
    "--image x --hypervisor qemu --vcpus 2 --memory=128 --disk 2048 --network internet --env A=1 --env B=2=3 --workdir /tmp -u nobody --timeout 1.5" +
    " --copy a:/b --copy c:/d -it --cold --timings=file --verbose -- ls -l";
  const settings = await parse(...line.split(" "));
  assert.deepEqual(settings, {
    command: ["ls", "-l"],
    image: "x",
    hypervisor: "qemu",
    vcpus: 2,
    memoryMib: 128,
    diskMib: 2048,
    network: "internet",
    env: { A: "1", B: "2=3" },
    workdir: "/tmp",
    user: "nobody",
    timeoutMs: 1500,
    copies: [
      { source: "a", destination: "/b" },
      { source: "c", destination: "/d" },
    ],
    interactive: true,
    terminal: true,
    cold: true,
    timings: "file",
    verbose: true,
  });
});

test("short forms are those of docker, also run together", async () => {
  const spaced = await parse("-e", "A=1", "-w", "/tmp", "-ie", "B=2", "--timings", "ls", "-e");
  const joined = await parse("-eA=1", "-w/tmp", "-ieB=2", "--timings", "ls", "-e");
  for (const settings of [spaced, joined]) {
    assert.deepEqual(settings.env, { A: "1", B: "2" });
    assert.equal(settings.workdir, "/tmp");
    assert.equal(settings.interactive, true);
    assert.equal(settings.timings, "");
    assert.deepEqual(settings.command, ["ls", "-e"]);
  }
});

test("what follows the command belongs to it", async () => {
  const words = ["ls", "--cold", "--timings", "-t", "--", "-x", "--help"];
  for (const args of [words, ["--", ...words]]) {
    const settings = await parse(...args);
    assert.deepEqual(settings.command, words);
    assert.equal(settings.cold, false);
    assert.equal(settings.timings, undefined);
  }
});

test("--timings takes a file by = only", async () => {
  for (const [args, file] of [
    [["--timings", "ls"], ""],
    [["--timings", "--", "ls"], ""],
    [["--timings=", "ls"], ""],
    [["--timings=f", "ls"], "f"],
    [["--workdir", "/w", "--timings", "ls"], ""],
  ] as const) {
    const settings = await parse(...args);
    assert.equal(settings.timings, file);
    assert.deepEqual(settings.command, ["ls"]);
  }
});

test("without a command it is the image's own", async () => {
  assert.deepEqual((await parse()).command, []);
  assert.deepEqual((await parse("--image", "x", "--")).command, []);
});

test("wrong values are refused with what is allowed", async (t) => {
  await refuses(t, ["--vcpus", "0", "ls"], /'0' is invalid.*1 to 255/);
  await refuses(t, ["--memory", "1g", "ls"], /whole number from 96/);
  await refuses(t, ["--timeout", "0", "ls"], /number of seconds above 0/);
  await refuses(t, ["--env", "=x", "ls"], /NAME=VALUE/);
  await refuses(t, ["--copy", "x", "ls"], /SRC:DEST/);
  await refuses(t, ["--workdir", "x", "ls"], /absolute path/);
  await refuses(t, ["--hypervisor", "xen", "ls"], /auto, cloud-hypervisor, qemu/);
  await refuses(t, ["--verbos", "ls"], /Did you mean --verbose/);
});
