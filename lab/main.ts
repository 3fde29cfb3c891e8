// usage: npm run -s lab -- [--kernel 6.12|stock] [--mem MIB] [--timeout S] [--rw DIR]… [--] COMMAND [ARG…]
import { resolve } from "node:path";
import { LabError } from "./lab-error.ts";
import { runInLab } from "./lab.ts";
import { parseLabArguments, usage } from "./lab-arguments.ts";
import { streamTo } from "./stream-to.ts";

const controller = new AbortController();
let received: NodeJS.Signals | undefined;
const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    received ??= signal;
    controller.abort();
  });
}

process.exitCode = await main().catch((error: unknown) => {
  if (received !== undefined) return codeOf(received);
  if (!(error instanceof LabError)) throw error;
  console.error(`lab: ${error.message}`);
  return 125;
});

async function main(): Promise<number> {
  const parsed = parseLabArguments(process.argv.slice(2));
  if (typeof parsed === "string") {
    console.error(`lab: ${parsed}\n${usage}`);
    return 2;
  }
  const end = await runInLab({
    ...parsed,
    writable: parsed.writable.map((path) => resolve(path)),
    stdout: streamTo(process.stdout),
    stderr: streamTo(process.stderr),
    log: (line) => console.error(line),
    signal: controller.signal,
  });
  switch (end.kind) {
    case "exit":
      return end.code;
    case "aborted":
      return codeOf(received ?? "SIGINT");
    case "timeout":
      console.error(`lab: the command was not done in time\n${end.consoleTail}`);
      return 124;
    case "died":
      console.error(`lab: the machine died: ${end.reason}\n${end.consoleTail}`);
      return 125;
  }
}

function codeOf(signal: NodeJS.Signals): number {
  return 128 + (signal in numbers ? numbers[signal as keyof typeof numbers] : 2);
}
