import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makePlace, qemuMissing, removePlace, settledLeaks } from "@virga/testkit";
import { endOf, testVirga } from "./test-virga.ts";

const cli = fileURLToPath(new URL("..", import.meta.url));

describe("the program of the README", { skip: qemuMissing() }, () => {
  test("runs as it stands and leaves nothing", async (t) => {
    const page = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
    const program = /```ts\n([^]*?)```/.exec(page)?.[1] ?? "";
    assert.ok(program.trimEnd().split("\n").length <= 15);
    const place = makePlace();
    t.after(() => removePlace(place));
    const virga = await testVirga(place);
    const child = spawn(
      process.execPath,
      ["--conditions=virga-source", "--input-type=module-typescript", "-e", program],
      { cwd: cli, env: virga.env, stdio: ["ignore", "pipe", "pipe"] },
    );
    const end = await endOf(child);
    assert.deepEqual([end.code, end.stderr], [0, ""]);
    assert.match(end.stdout, /^Linux i\w{19} .*\n\nfound\na\nb\n\n$/);
    assert.deepEqual(await virga.leftovers(), []);
    assert.deepEqual(await settledLeaks(place), []);
  });
});
