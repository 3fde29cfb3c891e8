// Writes the seed corpus of the fuzz target: the golden vectors, and scripts that lead deep into a session.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readVectors } from "../../protocol/read-vectors.ts";

// The target reads at most this much; longer inputs cost time and show nothing more.
const inputMax = 4_000;

const ping = Buffer.from("81a26f70a470696e67", "hex");
/** Its length makes the target keep the operation running (fuzz-channel.c). */
const echo = Buffer.from("81a26f70a66563686f3132", "hex");

/** One step of a script, as fuzz-channel.c reads them: what, length, bytes. */
const step = (what: number, bytes: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from([what, bytes.length]), bytes]);

const [hello, confirm, zeros, large] = [step(1), step(2), step(3), step(12)];
const [request, data, eof, credit, control] = [4, 6, 7, 8, 10];
const stdin = (text: string): Buffer => step(data, Buffer.from(`\0${text}`));

const repeat = (count: number, part: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => part));

const scripts: readonly (readonly Buffer[])[] = [
  [repeat(5, step(request, ping))],
  [step(request, echo), repeat(3, stdin("abc")), step(eof, Buffer.alloc(1)), step(request, ping)],
  [step(request, echo), step(request, ping)],
  [step(request, echo), repeat(5, large)],
  [
    step(request, echo),
    repeat(40, stdin("ab")),
    step(credit, Buffer.from([0, 0, 1, 0])),
    step(control, ping),
  ],
  [step(request, echo), zeros, hello, confirm, step(request, ping)],
  [step(request, echo), large, zeros, hello, hello, confirm, step(request, ping)],
  [repeat(40, step(request, Buffer.from("x")))],
];

/** Writes the corpus into a folder; gives the paths of its files. */
export function writeCorpus(directory: string): string[] {
  const inputs = scripts.map((steps) =>
    Buffer.concat([Buffer.from([1]), hello, confirm, ...steps]),
  );
  for (const kind of ["handshake", "frame", "message"] as const) {
    for (const { hex } of readVectors(kind)) {
      const bytes = Buffer.from(hex, "hex");
      if (bytes.length <= inputMax) inputs.push(bytes, Buffer.concat([Buffer.alloc(1), bytes]));
    }
  }
  mkdirSync(directory, { recursive: true });
  return inputs.map((input, index) => {
    const path = join(directory, `${index}`);
    writeFileSync(path, input);
    return path;
  });
}
