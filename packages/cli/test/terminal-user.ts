import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endOf } from "./test-virga.ts";

const helper = fileURLToPath(new URL("terminal-user.py", import.meta.url));

/**
 * Lets a user at a terminal use the shell that these words start: its size and the terminal's kind are ours, it follows a resize, Ctrl-C ends what runs in it and
 * not itself, its exit code is passed on, and our terminal is afterwards as it was.
 */
export async function useShell(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn("python3", [helper, ...argv], {
    env: { ...env, TERM: "screen-256color" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = await endOf(child);
  assert.equal(end.code, 0, end.stderr + end.stdout);
  assert.deepEqual(JSON.parse(end.stdout), {
    size: "33 101",
    term: "screen-256color",
    resized: "44 122",
    interrupted: true,
    restored: true,
    code: 5,
  });
}
