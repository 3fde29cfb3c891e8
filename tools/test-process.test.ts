import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { runTestFiles } from "./test-process.ts";

describe("a run of test files", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "virga-run-"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  function run(text: string, limits: { testTimeoutMs?: number; limitMs?: number } = {}) {
    writeFileSync(
      join(root, "a.test.mjs"),
      `import { test, describe, after, before } from "node:test";\n${text}`,
    );
    const defaults = { testTimeoutMs: 60_000, limitMs: 60_000 };
    return runTestFiles({ root, files: ["a.test.mjs"], output: "ignore", ...defaults, ...limits });
  }

  test("counts passes, failures and skips by reason, each once", async () => {
    const result = await run(`
      describe("suite", () => {
        test("passes", () => {});
        test("fails", () => { throw new Error("no"); });
        test("skipped", { skip: "qemu: missing" }, () => {});
      });
      describe("skipped as a whole", { skip: "qemu: missing" }, () => { test("inner", () => {}); });
      test("parent", async (t) => { await t.test("child fails", () => { throw new Error("no"); }); });`);
    assert.deepEqual(result, {
      totals: { passed: 1, failed: 2, skipped: 2, skips: { "qemu: missing": 2 } },
    });
  });

  test("a hook that fails after its tests passed is a failure", async () => {
    const { totals } = await run(`
      describe("suite", () => {
        after(() => { throw new Error("left something behind"); });
        test("passes", () => {});
      });`);
    assert.equal(totals.failed, 1);
  });

  test("a file without tests, and one that cannot be loaded, are failures", async () => {
    assert.deepEqual((await run("")).totals, { passed: 0, failed: 1, skipped: 0, skips: {} });
    assert.equal((await run("throw new Error('broken')")).totals.failed, 1);
  });

  test("a test that waits for ever is ended by its own limit", async () => {
    const { totals } = await run(
      `test("waits", () => new Promise(() => setInterval(() => {}, 1000)));`,
      { testTimeoutMs: 300 },
    );
    assert.equal(totals.failed, 1);
  });

  test("a run that takes too long is ended, its processes too", async () => {
    const pidFile = join(root, "pid");
    const result = await run(
      `import { writeFileSync } from "node:fs";
       process.on("SIGTERM", () => {});
       test("waits", () => { writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); return new Promise(() => setInterval(() => {}, 1000)); });`,
      { limitMs: 8000 },
    );
    assert.match(result.problem ?? "", /not done after 8 s/);
    assert.ok(existsSync(pidFile));
    const pid = Number(readFileSync(pidFile, "utf8"));
    // Its end has been ordered; the kernel carries it out a moment later.
    while (isRunning(pid)) await setTimeout(10);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/su.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
