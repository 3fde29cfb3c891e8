import { interruptSignal } from "../../interrupt.ts";
import { printJson } from "../../output/print-json.ts";
import type { JsonFlag } from "../../output/print-json.ts";
import { printLine } from "../../output/print.ts";
import { useSandbox } from "../../sandboxes/use-sandbox.ts";

/** Options of `virga snapshot create`. */
export interface SnapshotCreateFlags extends JsonFlag {
  readonly name?: string;
}

/** `virga snapshot create`: keeps what a sandbox is at the moment; it goes on. */
export async function snapshotCreate(name: string, flags: SnapshotCreateFlags): Promise<number> {
  const signal = interruptSignal();
  const label = flags.name === undefined ? {} : { name: flags.name };
  const snapshot = await useSandbox(name, (sandbox) => sandbox.snapshot({ ...label, signal }));
  if (flags.json === true) printJson(snapshot);
  else printLine(snapshot.id);
  return 0;
}
