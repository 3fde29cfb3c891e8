import assert from "node:assert/strict";
import { test } from "node:test";
import { CommanderError } from "commander";
import type { Command } from "commander";
import { makeProgram } from "../src/program.ts";
import { linesOf, pagesForUsers, virgaWords } from "./documented-commands.ts";

/** A command and all below it. */
function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** Reads a command line as `virga` would, and does nothing; fails where it is wrong usage. */
async function parse(words: readonly string[]): Promise<void> {
  const program = makeProgram(() => undefined);
  let said = "";
  for (const command of allCommands(program)) {
    command.action(() => undefined);
    command.configureOutput({ writeErr: (text) => (said += text), writeOut: () => undefined });
  }
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) assert.fail(`virga ${words.join(" ")}: ${said}`);
  }
}

test("a wrong line would be found", async () => {
  assert.deepEqual(virgaWords("npm ci && npx virga run -- sh -c 'a | b' | wc -l # virga x"), [
    ["run", "--", "sh", "-c", "a | b"],
  ]);
  assert.deepEqual(virgaWords("virga cp a:/x - | virga cp - b:/y > out"), [
    ["cp", "a:/x", "-"],
    ["cp", "-", "b:/y"],
  ]);
  for (const words of [["creat"], ["create", "--nmae", "x"], ["fork", "x", "--count", "no"]]) {
    await assert.rejects(parse(words), { code: "ERR_ASSERTION" });
  }
});

test("the command lines of the pages, and the examples of every --help, are right usage", async () => {
  const lines: string[] = [];
  for (const [page, text] of await pagesForUsers()) {
    lines.push(...linesOf(page, text).map(({ line }) => line));
  }
  assert.ok(lines.length > 5);
  for (const command of allCommands(makeProgram(() => undefined))) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    lines.push(...(help.split("\nExamples:\n")[1] ?? "").trimEnd().split("\n"));
  }
  let count = 0;
  for (const words of lines.flatMap((line) => virgaWords(line.trim()))) {
    await parse(words);
    count++;
  }
  assert.ok(count > 60, String(count));
});

test("commands and options that the pages' sentences name exist", async () => {
  const program = makeProgram(() => undefined);
  let count = 0;
  for (const [page, text] of await pagesForUsers()) {
    for (const [, code = ""] of text.matchAll(/`(virga [^`]*)`/gu)) {
      for (const words of virgaWords(code)) {
        let command = program;
        for (const word of words) {
          if (word === "--") break;
          const below = command.commands.find((one) => one.name() === word);
          command = below ?? command;
          // From here on it is what the reader puts in its place.
          if (below === undefined && !word.startsWith("-")) break;
        }
        const isCommand = command !== program || words[0]?.startsWith("-") === true;
        assert.ok(isCommand || words[0] === "COMMAND", `${page}: ${code}`);
        for (const word of words.slice(0, words.includes("--") ? words.indexOf("--") : undefined)) {
          if (!/^--?[a-z]/u.test(word) || words[0] === "COMMAND") continue;
          const known = command.options.flatMap(({ short, long }) => [short, long]);
          assert.ok([...known, "--help"].includes(word.split("=", 1)[0]), `${page}: ${code}`);
          count++;
        }
      }
    }
  }
  assert.ok(count > 4, String(count));
});
