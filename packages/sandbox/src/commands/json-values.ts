import { VirgaError } from "@virga/vm";

/** Characters of a line that is no JSON, in the error. */
const MAX_QUOTED = 80;

/** The JSON values of the lines that `command` wrote, one on each; empty lines are none. `OUTPUT_INVALID` for a line that is not JSON. */
export async function* jsonValues<Value>(
  command: readonly string[],
  lines: AsyncGenerator<string>,
): AsyncGenerator<Value> {
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    yield parse(line, number, command) as Value;
  }
}

function parse(line: string, number: number, command: readonly string[]): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    const quoted = JSON.stringify(line.slice(0, MAX_QUOTED));
    throw new VirgaError(
      "OUTPUT_INVALID",
      `Line ${number} of what ${command[0] ?? ""} wrote is not JSON: ${quoted}`,
      { cause, details: { line: number } },
    );
  }
}
