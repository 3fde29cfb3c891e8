import { printable } from "./printable.ts";

/** Names and values for a person, one on each line: what is not there is "-". */
export function factsText(facts: Readonly<Record<string, unknown>>): string {
  const width = Math.max(...Object.keys(facts).map((name) => name.length));
  return Object.entries(facts)
    .map(([name, value]) => `${name.padEnd(width)}  ${printable(valueText(value))}`)
    .join("\n");
}

function valueText(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
