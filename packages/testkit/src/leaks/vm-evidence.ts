import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const DEPTH = 5;
const TAIL_CHARACTERS = 1_500;

/** Tells about every VM whose directory is somewhere below `root`: record, command line, the ends of its console and log. Empty when there is none. */
export function vmEvidence(root: string): string {
  return recordsBelow(root, DEPTH).map(tellVm).join("");
}

function recordsBelow(directory: string, depth: number): string[] {
  const record = join(directory, "vm.json");
  if (existsSync(record)) return [record];
  if (depth === 0) return [];
  return entriesOf(directory).flatMap((name) => recordsBelow(join(directory, name), depth - 1));
}

function entriesOf(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    // It may go away meanwhile: whoever asks is in the middle of a failure.
    return [];
  }
}

function tellVm(record: string): string {
  const directory = dirname(record);
  const text = tailOf(record);
  // A test of leaks leaves a file of this name that tells nothing.
  if (text === "") return "";
  const pid = /"pid": ?(\d+)/u.exec(text)?.[1];
  const parts = {
    record: text,
    "command line": pid === undefined ? "" : tailOf(`/proc/${pid}/cmdline`).replaceAll("\0", " "),
    console: tailOf(join(directory, "run", "console.log")),
    log: tailOf(join(directory, "run", "vmm.log")),
  };
  const lines = Object.entries(parts).map(([name, part]) => `  ${name}: ${part.trim()}\n`);
  return `VM ${basename(directory)}\n${lines.join("")}`;
}

function tailOf(path: string): string {
  try {
    // What a guest wrote must not drive the terminal of who reads this.
    const text = readFileSync(path, "utf8").replaceAll(/[^\P{Cc}\n\0]/gu, "");
    return text.slice(-TAIL_CHARACTERS);
  } catch {
    return "(none)";
  }
}
