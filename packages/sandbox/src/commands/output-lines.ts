import type { Readable } from "node:stream";
import { VirgaError } from "@virga/vm";

const LINE_END = 10;
const CARRIAGE_RETURN = 13;

/** The lines of a stream as text in UTF-8, without their ends, LF or CR LF; what follows the last end is a line, too. A line longer than `maxBytes` is `CAPACITY`. */
export async function* outputLines(stream: Readable, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length > maxBytes) throw tooLong(maxBytes);
    parts.push(part);
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_END, start);
      if (end < 0) break;
      keep(chunk.subarray(start, end));
      const line = lineOf(parts);
      parts = [];
      length = 0;
      start = end + 1;
      yield line;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (length > 0) yield lineOf(parts);
}

function lineOf(parts: readonly Buffer[]): string {
  const bytes = Buffer.concat(parts);
  const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  return bytes.toString("utf8", 0, end);
}

function tooLong(maxBytes: number): VirgaError {
  return new VirgaError("CAPACITY", `The command wrote a line of more than ${maxBytes} bytes`, {
    details: { maxOutputBytes: maxBytes },
    hint: "Raise maxOutputBytes, or read the stream stdout.",
  });
}
