import { answerKinds, feedAnswer } from "./answer-parser.ts";
import { type CorpusEntry, readCorpus } from "./corpus.ts";
import { feed, type Outcome } from "./host-parser.ts";
import { feedList, listCorpus } from "./list-parser.ts";
import { mutate, mutateBytes, split } from "./mutate.ts";
import { Random } from "./random.ts";

/** Which iterations to run. */
export interface FuzzRun {
  readonly seed: number;
  readonly first: number;
  readonly iterations: number;
}

/** How many streams came how far. */
export interface FuzzTally {
  readonly stages: Record<Outcome["stage"], number>;
  /** Error codes, and "exit" for processes that ended. */
  readonly ends: Record<string, number>;
}

/** A broken promise, with all that is needed to see it again. */
class FuzzFailure extends Error {
  constructor(
    target: "answer" | "exec" | "list",
    run: FuzzRun,
    iteration: number,
    pieces: readonly Buffer[],
    cause: unknown,
  ) {
    const again = `npm run fuzz:guest -- --target ${target} --seed ${run.seed} --first ${iteration} --iterations 1`;
    const hex = pieces.map((piece) => piece.toString("hex")).join(" ");
    super(
      `iteration ${iteration}: ${String(cause)}\nagain: ${again}\nstream, in its pieces: ${hex}`,
      { cause },
    );
  }
}

/** Runs iterations one after another. */
export async function fuzz(
  run: FuzzRun,
  corpus: readonly CorpusEntry[] = readCorpus(),
): Promise<FuzzTally> {
  const tally: FuzzTally = { stages: { "no-welcome": 0, "not-started": 0, started: 0 }, ends: {} };
  for (let iteration = run.first; iteration < run.first + run.iterations; iteration += 1) {
    const random = Random.of(run.seed, iteration);
    const pieces = split(random, mutate(random, corpus));
    let outcome: Outcome;
    try {
      outcome = await feed(pieces);
    } catch (error) {
      throw new FuzzFailure("exec", run, iteration, pieces, error);
    }
    tally.stages[outcome.stage] += 1;
    const end = outcome.code ?? (outcome.exit === undefined ? "none" : "exit");
    tally.ends[end] = (tally.ends[end] ?? 0) + 1;
  }
  return tally;
}

/** How many lists of files ended how: by an error's code, or `"done"`. */
export async function fuzzList(run: FuzzRun): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (let iteration = run.first; iteration < run.first + run.iterations; iteration += 1) {
    const random = Random.of(run.seed, iteration);
    const pieces = split(random, mutate(random, listCorpus));
    try {
      const { code = "done" } = await feedList(pieces);
      ends[code] = (ends[code] ?? 0) + 1;
    } catch (error) {
      throw new FuzzFailure("list", run, iteration, pieces, error);
    }
  }
  return ends;
}

/** How many answers of each kind ended how: `"KIND done"`, or `"KIND CODE"` for an error's code. */
export async function fuzzAnswers(run: FuzzRun): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (let iteration = run.first; iteration < run.first + run.iterations; iteration += 1) {
    const random = Random.of(run.seed, iteration);
    const [name, kind] = random.pick(Object.entries(answerKinds));
    const bytes = damaged(random, kind.seed);
    const pieces = split(random, bytes);
    try {
      const end = `${name} ${await feedAnswer(kind, pieces)}`;
      ends[end] = (ends[end] ?? 0) + 1;
    } catch (error) {
      throw new FuzzFailure("answer", run, iteration, pieces, error);
    }
  }
  return ends;
}

/** Most changes are little ones: what is damaged much is refused at its first byte. */
function damaged(random: Random, seed: Buffer): Buffer {
  const bytes = Buffer.from(seed);
  if (random.below(2) === 0) return mutateBytes(random, bytes);
  for (let turns = random.below(3); turns > 0; turns -= 1) {
    bytes[random.below(bytes.length)] = random.below(2) === 0 ? 0 : random.below(256);
  }
  return bytes;
}
