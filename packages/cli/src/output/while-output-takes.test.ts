import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const helper = new URL("./while-output-takes.ts", import.meta.url).href;

test("what goes on writing ends when its reader is gone", async () => {
  const script = `
    import { setTimeout as sleep } from "node:timers/promises";
    import { whileOutputTakes } from ${JSON.stringify(helper)};
    process.stdout.on("error", () => undefined);
    const signal = whileOutputTakes(new AbortController().signal);
    while (!signal.aborted) {
      process.stdout.write("line\\n");
      await sleep(5);
    }
    process.stderr.write(signal.reason.code);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  let told = "";
  child.stderr.on("data", (piece) => (told += String(piece)));
  const closed = once(child, "close");
  child.stdout.once("data", () => child.stdout.destroy());
  assert.deepEqual(await closed, [0, null], told);
  assert.equal(told, "EPIPE");
});
