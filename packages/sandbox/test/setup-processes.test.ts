import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { prerequisite } from "@virga/testkit";
import { ensureReady } from "../src/setup/setup.ts";
import { useFakeMachine, type FakeMachine } from "./fake-machine.ts";

const noCompiler =
  spawnSync("musl-gcc", ["--version"]).status === 0 ? undefined : "musl-gcc is not installed";
const skip = prerequisite("compiler", noCompiler);
const program = fileURLToPath(new URL("run-setup.ts", import.meta.url));

function setUp({ home, machine }: FakeMachine): ChildProcess {
  return spawn(
    process.execPath,
    ["--conditions=virga-source", program, JSON.stringify({ home, machine, mode: "auto" })],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
}

async function outcome(child: ChildProcess): Promise<unknown> {
  assert.ok(child.stdout);
  assert.ok(child.stderr);
  const [output, events] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  assert.equal(child.exitCode, 0, events);
  return JSON.parse(output);
}

test("processes that ask at the same time set up once and get the same", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const outcomes = await Promise.all([setUp(fake), setUp(fake), setUp(fake)].map(outcome));
  const assets = await ensureReady({ ...fake, mode: "never" });
  for (const result of outcomes) assert.deepEqual(result, assets);
  const calls = await fake.calls();
  const count = (pattern: RegExp): number => calls.filter((call) => pattern.test(call)).length;
  assert.equal(count(/apt-get .*download linux-image/u), 1);
  assert.equal(count(/apt-get .*download busybox/u), 1);
  assert.equal(count(/apt-get install(?!.*download-only)/u), 1);
});

test("after a kill in the middle the next one does it again and cleans up", { skip }, async (t) => {
  const fake = await useFakeMachine(t);
  const good = await readFile(join(fake.bin, "apt-get"), "utf8");
  // It ends by itself when its parent, which reads its output, is gone.
  const slow = "*download*) while echo Get:1; do sleep 0.1; done; exit 1;;\n  never)";
  await writeFile(join(fake.bin, "apt-get"), good.replace("  *download*)", `  ${slow}`));
  const killed = setUp(fake);
  assert.ok(killed.stderr);
  for await (const line of createInterface(killed.stderr)) {
    if (line === "progress kernel") killed.kill("SIGKILL");
  }
  assert.equal(killed.signalCode ?? (await once(killed, "exit"))[1], "SIGKILL");
  assert.ok((await readdir(fake.home.kernel)).some((name) => name.includes("partial")));

  await writeFile(join(fake.bin, "apt-get"), good);
  const assets = await ensureReady({ ...fake, mode: "auto" });
  assert.ok((await readFile(assets.initramfs)).length > 0);
  const left = await readdir(fake.home.state, { recursive: true });
  assert.deepEqual(
    left.filter((name) => name.includes("partial")),
    [],
  );
});
