import type { CallOptions } from "../port.ts";
import { askQemu, strangeAnswer } from "./ask-qemu.ts";

/** Makes QEMU list the options of a memory file, instead of starting a machine. */
const QUESTION = ["-object", "memory-backend-file,help"] as const;

/**
 * Whether this QEMU can map a memory file privately that it opened read-only. It needs `rom=off` for that: `readonly=on` alone makes the guest's memory
 * read-only too. QEMU is asked for the option and not for its version: distributions backport.
 */
export async function mapsReadOnly(binary: string, options: CallOptions): Promise<boolean> {
  const answer = await askQemu(binary, QUESTION, options);
  const names = new Set(
    [...answer.matchAll(/^ {2}([a-z][a-z0-9-]*)=</gmu)].map(([, name]) => name),
  );
  // Each QEMU has this one: without it the answer is to another question.
  if (names.has("mem-path")) return names.has("rom") && names.has("readonly");
  throw strangeAnswer(
    binary,
    { doing: `how ${binary} maps memory files`, expected: "the options of memory-backend-file" },
    answer,
  );
}
