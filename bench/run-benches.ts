import { isVirgaError } from "@virga/vm";
import type { Bench } from "./bench.ts";
import { measure, type Result, type Rounds } from "./measure.ts";
import { nextTurn } from "./turns.ts";

/** What became of a bench. */
export interface Outcome {
  readonly name: string;
  readonly about: string;
  readonly results?: readonly Result[];
  readonly skipped?: string;
  readonly error?: string;
}

/** How long a run may take. */
export interface RunLimits {
  /** Milliseconds on the clock's scale at which no further round is begun, the first of each bench excepted. */
  readonly endMs: number;
  readonly clock?: () => number;
  readonly signal?: AbortSignal;
  /** Called after each turn, with all that its bench has measured by then. */
  readonly onTurn: (outcome: Outcome) => void;
}

interface Progress {
  readonly bench: Bench;
  readonly rounds: Rounds;
  turns: number;
  isWide: boolean;
  overheadMs: number;
  outcome: Outcome;
}

/** Runs benches one after the other, and goes on with those whose intervals are wide while there is time. Their outcomes, in their order. */
export async function runBenches(
  benches: readonly Bench[],
  limits: RunLimits,
): Promise<readonly Outcome[]> {
  const { endMs, clock = () => performance.now(), signal, onTurn } = limits;
  const all: Progress[] = benches.map((bench) => ({
    bench,
    rounds: { raw: [], virga: [] },
    turns: 0,
    isWide: true,
    overheadMs: 0,
    outcome: { name: bench.name, about: bench.about },
  }));
  while (signal?.aborted !== true) {
    const turn = nextTurn(all, clock(), endMs);
    const progress = turn === undefined ? undefined : all[turn.index];
    if (turn === undefined || progress === undefined) break;
    await takeTurn(progress, turn.deadlineMs, clock, signal);
    onTurn(progress.outcome);
  }
  return all.filter(({ turns }) => turns > 0).map(({ outcome }) => outcome);
}

async function takeTurn(
  progress: Progress,
  deadlineMs: number,
  clock: () => number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bench, rounds } = progress;
  const { name, about } = bench;
  const before = rounds.virga.length;
  const started = clock();
  let measuringMs = 0;
  progress.turns++;
  try {
    const scenario = await bench.open();
    try {
      const opened = clock();
      const limits = { deadlineMs, rounds, clock, ...(signal && { signal }) };
      const results = await measure(scenario, limits);
      measuringMs = clock() - opened;
      progress.isWide = results.some(({ isNarrow }) => !isNarrow);
      progress.outcome = { name, about, results };
    } finally {
      await scenario.close();
    }
  } catch (error) {
    progress.isWide = false;
    progress.outcome = whyNot(progress.outcome, error);
  }
  // The round that is thrown away is none that counts.
  const roundMs = measuringMs / (rounds.virga.length - before + 1);
  progress.overheadMs = clock() - started - measuringMs + roundMs;
}

/** What earlier turns have measured stays. */
function whyNot(outcome: Outcome, error: unknown): Outcome {
  if (isVirgaError(error) && error.code === "UNSUPPORTED") {
    return { ...outcome, skipped: error.message };
  }
  return {
    ...outcome,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
