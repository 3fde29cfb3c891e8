import assert from "node:assert/strict";
import { isVirgaError, type VirgaError, type VirgaErrorCode } from "@virga/vm";

/** Fails unless `promise` rejects with an error of Virga's with this code, whose sentence matches. Gives the error. */
export async function rejectsWithCode(
  promise: Promise<unknown>,
  code: VirgaErrorCode,
  sentence: RegExp = /./,
): Promise<VirgaError> {
  const caught: unknown = await promise.then(
    () => assert.fail(`expected ${code}, but it succeeded`),
    (error: unknown) => error,
  );
  if (!isVirgaError(caught)) throw caught;
  assert.equal(caught.code, code, caught.message);
  assert.match(caught.message, sentence);
  return caught;
}
