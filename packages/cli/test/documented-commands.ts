import { readFile, glob } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** One line that a page shows as to be typed. */
export interface DocumentedLine {
  readonly page: string;
  readonly line: string;
  /** Whether it is run by the tests as it stands. Those of blocks marked ` ```sh usage ` are only parsed: they need what a test has not, such as the internet. */
  readonly isRun: boolean;
}

/** The pages for users, by their path in the checkout. */
export async function pagesForUsers(): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const pattern of ["README.md", "docs/*.md", "packages/*/README.md"]) {
    for await (const page of glob(pattern, { cwd: root })) {
      pages.set(page, await readFile(`${root}/${page}`, "utf8"));
    }
  }
  return pages;
}

/** What the blocks of a page show as to be typed, line by line. */
export function linesOf(page: string, text: string): DocumentedLine[] {
  return [...text.matchAll(/^```sh( usage)?\n([^]*?)^```$/gmu)].flatMap(([, mark, block = ""]) =>
    block
      .trimEnd()
      .split("\n")
      .map((line) => ({ page, line, isRun: mark === undefined })),
  );
}

/** The words of each `virga` in a line of a shell, without the word itself: quotes, pipes, redirections and comments are understood, no more. */
export function virgaWords(line: string): string[][] {
  const calls: string[][] = [[]];
  for (const [word] of line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/gu)) {
    if (word.startsWith("#")) break;
    if (word === "|" || word === "&&") calls.push([]);
    else calls.at(-1)?.push(word.replaceAll(/'([^']*)'|"([^"]*)"/gu, "$1$2"));
  }
  return calls.flatMap((call) => {
    const start = call.indexOf("virga");
    const redirection = call.findIndex((word) => /^[<>]/u.test(word));
    const isCall = start === 0 || (start === 1 && ["npx", "sudo"].includes(call[0] ?? ""));
    return isCall ? [call.slice(start + 1, redirection === -1 ? undefined : redirection)] : [];
  });
}
