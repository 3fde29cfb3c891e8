import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pythonMissing } from "@virga/testkit";

const onTerminal = fileURLToPath(new URL("../../test/terminal-record.py", import.meta.url));
const program = `
  import { wantsStdin } from ${JSON.stringify(new URL("wants-stdin.ts", import.meta.url).href)};
  console.log([wantsStdin(false), wantsStdin(true)].join(" "));`;
const node = [
  process.execPath,
  "--conditions=virga-source",
  "--no-warnings",
  "--input-type=module",
  "-e",
  program,
] as const;

test("a terminal is read when asked for, anything else always", { skip: pythonMissing() }, () => {
  const terminal = spawnSync("python3", [onTerminal, ...node], { encoding: "utf8" });
  assert.match(JSON.parse(terminal.stdout).seen, /false true\r\n$/u);
  const [command, ...args] = node;
  for (const stdin of ["pipe", "ignore"] as const) {
    const { stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      stdio: [stdin, "pipe", "pipe"],
    });
    assert.deepEqual([stdout, stderr], ["true true\n", ""]);
  }
});
