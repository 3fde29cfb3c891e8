import { existsSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";

/** The machine a result was measured on: it says nothing about another one. */
export interface MachineDescription {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMib: number;
  readonly kernel: string;
  readonly node: string;
  readonly hasKvm: boolean;
  /** Whether it is the emulated machine of `lab/`, where only ratios mean something. */
  readonly isLab: boolean;
  /** Processes that wanted to run in the minute before: measured on a busy machine, intervals are wide. */
  readonly load: number;
}

/** Describes this machine as it is now. */
export function describeMachine(): MachineDescription {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    hasKvm: existsSync("/dev/kvm"),
    isLab: process.env["VIRGA_LAB"] === "1",
    load: loadavg()[0] ?? 0,
  };
}
