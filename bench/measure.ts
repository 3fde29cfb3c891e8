import type { Measure, Sample, Scenario } from "./bench.ts";
import {
  comparePairs,
  estimateMedian,
  relativeHalfWidth,
  seededRandom,
  summarize,
  type Comparison,
  type Estimate,
  type Summary,
} from "./statistics.ts";
import { judge, type Aim, type Verdict } from "./verdict.ts";

/** Every round that a bench has measured, over all its turns. */
export interface Rounds {
  readonly raw: Sample[];
  readonly virga: Sample[];
}

/** When a scenario has been measured enough, for this turn or for good. */
export interface Limits {
  /** Milliseconds on the clock's scale at which no further round is begun. */
  readonly deadlineMs: number;
  /** Rounds after which the interval may be trusted. Default: the scenario's, else 10. */
  readonly leastRounds?: number;
  /** Half of the interval's width that is narrow enough, as a share of the value. Default 0.05. */
  readonly precision?: number;
  /** What earlier turns have measured; this one adds to it. */
  readonly rounds?: Rounds;
  readonly clock?: () => number;
  readonly signal?: AbortSignal;
}

/** What one measure came to. */
export interface Result {
  readonly name: string;
  readonly unit: Measure["unit"];
  readonly raw?: Summary;
  readonly virga: Summary;
  /** Virga's median with its interval. */
  readonly median: Estimate;
  readonly comparison?: Comparison;
  readonly aim?: Aim;
  readonly verdict?: Verdict;
  /** Whether its interval is as narrow as asked for, after enough rounds for that to mean something. */
  readonly isNarrow: boolean;
  /** Every sample, in the order of the rounds: raw and Virga's of a round belong together. */
  readonly samples: { readonly raw?: readonly number[]; readonly virga: readonly number[] };
}

/**
 * Measures in rounds: one raw, one with Virga, the other way round in the next. The first round of a turn fills caches and is thrown away, unless there is
 * no time for another and there has been none. Ends when the interval of every measure is narrow enough, at the deadline, or when the signal is aborted; what
 * it has by then is the result.
 */
export async function measure(scenario: Scenario, limits: Limits): Promise<Result[]> {
  const {
    leastRounds = scenario.leastRounds ?? 10,
    precision = 0.05,
    clock = () => performance.now(),
  } = limits;
  const { rounds = { raw: [], virga: [] } } = limits;
  const judged = (): Result[] => evaluate(scenario, rounds, { leastRounds, precision });
  const first = await oneRound(scenario, true);
  // Judging costs as much as many short rounds: it is done less often as they grow.
  const nextJudgement = (count: number): number => Math.max(leastRounds, Math.ceil(count * 1.25));
  let judgeAt = nextJudgement(rounds.virga.length);
  while (clock() < limits.deadlineMs && limits.signal?.aborted !== true) {
    add(rounds, await oneRound(scenario, rounds.virga.length % 2 === 0));
    if (rounds.virga.length < judgeAt) continue;
    judgeAt = nextJudgement(rounds.virga.length);
    if (judged().every(({ isNarrow }) => isNarrow)) break;
  }
  if (rounds.virga.length === 0) add(rounds, first);
  return judged();
}

interface Round {
  readonly raw: Sample | undefined;
  readonly virga: Sample;
}

function add(rounds: Rounds, { raw, virga }: Round): void {
  if (raw !== undefined) rounds.raw.push(raw);
  rounds.virga.push(virga);
}

async function oneRound(scenario: Scenario, rawFirst: boolean): Promise<Round> {
  const before = rawFirst ? await scenario.raw?.() : undefined;
  const virga = await scenario.virga();
  return { raw: rawFirst ? before : await scenario.raw?.(), virga };
}

type Enough = Required<Pick<Limits, "leastRounds" | "precision">>;

function evaluate(scenario: Scenario, rounds: Rounds, enough: Enough): Result[] {
  return scenario.measures.map((one) => evaluateMeasure(one, rounds, enough));
}

function evaluateMeasure({ name, unit, aim }: Measure, rounds: Rounds, enough: Enough): Result {
  const virga = rounds.virga.map((sample) => valueOf(sample, name));
  const raw = rounds.raw.map((sample) => valueOf(sample, name));
  const median = estimateMedian(virga, seededRandom(virga.length));
  const base = { name, unit, virga: summarize(virga), median };
  const compared =
    raw.length === 0
      ? undefined
      : comparePairs(
          raw.map((value, at) => ({ raw: value, virga: virga[at] ?? Number.NaN })),
          seededRandom(raw.length),
        );
  // The interval of a few samples is no interval: it is as narrow as chance made it.
  const isTrusted = virga.length >= enough.leastRounds;
  return {
    ...base,
    samples: raw.length === 0 ? { virga } : { raw, virga },
    isNarrow: isTrusted && relativeHalfWidth(compared?.ratio ?? median) <= enough.precision,
    ...(compared && { raw: summarize(raw), comparison: compared }),
    ...(aim && { aim }),
    ...(aim && { verdict: isTrusted ? judge(aim, median, compared) : "open" }),
  };
}

function valueOf(sample: Sample, name: string): number {
  const value = sample[name];
  if (value === undefined) throw new Error(`a round did not measure "${name}"`);
  return value;
}
