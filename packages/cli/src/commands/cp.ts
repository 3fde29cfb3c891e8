import type { TransferProgress } from "@virga/guest";
import { virgaCommand } from "@virga/vm";
import { interruptSignal } from "../interrupt.ts";
import { EXIT } from "../exit-code.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printError } from "../output/print.ts";
import { ProgressDisplay } from "../output/progress-display.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";
import { sandboxPath } from "../sandboxes/sandbox-path.ts";
import type { SandboxPath } from "../sandboxes/sandbox-path.ts";
import { copyFromStream, copyToStream } from "./cp-stream.ts";

/** Options of `virga cp`. */
export interface CpFlags extends JsonFlag {
  readonly user?: string;
}

/** Standard input or output in place of a path of this machine. */
const STREAM = "-";
const MIB = 2 ** 20;

/** `virga cp`: copies a file or a tree into a sandbox or out of it, or a file from standard input or to standard output. */
export async function cpCommand(source: string, target: string, flags: CpFlags): Promise<number> {
  const [from, to] = [sandboxPath(source), sandboxPath(target)];
  const inside = from ?? to;
  if (inside === undefined) {
    return wrongUsage(
      "one of the two is NAME:/PATH, in a sandbox, and the other a path on this machine, or - for standard input or output",
    );
  }
  const problem = problemOf({ source, target, from, to }, flags);
  if (problem !== undefined) return wrongUsage(...problem);
  const signal = interruptSignal();
  const who = { signal, ...(flags.user !== undefined && { user: flags.user }) };
  if (from !== undefined && target === STREAM) {
    return useSandbox(from.sandbox, ({ files }) => copyToStream(files, from, process.stdout, who));
  }
  const progress = new ProgressDisplay({ verbose: false });
  const show = (bytes: number, entries: number): void =>
    progress.show(`Copied ${entries} files, ${Math.floor(bytes / MIB)} MiB`);
  const options = {
    ...who,
    onProgress: ({ bytes, entries }: TransferProgress) => show(bytes, entries),
  };
  const { sandbox, path } = inside;
  const copied = await useSandbox(sandbox, async ({ files }) => {
    if (from !== undefined) return files.download(path, target, options);
    if (source !== STREAM) return files.upload(source, path, options);
    const onBytes = (bytes: number): void => show(bytes, 0);
    const bytes = await copyFromStream(files, process.stdin, path, { ...who, onBytes });
    return { bytes, entries: 1, skipped: 0 };
  }).finally(() => progress.clear());
  if (flags.json === true) printJson(copied);
  else if (copied.skipped > 0) {
    printError(`virga: Left out ${copied.skipped} that are neither files, directories nor links`);
  }
  return 0;
}

/** The two as they were given, and the one that is in a sandbox as what it names. */
interface CpEnds {
  readonly source: string;
  readonly target: string;
  readonly from: SandboxPath | undefined;
  readonly to: SandboxPath | undefined;
}

/** What is wrong with the two, and what to do instead. */
function problemOf(
  { source, target, from, to }: CpEnds,
  flags: CpFlags,
): readonly [problem: string, hint?: string] | undefined {
  if (from !== undefined && to !== undefined) {
    const pipe = `${virgaCommand(`cp ${source} -`)} | ${virgaCommand(`cp - ${target}`)}`;
    return ["it does not go from one sandbox to another directly", `A file: ${pipe}`];
  }
  if (source === STREAM && to?.path.endsWith("/") === true) {
    return [
      `standard input has no name, and ${target} is a directory`,
      "Name the file that it becomes.",
    ];
  }
  if (target === STREAM && flags.json === true)
    return ["--json and the file would both go to standard output"];
  return undefined;
}

function wrongUsage(problem: string, hint?: string): number {
  printError(`virga: Cannot copy: ${problem}`);
  if (hint !== undefined) printError(`virga: ${hint}`);
  return EXIT.usage;
}
