import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { imageToolsMissing, pythonMissing, useTemporaryDirectory } from "@virga/testkit";
import { recordTerminal } from "./terminal-record.ts";
import { virgaIn } from "./test-virga.ts";

const COLUMNS = 60;
const program = fileURLToPath(new URL("show-progress.ts", import.meta.url));
const command = [process.execPath, "--conditions=virga-source", "--no-warnings", program] as const;

const skip = pythonMissing();

/** Everything that was ever written, and the lines that stand on the terminal in the end. */
function onTerminal(
  argv: readonly string[],
  env = process.env,
): { readonly seen: string; readonly screen: string[] } {
  const { seen, code } = recordTerminal(argv, { env });
  assert.equal(code, 0, seen);
  return { seen, screen: screenOf(seen) };
}

/** What a terminal shows of these bytes: colours aside, it knows the start of the line, its clearing, and new lines, and fails on anything else. */
function screenOf(seen: string): string[] {
  // oxlint-disable-next-line no-control-regex
  const plain = seen.replaceAll(/\u001B\[[\d;]*m/gu, "");
  const lines: string[] = [];
  let line = "";
  let column = 0;
  // Of what is to be written over.
  let widest = 0;
  // oxlint-disable-next-line no-control-regex
  for (const token of plain.match(/\u001B\[\d*[A-Za-z]|[\s\S]/gu) ?? []) {
    if (token === "\r") column = 0;
    else if (token === "\n") {
      lines.push(line);
      line = "";
      widest = 0;
    } else if (["\u001B[K", "\u001B[2K"].includes(token)) {
      assert.ok(widest < COLUMNS, `a line that is written over must not wrap: ${line}`);
      line = token === "\u001B[K" ? line.slice(0, column) : "";
      widest = 0;
    } else {
      assert.doesNotMatch(token, /\p{Cc}/u, JSON.stringify(token));
      line = line.padEnd(column).slice(0, column) + token + line.slice(column + 1);
      column++;
      widest = Math.max(widest, column);
    }
  }
  return [...lines, line].map((text) => text.trimEnd());
}

/** Words without the marks before them. */
function wordsOf(screen: readonly string[]): string[] {
  return screen.map((line) => line.replace(/^[^A-Za-z]+/u, "")).filter((line) => line !== "");
}

function withoutTerminal(what: string): { readonly stdout: string; readonly stderr: string } {
  const [node, ...args] = command;
  const { stdout, stderr, status } = spawnSync(node, [...args, what], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}

test("set-up on a terminal: steps stay, what they say is one line that goes away", { skip }, () => {
  const { seen, screen } = onTerminal([...command, "setup"]);
  for (const said of ["Get:1 first-part", "Get:2 long-part", "compiling the-agent"])
    assert.ok(seen.includes(said), said);
  assert.deepEqual(wordsOf(screen), [
    "Setting up what is missing: the guest kernel",
    "Fetching the guest kernel",
    "Building the initramfs",
    "result",
  ]);
});

test("set-up that fails on a terminal says so below its steps", { skip }, () => {
  const { screen } = onTerminal([...command, "setup-failed"]);
  assert.deepEqual(wordsOf(screen).slice(-3), ["Building the initramfs", "Not finished", "result"]);
});

test("work that takes long is one line on a terminal, which goes away", { skip }, () => {
  const { seen, screen } = onTerminal([...command, "work"]);
  assert.ok(seen.includes("virga: Making the template …"));
  assert.ok(seen.includes("virga: Packing very very"));
  assert.deepEqual(screen, ["result", ""]);
  // Beside the log it would tear its lines.
  assert.deepEqual(onTerminal([...command, "work-verbose"]).seen, "result\r\n");
});

test(
  "a real command shows its progress on a terminal, and leaves its result alone there",
  { skip: skip === false ? imageToolsMissing("sqfstar", "mke2fs") : skip },
  async (t) => {
    const scratch = await useTemporaryDirectory(t);
    await mkdir(join(scratch, "tree"));
    await writeFile(join(scratch, "tree", "file"), "content");
    const words = ["image", "build", "tools", "--from", join(scratch, "tree")];
    const { argv, env } = virgaIn(join(scratch, "home"));
    const { seen, screen } = onTerminal([...argv, ...words], env);
    assert.match(seen, /virga: Reading: 0 MiB …/u);
    assert.match(seen, /virga: Packing: 0 MiB …/u);
    // The digest is longer than the terminal is wide, and is not written over.
    assert.match(screen.join("\n"), /^sha256:[0-9a-f]{64}\n$/u);
  },
);

test("without a terminal set-up tells plain lines, and other work nothing", () => {
  const plan = "virga: Setting up what is missing: the guest kernel\n";
  const steps = "virga: Fetching the guest kernel\nvirga: Building the initramfs\n";
  assert.deepEqual(withoutTerminal("setup"), { stdout: "result\n", stderr: plan + steps });
  assert.deepEqual(withoutTerminal("work"), { stdout: "result\n", stderr: "" });
});
