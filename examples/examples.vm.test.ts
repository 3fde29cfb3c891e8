import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  imageToolsMissing,
  makePlace,
  pythonMissing,
  pythonTree,
  qemuMissing,
  removePlace,
  settledLeaks,
  type TestPlace,
} from "@virga/testkit";
import { endOf, testVirga } from "../packages/cli/test/test-virga.ts";
import type { TestVirga } from "../packages/cli/test/test-virga.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Draws a sine curve into a PNG file of 200 × 100 points. */
const PLOT = `
import math, struct, sys, zlib
width, height = 200, 100
rows = [bytearray([255] * width) for _ in range(height)]
for x in range(width):
    rows[round((math.sin(x / width * 2 * math.pi) + 1) / 2 * (height - 1))][x] = 0
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(sys.argv[1], "wb") as plot:
    plot.write(b"\\x89PNG\\r\\n\\x1a\\n")
    plot.write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)))
    plot.write(chunk(b"IDAT", zlib.compress(b"".join(b"\\0" + bytes(row) for row in rows))))
    plot.write(chunk(b"IEND", b""))
`;

describe("the examples", { skip: qemuMissing() }, () => {
  const tested = new Set<string>();
  let place: TestPlace;
  let virga: TestVirga;

  before(async () => {
    place = makePlace();
    virga = await testVirga(place);
  });

  after(async () => {
    await removePlace(place);
  });

  async function run(name: string, input: string, ...args: string[]) {
    tested.add(name);
    const child = spawn(
      process.execPath,
      ["--conditions=virga-source", join(folder, name), ...args],
      { env: virga.env, stdio: "pipe" },
    );
    child.stdin.on("error", () => undefined).end(input);
    const { code, stdout, stderr } = await endOf(child);
    assert.deepEqual(await settledLeaks(place), []);
    return { stdout, stderr, code };
  }

  test("untrusted-script", async () => {
    assert.deepEqual(await run("untrusted-script.ts", "echo out; echo err >&2; exit 3\n"), {
      stdout: "out\nexit code 3\n",
      stderr: "err\n",
      code: 0,
    });
  });

  test("side-by-side", async () => {
    const { stdout, stderr, code } = await run("side-by-side.ts", "");
    assert.deepEqual([stderr, code], ["", 0]);
    const lines = stdout.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line)),
      ["red", "green", "blue"].map((content) => ({ files: "mine", content, isItself: true })),
    );
  });

  test("through-a-pipe", async () => {
    const input = "b\na\n".repeat(50_000);
    const { stdout, stderr, code } = await run("through-a-pipe.ts", input, "sort", "-u");
    assert.deepEqual({ stdout, stderr, code }, { stdout: "a\nb\n", stderr: "", code: 0 });
    const failed = await run("through-a-pipe.ts", "", "/bin/sh", "-c", "exit 5");
    assert.equal(failed.code, 5);
  });

  test("web-server", async () => {
    const { stdout, stderr, code } = await run("web-server.ts", "");
    assert.deepEqual([stderr, code], ["", 0]);
    assert.equal(stdout, "/ 200 served from a microVM\n/none 404 \n");
  });

  test("pool", async () => {
    const { stdout, stderr, code } = await run("pool.ts", "");
    assert.deepEqual([stderr, code], ["", 0]);
    const squares = Array.from({ length: 20 }, (_, index) => `${index + 1} ${(index + 1) ** 2}\n`);
    assert.equal(stdout, squares.join(""));
  });

  test("agent-loop", async () => {
    const { stdout, stderr, code } = await run("agent-loop.ts", "");
    assert.deepEqual([stderr, code], ["", 0]);
    assert.equal(
      stdout,
      "step 1: echo $(( $(cat n) * 3 )) > n (28 to go)\n" +
        "step 2: echo $(( $(cat n) * 3 )) > n (4 to go)\n" +
        "step 3: echo $(( $(cat n) + 4 )) > n (0 to go)\nreached 40\n",
    );
  });

  const noPython = imageToolsMissing("sqfstar", "mke2fs") || pythonMissing();
  test("python-plot", { skip: noPython }, async () => {
    const tree = join(place.scratch, "python");
    pythonTree(tree);
    await virga.ok(["image", "build", "python", "--from", tree]);
    const plot = join(place.scratch, "plot.png");
    const drawn = await run("python-plot.ts", PLOT, plot, "python");
    assert.deepEqual(drawn, { stdout: `wrote ${plot}\n`, stderr: "", code: 0 });
    const png = readFileSync(plot);
    assert.equal(png.subarray(1, 4).toString(), "PNG");
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [200, 100]);
    const failed = await run("python-plot.ts", "1/0\n", plot, "python");
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /ZeroDivisionError: division by zero\n$/);
  });

  test("all of them are tested", () => {
    const programs = readdirSync(folder).filter((name) => /(?<!\.test)\.ts$/u.test(name));
    assert.deepEqual([...tested].toSorted(), programs.toSorted());
  });
});
