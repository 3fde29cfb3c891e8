import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { pythonMissing } from "@virga/testkit";
import { recordTerminal } from "../../test/terminal-record.ts";

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
  assert.match(recordTerminal(node).seen, /false true\r\n$/u);
  const [command, ...args] = node;
  for (const stdin of ["pipe", "ignore"] as const) {
    const { stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      stdio: [stdin, "pipe", "pipe"],
    });
    assert.deepEqual([stdout, stderr], ["true true\n", ""]);
  }
});
