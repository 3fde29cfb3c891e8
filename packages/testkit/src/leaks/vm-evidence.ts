import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const DEPTH = 5;
const TAIL_CHARACTERS = 1_500;
const MOST_BYTES = 65_536;

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
    const text = endOf(path)
      .replace(/^\0+/u, "")
      .replaceAll(/[^\P{Cc}\n\0]/gu, "");
    return text.slice(-TAIL_CHARACTERS);
  } catch {
    return "(none)";
  }
}

/** A console or a log begins with a hole of up to the size of the VM's disk. */
function endOf(path: string): string {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    // Files of /proc have no size.
    if (size <= MOST_BYTES) return readFileSync(file, "utf8");
    const buffer = Buffer.alloc(MOST_BYTES);
    return buffer.toString("utf8", 0, readSync(file, buffer, 0, MOST_BYTES, size - MOST_BYTES));
  } finally {
    closeSync(file);
  }
}
