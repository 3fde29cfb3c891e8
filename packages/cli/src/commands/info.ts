import type { SandboxInfo } from "@virga/sandbox";
import { factsText } from "../output/facts.ts";
import { printJson } from "../output/print-json.ts";
import { printLine } from "../output/print.ts";
import { useSandbox } from "../sandboxes/use-sandbox.ts";

/** `virga info`: all that is known of a sandbox. */
export async function infoCommand(name: string, json: boolean): Promise<number> {
  const info = await useSandbox(name, (sandbox) => sandbox.info());
  if (json) printJson(info);
  else printLine(factsText(infoFacts(info)));
  return 0;
}

/** The same for a person: one line of timings for each operation. */
export function infoFacts({ timings, ...facts }: SandboxInfo): Readonly<Record<string, unknown>> {
  const lines = Object.entries(timings).map(([operation, steps]) => {
    const texts = Object.entries(steps).map(([step, ms]) => `${step} ${ms.toFixed(1)} ms`);
    return [`${operation} took`, texts.join(", ")] as const;
  });
  return { ...facts, ...Object.fromEntries(lines) };
}
