/** How long each step took, in milliseconds. Steps that happen again add up. */
export class Timings {
  readonly #steps = new Map<string, number>();

  /** Runs `work` and notes how long it took, also when it fails. */
  async measure<T>(step: string, work: () => Promise<T> | T): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(step, performance.now() - start);
    }
  }

  add(step: string, ms: number): void {
    this.#steps.set(step, (this.#steps.get(step) ?? 0) + ms);
  }

  /** Adds all steps of another. */
  addAll(other: Timings): void {
    for (const [step, ms] of other.#steps) this.add(step, ms);
  }

  /** Step → milliseconds, rounded to microseconds, in the order in which the steps first ended. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(
      [...this.#steps].map(([step, ms]) => [step, Math.round(ms * 1000) / 1000]),
    );
  }
}
