import { inspect } from "node:util";
import { VirgaError } from "../errors.ts";

/** One thing wrong with a configuration. */
export interface ConfigProblem {
  /** Where, e.g. `disks[1].path`. */
  readonly path: string;
  readonly value: unknown;
  /** What would be right, e.g. `a whole number from 1 to 255`. */
  readonly allowed: string;
}

function show(value: unknown): string {
  if (value === undefined) return "missing";
  const text = typeof value === "number" ? String(value) : inJson(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function inJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // A circle, or a bigint.
    return inspect(value, { breakLength: Infinity });
  }
}

/** All problems as one error, so that they can be mended at once. */
export function configError(problems: readonly ConfigProblem[]): VirgaError {
  const text = problems
    .map((problem) => `${problem.path} is ${show(problem.value)}, allowed is ${problem.allowed}`)
    .join("; ");
  return new VirgaError("INVALID_CONFIG", `Invalid VM configuration: ${text}`, {
    details: { problems },
  });
}
