import assert from "node:assert/strict";
import { test } from "node:test";
import { VirgaError } from "@virga/vm";
import type { Bench } from "./bench.ts";
import { runBenches, type Outcome } from "./run-benches.ts";

/** A clock that benches move by what they take. */
class Clock {
  now = 0;
  readonly read = (): number => this.now;

  bench(name: string, tookMs: (round: number) => number): Bench & { opened: number } {
    let round = 0;
    const bench = {
      name,
      about: name,
      opened: 0,
      open: () => {
        bench.opened++;
        this.now += 50;
        return Promise.resolve({
          measures: [{ name, unit: "ms" as const }],
          virga: () => {
            const ms = tookMs(round++);
            this.now += ms;
            return Promise.resolve({ [name]: ms });
          },
          close: () => Promise.resolve(),
        });
      },
    };
    return bench;
  }
}

function countOf(outcome: Outcome | undefined): number {
  return outcome?.results?.[0]?.virga.count ?? 0;
}

test("a wide bench goes on after the others, with what it has already measured", async () => {
  const clock = new Clock();
  const noisy = clock.bench("noisy", (round) => (round % 2 === 0 ? 10 : 30));
  const steady = clock.bench("steady", () => 10);
  const seen: string[] = [];
  const outcomes = await runBenches([noisy, steady], {
    endMs: 10_000,
    clock: clock.read,
    onTurn: (outcome) => seen.push(`${outcome.name} ${countOf(outcome)}`),
  });
  assert.equal(noisy.opened, 2);
  assert.equal(steady.opened, 1);
  assert.equal(seen.length, 3);
  assert.equal(countOf(outcomes[1]), 10);
  // 20 ms each on average: the whole time less two openings and two rounds thrown away, and what steady used.
  assert.ok(countOf(outcomes[0]) > 470 && countOf(outcomes[0]) < 500, seen.join(", "));
  assert.ok(clock.now >= 10_000 && clock.now < 10_050, String(clock.now));
  assert.deepEqual(
    outcomes.map(({ results }) => results?.[0]?.isNarrow),
    [false, true],
  );
});

test("one that cannot run here is skipped, one that fails says so, and neither comes again", async () => {
  const clock = new Clock();
  const broken = clock.bench("broken", () => {
    throw new Error("out of luck");
  });
  let asked = 0;
  const foreign: Bench = {
    name: "foreign",
    about: "",
    open: () => {
      asked++;
      return Promise.reject(new VirgaError("UNSUPPORTED", "not here"));
    },
  };
  const outcomes = await runBenches([broken, foreign], {
    endMs: 10_000,
    clock: clock.read,
    onTurn: () => undefined,
  });
  assert.match(outcomes[0]?.error ?? "", /out of luck/);
  assert.equal(outcomes[1]?.skipped, "not here");
  assert.deepEqual([broken.opened, asked], [1, 1]);
});

test("what a bench measured before it failed is kept", async () => {
  const clock = new Clock();
  const failing = clock.bench("failing", (round) => {
    if (round === 100) throw new Error("late");
    return round % 2 === 0 ? 10 : 30;
  });
  const outcomes = await runBenches([failing, clock.bench("other", () => 1)], {
    endMs: 2_500,
    clock: clock.read,
    onTurn: () => undefined,
  });
  assert.equal(failing.opened, 2);
  assert.match(outcomes[0]?.error ?? "", /late/);
  assert.ok(countOf(outcomes[0]) > 50);
});

test("an abort ends the run after the round", async () => {
  const clock = new Clock();
  const controller = new AbortController();
  const first = clock.bench("first", (round) => {
    if (round === 3) controller.abort();
    return 10 + round;
  });
  const second = clock.bench("second", () => 10);
  const outcomes = await runBenches([first, second], {
    endMs: 10_000,
    clock: clock.read,
    signal: controller.signal,
    onTurn: () => undefined,
  });
  assert.equal(outcomes.length, 1);
  assert.equal(countOf(outcomes[0]), 3);
  assert.equal(second.opened, 0);
});
