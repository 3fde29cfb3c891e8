import type { Comparison, Estimate } from "./statistics.ts";

/** What we want to reach: at most so much, of the ratio to raw, of the difference to raw, or of the value itself. */
export interface Aim {
  readonly of: "ratio" | "difference" | "value";
  readonly most: number;
}

/** `missed` when the whole interval lies above the aim, `reached` when none of it does, else `open`. */
export type Verdict = "reached" | "open" | "missed";

/** Holds an aim against what was measured. */
export function judge(aim: Aim, value: Estimate, comparison: Comparison | undefined): Verdict {
  const estimate = aim.of === "value" ? value : comparison?.[aim.of];
  if (estimate === undefined) throw new Error(`an aim of the ${aim.of} needs a raw measure`);
  if (estimate.low > aim.most) return "missed";
  return estimate.high <= aim.most ? "reached" : "open";
}
