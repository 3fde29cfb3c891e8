import type { Sandbox } from "@virga/sandbox";
import { interruptSignal } from "../interrupt.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** What the commands do that are one call each: does something to a sandbox and prints its name, or all about it as JSON. Ctrl-C takes it back where that is still possible. */
export async function changeState(
  name: string,
  json: boolean,
  change: (sandbox: Sandbox, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const signal = interruptSignal();
  await useSandbox(name, async (sandbox) => {
    await change(sandbox, signal);
    if (json) printJson(await sandbox.info());
    else printLine(sandbox.name ?? sandbox.id);
  });
  return 0;
}
