import { availableParallelism, totalmem } from "node:os";
import type { ConfigProblem } from "./config/problem.ts";

const MIB = 1024 ** 2;
const MAX_VCPUS = 255;
/** More virtual than real processors only make a guest slower; some are wanted all the same, to try what a program does on several. */
const ALWAYS_VCPUS = 8;

/** What one VM may have at most on this machine. */
export interface MachineLimits {
  readonly vcpus: number;
  readonly memoryMib: number;
}

/** The machine's facts that decide. */
export interface MachineSize {
  readonly processors: number;
  readonly memoryBytes: number;
  /** What a control group allows this process; 0 or more than there is where nothing limits it. */
  readonly allowedBytes: number;
}

/** The limits of this machine: its memory, or what a control group allows of it; its processors, or 8 where it has fewer. */
export function machineLimits(size: MachineSize = thisMachine()): MachineLimits {
  const { processors, memoryBytes, allowedBytes } = size;
  const bytes = allowedBytes > 0 ? Math.min(memoryBytes, allowedBytes) : memoryBytes;
  return {
    vcpus: Math.min(MAX_VCPUS, Math.max(ALWAYS_VCPUS, processors)),
    memoryMib: Math.floor(bytes / MIB),
  };
}

function thisMachine(): MachineSize {
  return {
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    allowedBytes: process.constrainedMemory(),
  };
}

/** What of a configuration is more than this machine has. The rest of its problems are told without looking at the machine. */
export function limitProblems(
  config: { readonly vcpus: number; readonly memoryMib: number },
  most: MachineLimits = machineLimits(),
): ConfigProblem[] {
  const limits = [
    { path: "memoryMib", value: config.memoryMib, most: most.memoryMib, what: "its memory" },
    { path: "vcpus", value: config.vcpus, most: most.vcpus, what: "its processors" },
  ];
  return limits
    .filter((limit) => limit.value > limit.most)
    .map(({ path, value, most: allowed, what }) => ({
      path,
      value,
      allowed: `at most ${allowed} on this machine, by ${what}`,
    }));
}
