import { VirgaError } from "@virga/vm";
import { isSandboxId } from "../sandbox-id.ts";

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/u;

/** Fewer characters of an id would be easily mistaken. */
export const MIN_PREFIX = 3;

/** Checks a name that a user gives to a sandbox or a snapshot. `INVALID_ARGUMENT`. */
export function checkName(name: unknown): string {
  if (typeof name !== "string" || !NAME.test(name)) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `The name ${JSON.stringify(name) ?? typeof name} is not valid: up to 63 of a-z, 0-9 and "-", not beginning with "-"`,
      { details: { name } },
    );
  }
  if (isSandboxId(name)) {
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `The name "${name}" looks like an id ("i" and 19 more characters): choose another one`,
      { details: { name } },
    );
  }
  return name;
}
