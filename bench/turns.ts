/** How far a bench has got. */
export interface Standing {
  /** Turns it has had. */
  readonly turns: number;
  /** Whether an interval of its is wider than asked for, so that it has use for more time. */
  readonly isWide: boolean;
  /** Milliseconds that its last turn took beside its rounds: to open, to fill caches, to close. */
  readonly overheadMs: number;
}

/** Who measures next, and until when. */
export interface Turn {
  readonly index: number;
  /** Milliseconds on the clock's scale at which it begins no further round. */
  readonly deadlineMs: number;
}

/**
 * The stopping rule of a whole run. Each bench gets one turn, also when the time is up: a table without a row says less than one with a wide interval.
 * After that those whose intervals are wide go on, in turns, while the time lasts. Those that have had equally many turns share it equally; what one leaves
 * goes to the others. Undefined: the run is over.
 */
export function nextTurn(
  standings: readonly Standing[],
  nowMs: number,
  endMs: number,
): Turn | undefined {
  const leftMs = Math.max(0, endMs - nowMs);
  const candidates = standings
    .map((standing, index) => ({ ...standing, index }))
    // One that would only open and close would measure nothing.
    .filter(({ turns, isWide, overheadMs }) => isWide && (turns === 0 || overheadMs < leftMs));
  const fewest = Math.min(...candidates.map(({ turns }) => turns));
  const waiting = candidates.filter(({ turns }) => turns === fewest);
  const [next] = waiting;
  if (next === undefined) return undefined;
  // A turn that is mostly opening would waste the time of all.
  const shareMs = Math.max(leftMs / waiting.length, 3 * next.overheadMs);
  return { index: next.index, deadlineMs: nowMs + Math.min(leftMs, shareMs) };
}
