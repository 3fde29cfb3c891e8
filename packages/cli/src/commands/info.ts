import { factsText } from "../output/facts.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** `virga info`: all that is known of a sandbox. */
export async function infoCommand(name: string, json: boolean): Promise<number> {
  const info = await useSandbox(name, (sandbox) => sandbox.info());
  if (json) printJson(info);
  else printLine(factsText({ ...info }));
  return 0;
}
