import { VirgaError } from "@virga/vm";

/** An output of a process. */
export type Output = "stdout" | "stderr";

/** Who reads each output of a process: there is one reader, the one that comes first. */
export class OutputReaders {
  readonly #program: string;
  /** In words. */
  readonly #readers = new Map<Output, string>();

  constructor(program: string) {
    this.#program = program;
  }

  has(output: Output): boolean {
    return this.#readers.has(output);
  }

  /** Makes `reader` the one that reads it. `INVALID_ARGUMENT` names the one that does already. */
  claim(output: Output, reader: string): void {
    const before = this.#readers.get(output);
    if (before !== undefined) {
      throw new VirgaError(
        "INVALID_ARGUMENT",
        `Cannot read ${output} of ${this.#program} by ${reader}: ${before} reads it already`,
      );
    }
    this.#readers.set(output, reader);
  }
}
