import { interruptSignal } from "../interrupt.ts";
import { EXIT } from "../exit-code.ts";
import { printJson } from "../output/print-json.ts";
import { printError } from "../output/print.ts";
import { ProgressDisplay } from "../output/progress-display.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** Options of `virga cp`. */
export interface CpFlags {
  readonly user?: string;
  readonly json?: true;
}

/** A path in a sandbox. */
export interface SandboxPath {
  readonly sandbox: string;
  readonly path: string;
}

/** Reads `NAME:/PATH`; undefined for a path of this machine. One of this machine's that looks like it is written with `./` before it. */
export function sandboxPath(text: string): SandboxPath | undefined {
  const [, sandbox, path] = /^([a-z0-9][a-z0-9-]*):(\/.*)$/su.exec(text) ?? [];
  return sandbox === undefined || path === undefined ? undefined : { sandbox, path };
}

const MIB = 2 ** 20;

/** `virga cp`: copies a file or a tree into a sandbox or out of it. */
export async function cpCommand(source: string, target: string, flags: CpFlags): Promise<number> {
  const [from, to] = [sandboxPath(source), sandboxPath(target)];
  const inside = from ?? to;
  if (inside === undefined || (from !== undefined && to !== undefined)) {
    printError(
      "virga: Cannot copy: one of the two is NAME:/PATH, in a sandbox, and the other a path on this machine",
    );
    return EXIT.usage;
  }
  const signal = interruptSignal();
  const progress = new ProgressDisplay({ verbose: false });
  const options = {
    signal,
    ...(flags.user !== undefined && { user: flags.user }),
    onProgress: ({ bytes, entries }: { readonly bytes: number; readonly entries: number }) =>
      progress.show(`Copied ${entries} files, ${Math.floor(bytes / MIB)} MiB`),
  };
  const copied = await useSandbox(inside.sandbox, ({ files }) =>
    from === undefined
      ? files.upload(source, inside.path, options)
      : files.download(inside.path, target, options),
  ).finally(() => progress.clear());
  if (flags.json === true) printJson(copied);
  else if (copied.skipped > 0) {
    printError(`virga: Left out ${copied.skipped} that are neither files, directories nor links`);
  }
  return 0;
}
