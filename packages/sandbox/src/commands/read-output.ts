import type { Readable } from "node:stream";
import { VirgaError } from "@virga/vm";

/** Reads a stream to its end as text in UTF-8. More than `maxBytes` is `CAPACITY`; `what` names the stream in that. */
export async function readOutput(
  stream: Readable,
  what: string,
  maxBytes: number,
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new VirgaError("CAPACITY", `The command wrote more than ${maxBytes} bytes of ${what}`, {
        details: { maxOutputBytes: maxBytes },
        hint: "Raise maxOutputBytes, or use spawn() and read the stream.",
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Reads a stream to its end and gives the last `maxBytes` of it. */
export async function readTail(stream: Readable, maxBytes: number): Promise<string> {
  let tail = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    tail = Buffer.concat([tail, chunk]);
    if (tail.length > maxBytes) tail = Buffer.from(tail.subarray(-maxBytes));
  }
  return tail.toString("utf8");
}
