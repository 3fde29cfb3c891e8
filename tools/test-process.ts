import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { emptyTotals, type TestTotals } from "./test-totals.ts";

/** One run of node's test runner. */
export interface TestRun {
  /** Where it runs; `files` are relative to it. */
  readonly root: string;
  readonly files: readonly string[];
  /** Files at the same time; default: as many as there are cores. */
  readonly concurrency?: number;
  /** Runs all files in one process: hooks outside of a suite then apply to all of them. Default false. */
  readonly oneProcess?: boolean;
  /** Limit of one test. */
  readonly testTimeoutMs: number;
  /** Limit of the whole run: node cannot stop a test that loops, so its process group is killed. */
  readonly limitMs: number;
  /** Where failures are printed; default: standard output. */
  readonly output?: "inherit" | "ignore";
}

/** What it came to; `problem` is set when the run itself went wrong, so that the totals are not the whole truth. */
export interface TestRunResult {
  readonly totals: TestTotals;
  readonly problem?: string;
}

const ending = new URL("end-after-tests.ts", import.meta.url).href;
const reporter = fileURLToPath(new URL("test-reporter.ts", import.meta.url));

/** Runs test files with the project's reporter and gives their totals. Failures are printed as they happen. */
export async function runTestFiles(run: TestRun): Promise<TestRunResult> {
  const work = mkdtempSync(join(tmpdir(), "virga-tests-"));
  const totalsFile = join(work, "totals.json");
  const args = [
    "--conditions=virga-source",
    `--import=${ending}`,
    "--test",
    `--test-timeout=${run.testTimeoutMs}`,
    `--test-concurrency=${run.concurrency ?? availableParallelism()}`,
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=stdout",
    // In one process there is nothing to hand over.
    ...(run.oneProcess ? ["--test-isolation=none", "--test-force-exit"] : []),
    ...run.files,
  ];
  // A session of its own: the whole of it can be ended, whatever the tests have started.
  const child = spawn(process.execPath, args, {
    cwd: run.root,
    detached: true,
    stdio: ["ignore", run.output ?? "inherit", run.output ?? "inherit"],
    // NODE_TEST_CONTEXT: a runner inside a test would otherwise refuse to run anything.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, VIRGA_TEST_TOTALS: totalsFile },
  });
  const end = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // It has ended by itself.
    }
  };
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    end(interrupted === undefined ? signal : "SIGKILL");
    interrupted ??= signal;
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  let late: string | undefined;
  const timer = setTimeout(() => {
    late = runningFiles(child.pid).join(", ");
    end("SIGKILL");
  }, run.limitMs);
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once("error", reject).once("exit", (...status) => resolve(status));
      },
    );
    if (late !== undefined) {
      return {
        totals: emptyTotals(),
        problem: `not done after ${run.limitMs / 1000} s; still running: ${late || "no test file"}`,
      };
    }
    if (interrupted !== undefined) {
      return { totals: emptyTotals(), problem: `interrupted by ${interrupted}` };
    }
    const totals = readTotals(totalsFile);
    if (totals === undefined) {
      return { totals: emptyTotals(), problem: `the test runner ended with ${signal ?? code}` };
    }
    if (code !== 0 && totals.failed === 0) {
      return { totals, problem: `the test runner ended with ${signal ?? code}` };
    }
    return { totals };
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    rmSync(work, { recursive: true, force: true });
  }
}

/** Test files whose processes belong to the run's group: what hangs, or leaves a timer or a server behind. */
function runningFiles(group: number | undefined): string[] {
  const files: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) !== group) continue;
      const last = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").at(-2) ?? "";
      if (last.endsWith(".test.ts") && Number(pid) !== group) files.push(last);
    } catch {
      // It has ended meanwhile.
    }
  }
  return files;
}

function readTotals(file: string): TestTotals | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
