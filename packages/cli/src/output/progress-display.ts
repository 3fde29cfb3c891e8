/** Shows on a terminal what takes long, as one line of standard error that goes away again. Elsewhere nothing is shown. */
export class ProgressDisplay {
  readonly #enabled: boolean;
  #shown = false;

  constructor(options: { readonly verbose: boolean }) {
    // Lines of the log would tear a line that is written over.
    this.#enabled = process.stderr.isTTY && !options.verbose;
  }

  show(message: string): void {
    if (!this.#enabled) return;
    const width = Math.max(20, (process.stderr.columns || 80) - 1);
    process.stderr.write(`\r\u001b[K${`virga: ${message} …`.slice(0, width)}`);
    this.#shown = true;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) process.stderr.write("\r\u001b[K");
    this.#shown = false;
  }
}
