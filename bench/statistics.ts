/** A number in [0, 1), as `Math.random` gives. */
export type Random = () => number;

/** What a list of samples comes to. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
}

/** An estimate with the interval that holds the true value in 95 of 100 runs. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** One of each, measured one after the other. */
export interface Pair {
  readonly raw: number;
  readonly virga: number;
}

/** How two lists of samples compare. */
export interface Comparison {
  /** Virga's median over the raw one. */
  readonly ratio: Estimate;
  /** Virga's median minus the raw one. */
  readonly difference: Estimate;
}

const RESAMPLES = 2000;

/** The value below which the share `q` (0 to 1) of the samples lies, interpolated. NaN without samples. */
export function quantile(samples: Iterable<number>, q: number): number {
  return sortedQuantile(Float64Array.from(samples).toSorted(), q);
}

/** Count, median and 95th percentile of the samples. */
export function summarize(samples: readonly number[]): Summary {
  return { count: samples.length, median: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}

/** The median of the samples, its interval by bootstrap. */
export function estimateMedian(samples: readonly number[], random: Random): Estimate {
  const medians = resample(samples.length, random, (picks) => medianOf(samples, picks));
  return interval(quantile(samples, 0.5), medians);
}

/**
 * Compares the medians. Whole pairs are drawn: what disturbs the machine for a while disturbs both of a pair, and so says nothing about their ratio.
 */
export function comparePairs(pairs: readonly Pair[], random: Random): Comparison {
  const raw = pairs.map((pair) => pair.raw);
  const virga = pairs.map((pair) => pair.virga);
  const drawn = resample(pairs.length, random, (picks) => ({
    raw: medianOf(raw, picks),
    virga: medianOf(virga, picks),
  }));
  const [rawMedian, virgaMedian] = [quantile(raw, 0.5), quantile(virga, 0.5)];
  return {
    ratio: interval(
      virgaMedian / rawMedian,
      drawn.map((one) => one.virga / one.raw),
    ),
    difference: interval(
      virgaMedian - rawMedian,
      drawn.map((one) => one.virga - one.raw),
    ),
  };
}

/** Half of the interval's width, as a share of the value. */
export function relativeHalfWidth({ value, low, high }: Estimate): number {
  return (high - low) / 2 / Math.abs(value);
}

/** Numbers that are the same for the same seed, so that a table can be computed again from its samples (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function resample<T>(
  count: number,
  random: Random,
  statistic: (picks: Uint32Array<ArrayBuffer>) => T,
): T[] {
  const picks = new Uint32Array(count);
  return Array.from({ length: RESAMPLES }, () => {
    for (let at = 0; at < count; at++) picks[at] = Math.floor(random() * count);
    return statistic(picks);
  });
}

function medianOf(samples: readonly number[], picks: Uint32Array<ArrayBuffer>): number {
  const drawn = Float64Array.from(picks, (at) => samples[at] ?? Number.NaN);
  return sortedQuantile(drawn.sort(), 0.5);
}

function interval(value: number, drawn: readonly number[]): Estimate {
  const sorted = Float64Array.from(drawn).sort();
  return { value, low: sortedQuantile(sorted, 0.025), high: sortedQuantile(sorted, 0.975) };
}

function sortedQuantile(sorted: Float64Array<ArrayBuffer>, q: number): number {
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
