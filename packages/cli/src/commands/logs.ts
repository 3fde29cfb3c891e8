import { once } from "node:events";
import { join } from "node:path";
import { homePaths } from "@virga/sandbox";
import { readVmLog } from "@virga/vm";
import type { VmLogName } from "@virga/vm";
import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import type { JsonFlag } from "../output/print-json.ts";
import { printable } from "../output/printable.ts";
import { whileOutputTakes } from "../output/while-output-takes.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** Options of `virga logs`. */
export interface LogsFlags extends JsonFlag {
  readonly follow?: true;
  readonly hypervisor?: true;
}

/** With `--json`: as much of the end of each. */
const MOST_BYTES = 2 ** 20;

/** `virga logs`: what the guest wrote to its console, or what its hypervisor said. */
export async function logsCommand(name: string, flags: LogsFlags): Promise<number> {
  const signal = whileOutputTakes(interruptSignal());
  const id = await useSandbox(name, async (sandbox) => sandbox.id);
  const directory = join(homePaths().vms, id);
  if (flags.json === true) {
    const [console, hypervisor] = await Promise.all([
      tailOf(directory, "console"),
      tailOf(directory, "hypervisor"),
    ]);
    printJson({ console, hypervisor });
    return 0;
  }
  const log = flags.hypervisor === true ? "hypervisor" : "console";
  const decoder = new TextDecoder();
  for await (const piece of readVmLog(directory, log, { follow: flags.follow === true, signal })) {
    // What a guest writes must not drive the terminal.
    const text = printable(decoder.decode(piece, { stream: true }).replaceAll("\r\n", "\n"));
    if (!process.stdout.write(text))
      await once(process.stdout, "drain", { signal }).catch(() => undefined);
  }
  return 0;
}

/** The end of a log. */
async function tailOf(directory: string, log: VmLogName): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of readVmLog(directory, log, { lastBytes: MOST_BYTES }))
    pieces.push(piece);
  // It may have grown meanwhile.
  return Buffer.concat(pieces).subarray(-MOST_BYTES).toString("utf8");
}
