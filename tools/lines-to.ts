import type { Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/**
 * Passes text on in whole lines, each after `prefix`, so that several sources can share a stream. Give it an empty chunk at the end: a line that was
 * not ended is then passed on.
 */
export function linesTo(stream: Writable, prefix: string): (chunk: Buffer | string) => void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  return (chunk) => {
    rest += typeof chunk === "string" ? chunk : decoder.write(chunk);
    const isEnd = chunk.length === 0;
    const lines = rest.split("\n");
    rest = isEnd ? "" : (lines.pop() ?? "");
    for (const line of lines) if (!isEnd || line !== "") stream.write(`${prefix}${line}\n`);
  };
}
