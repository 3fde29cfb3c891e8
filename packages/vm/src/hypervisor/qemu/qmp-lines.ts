/** Longest line QEMU may send. What it really sends is far below. */
const MAX_LINE_BYTES = 1 << 20;

/** A line that was given up. */
export interface LongLine {
  /** Its first characters. */
  readonly begin: string;
  readonly problem: string;
}

/** Makes lines of what a monitor sends, whatever pieces it comes in. Holds no more than one line, of the greatest length. */
export class QmpLines {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** The lines that end in `chunk`; one that is too long is the last. */
  *push(chunk: Buffer): Generator<string | LongLine> {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#pieces.push(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      const line = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#bytes = 0;
      if (line.length > MAX_LINE_BYTES) {
        yield longLine(line);
        return;
      }
      yield line.toString("utf8");
    }
    this.#pieces.push(rest);
    this.#bytes += rest.length;
    if (this.#bytes > MAX_LINE_BYTES) yield longLine(Buffer.concat(this.#pieces));
  }
}

function longLine(line: Buffer): LongLine {
  return {
    begin: line.toString("latin1", 0, 1024),
    problem: `a line is longer than ${MAX_LINE_BYTES} bytes`,
  };
}
