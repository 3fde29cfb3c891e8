import { isatty } from "node:tty";
import { EXIT } from "../exit-code.ts";
import { printError } from "./print.ts";

/** Asks on the terminal whether to go on; undefined: yes, else the exit code. Without a terminal nobody can say yes: `otherwise` says what to type instead. */
export async function confirmOrExit(
  question: string,
  otherwise: string,
): Promise<number | undefined> {
  if (!isatty(0) || !process.stderr.isTTY) {
    printError(`virga: ${otherwise}`);
    return EXIT.usage;
  }
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
  if (isCancel(answer)) return EXIT.interrupted;
  return answer ? undefined : EXIT.failure;
}
