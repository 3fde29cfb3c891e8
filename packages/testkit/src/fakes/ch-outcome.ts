import type { Outcome } from "./call-rule.ts";

/** It is done, and there is nothing to tell. */
export const done: Outcome = { status: 204 };

/** It could not do it; the causes are what the real one gives, outermost first. */
export function refused(action: string, ...causes: string[]): Outcome {
  return { status: 500, chain: ["Error from API", `The VM could not do ${action}`, ...causes] };
}

/** There is no VM to do it to. */
export function missing(action: string): Outcome {
  return {
    status: 404,
    chain: ["Error from API", `The VM could not do ${action}`, "VM is not created"],
  };
}
