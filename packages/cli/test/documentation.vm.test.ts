import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePlace, qemuMissing, removePlace, settledLeaks } from "@virga/testkit";
import { endOf, testVirga } from "./test-virga.ts";
import type { TestVirga } from "./test-virga.ts";

const cli = fileURLToPath(new URL("..", import.meta.url));

/** The programs in the doc comments of the library. */
async function programsOfComments(): Promise<[name: string, program: string][]> {
  const source = fileURLToPath(new URL("../../sandbox/src/", import.meta.url));
  const programs: [string, string][] = [];
  for await (const name of glob("**/*.ts", { cwd: source })) {
    const comments = (await readFile(join(source, name), "utf8")).replaceAll(/^ +\* ?/gmu, "");
    for (const [, program = ""] of comments.matchAll(/^```ts\n([^]*?)^```$/gmu)) {
      programs.push([name, program]);
    }
  }
  return programs;
}

describe("the programs of the documentation", { skip: qemuMissing() }, () => {
  const place = makePlace();
  let virga: TestVirga;

  before(async () => {
    virga = await testVirga(place);
  });

  after(() => removePlace(place));

  /** Runs it as it stands, and leaves nothing. */
  async function output(program: string): Promise<string> {
    const child = spawn(
      process.execPath,
      ["--conditions=virga-source", "--input-type=module-typescript", "-e", program],
      { cwd: cli, env: virga.env, stdio: ["ignore", "pipe", "pipe"] },
    );
    const end = await endOf(child);
    assert.deepEqual([end.code, end.stderr], [0, ""]);
    assert.deepEqual(await virga.leftovers(), []);
    assert.deepEqual(await settledLeaks(place), []);
    return end.stdout;
  }

  test("the one of the README", async () => {
    const page = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
    const program = /```ts\n([^]*?)```/.exec(page)?.[1] ?? "";
    assert.ok(program.trimEnd().split("\n").length <= 15);
    assert.match(await output(program), /^Linux i\w{19} .*\n\nfound\na\nb\n\n$/);
  });

  test("those of the pages", async () => {
    const programs: string[] = [];
    for (const name of ["library", "sandboxes"]) {
      const page = await readFile(new URL(`../../../docs/${name}.md`, import.meta.url), "utf8");
      for (const [, program = ""] of page.matchAll(/```ts\n([^]*?)```/gu)) programs.push(program);
    }
    const expected = [
      /^a\nb\n\n1\n1 ls: .*\n\n$/,
      /^line 1\nline 2\nstep 1\nstep 2\nUPPER\n\n$/,
      /^remember\n\n(?:running true remember\n\n){2}$/,
      /^hello\n\n\/srv\/index\.html\n$|^hello\n\nindex\.html\n$/,
      /^hello\n\n$/,
    ];
    assert.equal(programs.length, expected.length);
    for (const [index, program] of programs.entries()) {
      assert.match(await output(program), expected[index] as RegExp);
    }
  });

  test("those of doc comments", async () => {
    const expected: Readonly<Record<string, RegExp>> = {
      "commands/command-error.ts": /^3 no such luck\n\n$/,
      "commands/sandbox-process.ts": /^Linux\n\n1\n2\n3\ntyped\n0\n$/,
      "commands/sandbox-terminal.ts": /30 100\r\n[^]*0\n$/,
      "sandbox.ts": /^before\n\n$/,
    };
    const programs = await programsOfComments();
    assert.deepEqual(programs.map(([name]) => name).toSorted(), Object.keys(expected));
    for (const [name, program] of programs) {
      assert.match(await output(program), expected[name] as RegExp, name);
    }
  });
});
