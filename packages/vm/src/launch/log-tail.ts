import { readTail } from "../read-tail.ts";

const TAIL_BYTES = 4096;

/** The last 4 KiB of a log, control characters replaced. Empty where there is no log. */
export async function logTail(path: string): Promise<string> {
  return printable((await readTail(path, TAIL_BYTES)).bytes.toString("utf8"));
}

/** Text a guest can influence, safe to show on a terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu, "�");
}
