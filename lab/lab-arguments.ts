import { kernelPackages, type KernelName } from "./kernel.ts";

/** What the command line asks for. */
export interface LabArguments {
  readonly argv: readonly string[];
  readonly kernel: KernelName;
  readonly memoryMib: number;
  readonly timeoutMs: number;
  readonly writable: readonly string[];
}

/** One line on how to call the lab. */
export const usage =
  "usage: npm run -s lab -- [--kernel 6.12|stock] [--mem MIB] [--timeout SECONDS] [--rw DIR]... [--] COMMAND [ARG...]";

/** Parses the lab's command line; gives a sentence on what is wrong with it. Options end at the command's name. */
export function parseLabArguments(args: readonly string[]): LabArguments | string {
  let kernel: KernelName = "6.12";
  const numbers = { "--mem": 6144, "--timeout": 600 };
  const writable: string[] = [];
  let at = 0;
  for (; at < args.length; at += 2) {
    const option = args[at] ?? "";
    if (option === "--") {
      at++;
      break;
    }
    if (!option.startsWith("-")) break;
    const value = args[at + 1];
    if (option in numbers) {
      const number = Number(value);
      if (!Number.isSafeInteger(number) || number < 1) return `${option} takes a positive number`;
      numbers[option as keyof typeof numbers] = number;
    } else if (option === "--rw") {
      if (!value) return "--rw takes a directory";
      writable.push(value);
    } else if (option === "--kernel") {
      if (!isKernelName(value))
        return `--kernel is one of ${Object.keys(kernelPackages).join(", ")}`;
      kernel = value;
    } else {
      return `unknown option ${option}`;
    }
  }
  const argv = args.slice(at);
  if (argv.length === 0) return "no command is given";
  return {
    argv,
    kernel,
    memoryMib: numbers["--mem"],
    timeoutMs: numbers["--timeout"] * 1000,
    writable,
  };
}

function isKernelName(value: string | undefined): value is KernelName {
  return value !== undefined && Object.hasOwn(kernelPackages, value);
}
