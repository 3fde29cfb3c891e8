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

/** When a scenario has been measured enough. */
export interface Limits {
  /** Milliseconds on the clock's scale at which no further round is begun. */
  readonly deadlineMs: number;
  /** Rounds after which the interval may be trusted. Default: the scenario's, else 10. */
  readonly leastRounds?: number;
  /** Half of the interval's width that is narrow enough, as a share of the value. Default 0.05. */
  readonly precision?: number;
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
  /** Every sample, in the order of the rounds: raw and Virga's of a round belong together. */
  readonly samples: { readonly raw?: readonly number[]; readonly virga: readonly number[] };
}

interface Rounds {
  readonly raw: Sample[];
  readonly virga: Sample[];
}

/**
 * Measures in rounds: one raw, one with Virga, the other way round in the next. The first round fills caches and is thrown away, unless there is no time for
 * another. Ends when the interval of every measure is narrow enough, at the deadline, or when the signal is aborted; what it has by then is the result.
 */
export async function measure(scenario: Scenario, limits: Limits): Promise<Result[]> {
  const {
    leastRounds = scenario.leastRounds ?? 10,
    precision = 0.05,
    clock = () => performance.now(),
  } = limits;
  const rounds: Rounds = { raw: [], virga: [] };
  const first = await oneRound(scenario, true);
  // Judging costs as much as many short rounds: it is done less often as they grow.
  let judgeAt = leastRounds;
  for (let count = 0; clock() < limits.deadlineMs && limits.signal?.aborted !== true;) {
    add(rounds, await oneRound(scenario, count % 2 === 0));
    count++;
    if (count < judgeAt) continue;
    judgeAt = Math.ceil(count * 1.25);
    if (evaluate(scenario, rounds).every((result) => isNarrow(result, precision))) break;
  }
  if (rounds.virga.length === 0) add(rounds, first);
  return evaluate(scenario, rounds).map((result) =>
    // The interval of a few samples is no interval: it is as narrow as chance made it.
    result.verdict !== undefined && result.virga.count < leastRounds
      ? { ...result, verdict: "open" }
      : result,
  );
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

function evaluate(scenario: Scenario, rounds: Rounds): Result[] {
  return scenario.measures.map((one) => evaluateMeasure(one, rounds));
}

function evaluateMeasure({ name, unit, aim }: Measure, rounds: Rounds): Result {
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
  return {
    ...base,
    samples: raw.length === 0 ? { virga } : { raw, virga },
    ...(compared && { raw: summarize(raw), comparison: compared }),
    ...(aim && { aim }),
    ...(aim && virga.length > 0 && { verdict: judge(aim, median, compared) }),
  };
}

function isNarrow({ comparison, median }: Result, precision: number): boolean {
  return relativeHalfWidth(comparison?.ratio ?? median) <= precision;
}

function valueOf(sample: Sample, name: string): number {
  const value = sample[name];
  if (value === undefined) throw new Error(`a round did not measure "${name}"`);
  return value;
}
