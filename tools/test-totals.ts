/** What a run of tests came to. */
export interface TestTotals {
  passed: number;
  failed: number;
  skipped: number;
  /** How many tests were skipped for each reason. */
  skips: Record<string, number>;
}

/** Totals of nothing. */
export function emptyTotals(): TestTotals {
  return { passed: 0, failed: 0, skipped: 0, skips: {} };
}

/** Adds `part` to `sum`. */
export function addTotals(sum: TestTotals, part: TestTotals): void {
  sum.passed += part.passed;
  sum.failed += part.failed;
  sum.skipped += part.skipped;
  for (const [reason, count] of Object.entries(part.skips)) {
    sum.skips[reason] = (sum.skips[reason] ?? 0) + count;
  }
}

/** The closing lines of a run: skip reasons with their counts, then `N passed, N failed, N skipped`. */
export function summary(totals: TestTotals): string {
  const skips = Object.entries(totals.skips).map(
    ([reason, count]) => `SKIP ${count} x ${reason}\n`,
  );
  const { passed, failed, skipped } = totals;
  return `${skips.join("")}${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
