import type { Logger } from "./logger.ts";

/** Removals of what an operation has made so far: registered before each step runs, run in reverse when the operation fails. */
export class UndoStack {
  readonly #steps: { readonly what: string; readonly run: () => Promise<void> | void }[] = [];

  /** Registers a removal. It must do no harm when its step never ran. */
  add(what: string, run: () => Promise<void> | void): void {
    this.#steps.push({ what, run });
  }

  /** Forgets everything: the operation succeeded. */
  release(): void {
    this.#steps.length = 0;
  }

  /** Runs every removal, the latest first. A failing one is logged and the next one runs. */
  async unwind(logger: Logger): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        // One after the other: a removal may rely on the later ones having run.
        // oxlint-disable-next-line no-await-in-loop
        await step.run();
      } catch (error) {
        logger.error({ error, undo: step.what }, "undo step failed");
      }
    }
  }
}
