import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FAKE_FILES } from "./behaviour.ts";

/** One line of a fake's log: a control call began or ended in the process `pid`. */
export interface CallEvent {
  readonly pid: number;
  /** The hypervisor's own name of the call: `vm.boot`, `query-status`. */
  readonly call: string;
  readonly phase: "start" | "end";
  /** Monotonic within this boot of the machine. */
  readonly atNs: number;
  /** The call's argument. */
  readonly argument?: unknown;
}

/** Appends to the log of the fake in `directory`. A short write to a file opened for appending is one piece, whoever else writes. */
export function logCall(directory: string, event: Omit<CallEvent, "pid" | "atNs">): void {
  const line = { pid: process.pid, ...event, atNs: Number(process.hrtime.bigint()) };
  appendFileSync(join(directory, FAKE_FILES.calls), `${JSON.stringify(line)}\n`);
}

/** All calls so far, in the order they were written. */
export function readCalls(directory: string): CallEvent[] {
  return readFileSync(join(directory, FAKE_FILES.calls), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as CallEvent);
}
