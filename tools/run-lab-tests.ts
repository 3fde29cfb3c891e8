import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, sep } from "node:path";
import { findExecutable } from "../lab/find-executable.ts";
import type { KernelName } from "../lab/kernel.ts";
import { runInLab } from "../lab/lab.ts";
import type { MachineEnd } from "../lab/machine.ts";
import { missingForLab } from "../lab/prerequisites.ts";
import { prerequisite } from "../packages/testkit/src/prerequisite.ts";
import { linesTo } from "./lines-to.ts";
import type { TestRunResult } from "./test-process.ts";
import { addTotals, emptyTotals, type TestTotals } from "./test-totals.ts";

/** One start of the lab. */
export interface LabPass {
  readonly driver: "cloud-hypervisor" | "qemu";
  readonly kernel: KernelName;
}

const passes: readonly LabPass[] = [
  { driver: "cloud-hypervisor", kernel: "6.12" },
  { driver: "qemu", kernel: "6.12" },
  { driver: "qemu", kernel: "stock" },
];
/** For long tests: of QEMU they run outside. */
export const longPasses: readonly LabPass[] = [{ driver: "cloud-hypervisor", kernel: "6.12" }];

/** What is looked for on the machine before a pass is started. */
export interface LabMachine {
  /** Why the lab cannot run here. */
  readonly missing: () => string | undefined;
  /** Where a program is, if it is there. */
  readonly find: (program: string) => string | undefined;
}

const thisMachine: LabMachine = { missing: missingForLab, find: findExecutable };

/** Of one pass. The longest takes about a third of it when it has a core of its own. */
const limitMs = 27 * 60_000;
/** What the machine of a pass takes from the host at most, its translations included. */
const machineBytes = 7.5 * 2 ** 30;

/** Tells whether a lab test drives the lab from outside, as those of the lab itself do. */
export function drivesLab(file: string): boolean {
  return file.startsWith(`lab${sep}`);
}

/**
 * Runs test files inside the lab: one start per driver, all files in one process there, and as many at the same time as the host has cores and
 * memory for, since a machine has one processor. On the stock kernel only files named `x.stock.lab.test.ts` run.
 */
export async function runLabTests(
  root: string,
  files: readonly string[],
  signal: AbortSignal,
  options: { readonly passes?: readonly LabPass[]; readonly machine?: LabMachine } = {},
): Promise<TestRunResult> {
  const { machine = thisMachine } = options;
  const totals = emptyTotals();
  const problems: string[] = [];
  const waiting = [...(options.passes ?? passes)];
  const work = async (): Promise<void> => {
    for (let pass = waiting.shift(); pass !== undefined; pass = waiting.shift()) {
      const share =
        pass.kernel === "stock"
          ? files.filter((file) => file.endsWith(".stock.lab.test.ts"))
          : files;
      if (share.length === 0) continue;
      const skip = skipReason(pass, machine);
      if (skip !== false) {
        // A whole pass is not run: how many tests that are, only the pass itself could tell.
        totals.skipped++;
        totals.skips[skip] = (totals.skips[skip] ?? 0) + 1;
        continue;
      }
      const problem = await runPass(root, pass, share, totals, signal);
      if (problem !== undefined) problems.push(problem);
    }
  };
  const room = Math.floor(process.availableMemory() / machineBytes);
  const width = Math.max(1, Math.min(waiting.length, availableParallelism(), room));
  await Promise.all(Array.from({ length: width }, work));
  return problems.length === 0 ? { totals } : { totals, problem: problems.join("\n") };
}

function skipReason({ driver }: LabPass, machine: LabMachine): string | false {
  const lab = prerequisite("lab", machine.missing());
  if (lab !== false || driver === "qemu") return lab;
  const named = process.env["VIRGA_CLOUD_HYPERVISOR"] ?? "";
  const names = ["cloud-hypervisor", "cloud-hypervisor-static"];
  const found = named !== "" || names.some((name) => machine.find(name) !== undefined);
  return prerequisite(
    "cloud-hypervisor",
    found ? undefined : "NOT TESTED, it is neither on PATH nor named by VIRGA_CLOUD_HYPERVISOR",
  );
}

async function runPass(
  root: string,
  { driver, kernel }: LabPass,
  files: readonly string[],
  totals: TestTotals,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = kernel === "stock" ? `lab, ${driver}, stock kernel` : `lab, ${driver}`;
  const results = mkdtempSync(join(tmpdir(), "virga-lab-results-"));
  const totalsFile = join(results, "totals.json");
  const print = linesTo(process.stdout, `${name}: `);
  const deadline = performance.now() + limitMs;
  const start = (): Promise<MachineEnd> =>
    runInLab({
      argv: [process.execPath, "tools/run-tests.ts", "in-lab", "--totals", totalsFile, ...files],
      cwd: root,
      kernel,
      env: { VIRGA_LAB_DRIVER: driver, VIRGA_LAB_KERNEL: kernel },
      writable: [results],
      timeoutMs: Math.max(deadline - performance.now(), 1),
      stdout: print,
      stderr: print,
      log: (line) => print(`${line}\n`),
      signal,
    });
  try {
    print(`${files.length} test file(s)\n`);
    let end = await start();
    if (end.kind === "died") {
      // The death of the machine itself says nothing of the tests, so they run again: once, and it is told.
      print(`the machine died: ${end.reason}\n${end.consoleTail}\nit is started again\n`);
      end = await start();
    }
    switch (end.kind) {
      case "exit": {
        const part = readTotals(totalsFile);
        if (part === undefined) return `${name}: no result came back, exit code ${end.code}`;
        addTotals(totals, part);
        if (end.code !== 0 && part.failed === 0) return `${name}: ended with exit code ${end.code}`;
        return undefined;
      }
      case "aborted":
        return `${name}: interrupted`;
      case "timeout":
        return `${name}: not done after ${limitMs / 60_000} min\n${end.consoleTail}`;
      case "died":
        return `${name}: the machine died: ${end.reason}\n${end.consoleTail}`;
    }
  } finally {
    print("");
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
