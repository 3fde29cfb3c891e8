import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Lets a child process do what `run` says, which it gets as JSON, and kill itself on the way; false when it came to its end before. `onOutput` is told what it
 * writes. What Node compiles of it is kept for the next one.
 */
export async function runKillChild(
  program: URL,
  run: unknown,
  onOutput?: (text: string) => void,
): Promise<boolean> {
  const path = fileURLToPath(program);
  const cache = new URL(`../../../node_modules/.cache/${basename(path, ".ts")}`, import.meta.url);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--conditions=virga-source", path, JSON.stringify(run)], {
    stdio: ["ignore", onOutput === undefined ? "ignore" : "pipe", "pipe"],
    env: { ...env, NODE_COMPILE_CACHE: fileURLToPath(cache) },
  });
  let log = "";
  child.stderr?.on("data", (chunk) => (log += String(chunk)));
  child.stdout?.on("data", (chunk) => onOutput?.(String(chunk)));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") return true;
  assert.equal(code, 0, `ended by ${signal ?? code}: ${log}`);
  return false;
}
