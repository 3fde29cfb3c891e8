import { createHash, randomInt } from "node:crypto";

/** Numbers that are drawn anew in each run, and the same again when a test's environment gives its seed. */
export interface SeededDraw {
  /** From `VIRGA_SEED`, which repeats a run; else by chance. To be printed. */
  readonly seed: number;
  /** A number from 1 to `most`, the same for the same seed and name. */
  readonly draw: (name: string, most: number) => number;
}

/** For tests that take a sample of what they could do; `given` to a test's other processes. */
export function seededDraw(given?: number): SeededDraw {
  const seed = given ?? Number(process.env["VIRGA_SEED"] ?? randomInt(2 ** 31));
  return {
    seed,
    draw: (name, most) => {
      const digest = createHash("sha256").update(`${seed} ${name}`).digest();
      return 1 + (digest.readUInt32LE() % most);
    },
  };
}
