import { readFileSync } from "node:fs";

/** A process's proportional set size: its memory, with its share of what it shares with others. */
export function proportionalKib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = /^Pss:\s+(\d+) kB$/mu.exec(text)?.[1];
  if (kib === undefined) throw new Error(`process ${pid} tells no Pss`);
  return Number(kib);
}
