import { availableParallelism, totalmem } from "node:os";

const MIB = 1024 ** 2;
const MAX_VCPUS = 255;
/** More virtual than real processors only make a guest slower; some are wanted all the same, to try what a program does on several. */
const ALWAYS_VCPUS = 8;

/** What one sandbox may have at most on this machine. */
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
