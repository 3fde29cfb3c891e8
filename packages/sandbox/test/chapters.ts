import assert from "node:assert/strict";
import type { TestContext } from "node:test";

/** Tells one chapter of a long test, as a test of its own within it. */
export type Chapter = (name: string, tell: () => Promise<void>) => Promise<void>;

/** Parts a long test into chapters, each of which needs those before it: one that fails is named, and ends the test. */
export function chaptersOf(t: TestContext): Chapter {
  return async (name, tell) => {
    let isTold = false;
    await t.test(name, async () => {
      await tell();
      isTold = true;
    });
    assert.ok(isTold, `the chapter failed: ${name}`);
  };
}
