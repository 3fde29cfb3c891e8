import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { findExecutable } from "../lab/find-executable.ts";
import type { KernelName } from "../lab/kernel.ts";
import { runInLab } from "../lab/lab.ts";
import { missingForLab } from "../lab/prerequisites.ts";
import { streamTo } from "../lab/stream-to.ts";
import { prerequisite } from "../packages/testkit/src/prerequisite.ts";
import type { TestRunResult } from "./test-process.ts";
import { addTotals, emptyTotals, type TestTotals } from "./test-totals.ts";

interface Pass {
  readonly driver: "cloud-hypervisor" | "qemu";
  readonly kernel: KernelName;
}

const passes: readonly Pass[] = [
  { driver: "cloud-hypervisor", kernel: "6.12" },
  { driver: "qemu", kernel: "6.12" },
  { driver: "qemu", kernel: "stock" },
];
const limitMs = 25 * 60_000;

/** Tells whether a lab test drives the lab from outside, as those of the lab itself do. */
export function drivesLab(file: string): boolean {
  return file.startsWith(`lab${sep}`);
}

/**
 * Runs test files inside the lab: one start per driver, all files in one process there. On the stock kernel only
 * files named `x.stock.lab.test.ts` run.
 */
export async function runLabTests(
  root: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<TestRunResult> {
  const totals = emptyTotals();
  for (const pass of passes) {
    const share =
      pass.kernel === "stock" ? files.filter((file) => file.endsWith(".stock.lab.test.ts")) : files;
    if (share.length === 0) continue;
    const skip = skipReason(pass);
    if (skip !== false) {
      totals.skipped++;
      totals.skips[skip] = (totals.skips[skip] ?? 0) + 1;
      continue;
    }
    const problem = await runPass(root, pass, share, totals, signal);
    if (problem !== undefined) return { totals, problem };
  }
  return { totals };
}

function skipReason({ driver }: Pass): string | false {
  const lab = prerequisite("lab", missingForLab());
  if (lab !== false || driver === "qemu") return lab;
  const named = process.env["VIRGA_CLOUD_HYPERVISOR"] ?? "";
  const found = named !== "" || findExecutable("cloud-hypervisor") !== undefined;
  return prerequisite(
    "cloud-hypervisor",
    found ? undefined : "NOT TESTED, it is neither on PATH nor named by VIRGA_CLOUD_HYPERVISOR",
  );
}

async function runPass(
  root: string,
  { driver, kernel }: Pass,
  files: readonly string[],
  totals: TestTotals,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = `${driver} in the lab, kernel ${kernel}`;
  const results = mkdtempSync(join(tmpdir(), "virga-lab-results-"));
  const totalsFile = join(results, "totals.json");
  try {
    // The lab's machine may die of the host's load. That says nothing about the tests: they run again, once.
    for (let attempt = 1; ; attempt++) {
      console.log(`lab: ${files.length} test file(s) with ${name}`);
      const end = await runInLab({
        argv: [process.execPath, "tools/run-tests.ts", "in-lab", "--totals", totalsFile, ...files],
        cwd: root,
        kernel,
        env: { VIRGA_LAB_DRIVER: driver, VIRGA_LAB_KERNEL: kernel },
        writable: [results],
        timeoutMs: limitMs,
        stdout: streamTo(process.stdout),
        stderr: streamTo(process.stderr),
        log: (line) => console.log(line),
        signal,
      });
      if (end.kind === "exit") {
        const part = readTotals(totalsFile);
        if (part === undefined) return `${name}: no result came back, exit code ${end.code}`;
        addTotals(totals, part);
        if (end.code !== 0 && part.failed === 0) return `${name}: ended with exit code ${end.code}`;
        return undefined;
      }
      if (end.kind === "aborted") return `${name}: interrupted`;
      if (end.kind === "timeout") {
        return `${name}: not done after ${limitMs / 60_000} min\n${end.consoleTail}`;
      }
      console.log(`lab: the machine died: ${end.reason}\n${end.consoleTail}`);
      if (attempt === 2) return `${name}: the machine died twice`;
      console.log("lab: starting it again");
    }
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function readTotals(file: string): TestTotals | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}
