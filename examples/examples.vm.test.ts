import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  agentInitramfs,
  makePlace,
  qemuMissing,
  removePlace,
  settledLeaks,
  testAssets,
  type TestPlace,
} from "@virga/testkit";

const folder = fileURLToPath(new URL(".", import.meta.url));
const shared = ["kernel", "initramfs", "busybox", "native"] as const;

describe("the examples", { skip: qemuMissing() }, () => {
  const tested = new Set<string>();
  let place: TestPlace;
  let home: string;

  before(async () => {
    const assets = await testAssets();
    await agentInitramfs();
    place = makePlace();
    home = join(place.scratch, "h");
    mkdirSync(home, { mode: 0o700 });
    for (const name of shared) symlinkSync(assets.home[name], join(home, name));
  });

  after(async () => {
    await removePlace(place);
  });

  async function run(name: string, input: string, ...args: string[]) {
    tested.add(name);
    const child = spawn(
      process.execPath,
      ["--conditions=virga-source", join(folder, name), ...args],
      { env: { ...process.env, VIRGA_HOME: home, VIRGA_SETUP: "never" }, stdio: "pipe" },
    );
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin.on("error", () => undefined).end(input);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const code = await ended;
    assert.deepEqual(await settledLeaks(place), []);
    return { stdout, stderr, code };
  }

  test("untrusted-script", async () => {
    assert.deepEqual(await run("untrusted-script.ts", "echo out; echo err >&2; exit 3\n"), {
      stdout: "out\nexit code 3\n",
      stderr: "err\n",
      code: 0,
    });
  });

  test("side-by-side", async () => {
    const { stdout, stderr, code } = await run("side-by-side.ts", "");
    assert.deepEqual([stderr, code], ["", 0]);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line)),
      ["red", "green", "blue"].map((content) => ({ files: "mine", content, isItself: true })),
    );
  });

  test("through-a-pipe", async () => {
    const input = "b\na\n".repeat(50_000);
    const { stdout, stderr, code } = await run("through-a-pipe.ts", input, "sort", "-u");
    assert.deepEqual({ stdout, stderr, code }, { stdout: "a\nb\n", stderr: "", code: 0 });
    const failed = await run("through-a-pipe.ts", "", "/bin/sh", "-c", "exit 5");
    assert.equal(failed.code, 5);
  });

  test("all of them are tested", () => {
    const programs = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/u.test(name));
    assert.deepEqual([...tested].toSorted(), programs.toSorted());
  });
});
