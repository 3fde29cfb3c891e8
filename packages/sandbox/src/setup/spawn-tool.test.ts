import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { useTemporaryDirectory } from "@virga/testkit";
import { identifyProcess } from "@virga/vm";
import { spawnTool } from "./spawn-tool.ts";

const module = new URL("./spawn-tool.ts", import.meta.url).href;

/** A process of its own that starts a shell script as a tool. */
function starter(script: string, options: { readonly outlives?: boolean } = {}): ChildProcess {
  const program = `const { spawnTool } = await import(${JSON.stringify(module)});
    spawnTool("sh", ["-c", ${JSON.stringify(script)}], ${JSON.stringify(options)});`;
  return spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "inherit" });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

/** The numbers that a script has written into a file, one a line. */
async function pidsIn(file: string, count: number): Promise<number[]> {
  let lines: string[] = [];
  await until(async () => {
    lines = existsSync(file) ? (await readFile(file, "utf8")).split("\n").slice(0, -1) : [];
    return lines.length === count;
  });
  return lines.map(Number);
}

/** Nobody may ever ask how a child of nobody ended: then it stays, dead. */
function lives(pid: number): boolean {
  return identifyProcess(pid) !== undefined;
}

test("a tool and what it has started end when the process is killed that started it", async (t) => {
  const pids = join(await useTemporaryDirectory(t), "pids");
  const script = `sleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; wait`;
  const process = starter(script);
  const both = await pidsIn(pids, 2);
  assert.deepEqual(both.map(lives), [true, true]);
  process.kill("SIGKILL");
  await until(() => !both.some(lives));
});

test("one that must not stop half-way goes on", async (t) => {
  const place = await useTemporaryDirectory(t);
  const [pids, go, done] = ["pids", "go", "done"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  const script = `echo $$ > ${pids}; until [ -e ${go} ]; do sleep 0.02; done; echo done > ${done}`;
  const process = starter(script, { outlives: true });
  await pidsIn(pids, 1);
  process.kill("SIGKILL");
  await once(process, "close");
  await writeFile(go, "");
  await until(async () => existsSync(done) && (await readFile(done, "utf8")) === "done\n");
});

test("what a tool leaves running ends with it, and a kill ends them all", async (t) => {
  const place = await useTemporaryDirectory(t);
  const [left, killed] = [join(place, "left"), join(place, "killed")];
  const ended = spawnTool("sh", ["-c", `sleep 600 & echo $! > ${left}; exit 3`]);
  const [code] = await once(ended.child, "close");
  assert.equal(code, 3);
  const [child = 0] = await pidsIn(left, 1);
  await until(() => !lives(child));
  ended.kill();

  const running = spawnTool("sh", ["-c", `sleep 600 & echo $! > ${killed}; wait`]);
  const closed = once(running.child, "close");
  const [other = 0] = await pidsIn(killed, 1);
  running.kill();
  assert.deepEqual(await closed, [null, "SIGKILL"]);
  await until(() => !lives(other));
});

test("it has neither the guard's stream nor a child that it does not know", async () => {
  // `cat` is a child while it looks.
  const script = `[ ! -e /proc/$$/fd/4 ] || echo guard; cat /proc/$$/task/$$/children`;
  const { child } = spawnTool("sh", ["-c", script], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const chunks: string[] = [];
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
  const [code] = await once(child, "close");
  assert.match(chunks.join(""), /^\d+ $/);
  assert.equal(code, 0);
});

test("a program that is not there is an error of the process, as with spawn", async () => {
  const { child } = spawnTool("virga-no-such-program", []);
  const [error] = await once(child, "error");
  assert.deepEqual([error.code, error.message], ["ENOENT", "spawn virga-no-such-program ENOENT"]);
  await once(child, "close");
});
