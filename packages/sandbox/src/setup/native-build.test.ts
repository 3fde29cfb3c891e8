import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { prerequisite } from "@virga/testkit";
import { buildNative, nativePrograms } from "./native-build.ts";

const program = `
#include <linux/version.h>
#include <stdio.h>
#include "answer.h"
int main(void) { printf("%d\\n", answer() + (LINUX_VERSION_CODE > 0)); return 0; }
`;
const hasCompilers = ["musl-gcc", "gcc"].every(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
const skip = prerequisite(
  "compiler",
  hasCompilers ? undefined : "musl-gcc or gcc is not installed",
);

let directory: string;
let options: { sourceDir: string; outDir: string };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "virga-native-"));
  options = { sourceDir: join(directory, "native"), outDir: join(directory, "build") };
  for (const [path, text] of Object.entries({
    "one/main.c": program,
    "common/answer.c": '#include "answer.h"\nint answer(void) { return 41; }\n',
    "common/answer.h": "int answer(void);\n",
    "notes/README.md": "no C here\n",
  })) {
    await mkdir(join(options.sourceDir, path, ".."), { recursive: true });
    await writeFile(join(options.sourceDir, path), text);
  }
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test("programs are the folders with C files, the shared one excepted", async () => {
  assert.deepEqual(await nativePrograms(options.sourceDir), ["one"]);
});

test("a program is built once per state of its sources", { skip }, async () => {
  const [first] = await buildNative(options);
  assert.ok(first?.built);
  assert.match(first.path, /\/virga-one-[0-9a-f]{16}$/);
  assert.equal(spawnSync(first.path, { encoding: "utf8" }).stdout, "42\n");

  const [again] = await buildNative(options);
  assert.deepEqual(again, { ...first, built: false });

  await writeFile(join(options.sourceDir, "common/answer.h"), "int answer(void); /* changed */\n");
  const [changed] = await buildNative(options);
  assert.ok(changed?.built);
  assert.notEqual(changed.path, first.path);
  assert.equal((await readdir(options.outDir)).length, 2, "nothing but the two programs is left");
});

test("the sanitized variant stops at undefined behaviour", { skip }, async () => {
  await writeFile(
    join(options.sourceDir, "common/answer.c"),
    '#include "answer.h"\nint answer(void) { volatile int n = 0x7fffffff; return n + 1; }\n',
  );
  const [built] = await buildNative({ ...options, sanitize: true });
  assert.ok(built);
  const result = spawnSync(built.path, { encoding: "utf8" });
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /signed integer overflow/);
});

test("a fault in the source is reported with the compiler's words", { skip }, async () => {
  await writeFile(
    join(options.sourceDir, "one/main.c"),
    "int main(void) { int unused; return 0; }\n",
  );
  await assert.rejects(buildNative(options), /Cannot build one with musl-gcc:[^]*unused variable/);
  assert.deepEqual(await readdir(options.outDir), []);
});

test("a name without sources is refused with the names there are", async () => {
  await assert.rejects(
    buildNative({ ...options, only: ["two"] }),
    /Cannot build two: .*there are one/,
  );
});
