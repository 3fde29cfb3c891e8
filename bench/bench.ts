import type { Aim } from "./verdict.ts";

/** Something a bench measures. */
export interface Measure {
  readonly name: string;
  readonly unit: "ms" | "KiB";
  readonly aim?: Aim;
}

/** What one round measured: the name of each measure with its value. */
export type Sample = Readonly<Record<string, number>>;

/** A bench that is ready to measure. */
export interface Scenario {
  readonly measures: readonly Measure[];
  /** Rounds after which the interval may be trusted, where a round is more than one sample or hardly varies. Default 10. */
  readonly leastRounds?: number;
  /** One round with nothing of ours in between. Absent: there is nothing to compare with. */
  readonly raw?: () => Promise<Sample>;
  /** One round with Virga. */
  readonly virga: () => Promise<Sample>;
  /** Ends what {@link Bench.open} started. */
  readonly close: () => Promise<void>;
}

/** One or more measures that are taken together. */
export interface Bench {
  /** For `--only`. */
  readonly name: string;
  /** What is measured against what, in a line. */
  readonly about: string;
  /** Rejects with `UNSUPPORTED` where this machine cannot run it. */
  readonly open: () => Promise<Scenario>;
}
