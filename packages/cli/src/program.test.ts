import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { makeProgram } from "./program.ts";

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

/** A command and all below it, each with what has to be typed for it. */
function allCommands(command: Command, typed = command.name()): [string, Command][] {
  const below = command.commands.flatMap((one) => allCommands(one, `${typed} ${one.name()}`));
  return [[typed, command], ...below];
}

test("the help of every command has examples that begin as it is typed", () => {
  const commands = allCommands(makeProgram(() => undefined));
  assert.ok(commands.length > 9, String(commands.length));
  for (const [typed, command] of commands) {
    const [, examples] = helpOf(command).split("\nExamples:\n");
    assert.ok(examples !== undefined, `${typed} --help has no examples`);
    const lines = examples.trimEnd().split("\n");
    assert.ok(lines.length > 0);
    for (const line of lines)
      assert.match(line, new RegExp(`^ {2}.*\\b${typed}\\b`), `${typed} --help`);
  }
});
