// The guest's codecs against the golden vectors, through the program in codec/.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, test } from "node:test";
import { frameType, readVectors, tagOf, type Vector } from "../protocol/read-vectors.ts";
import { compilerSkip, nativeTestProgram } from "../test-program.ts";

const hexWord = (hex: string | undefined): string => (hex === "" || hex === undefined ? "-" : hex);

describe("codecs", { skip: compilerSkip }, () => {
  let program: string;
  before(async () => {
    program = await nativeTestProgram("common/codec", true);
  });

  /** Runs one command for each vector; gives the answers in the same order. */
  function run(commands: readonly string[]): string[][] {
    const { status, stdout, stderr } = spawnSync(program, {
      input: `${commands.join("\n")}\n`,
      encoding: "utf8",
      maxBuffer: 1 << 24,
    });
    assert.deepEqual([status, stderr], [0, ""]);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, commands.length);
    return lines.map((line) => line.split("\t"));
  }

  function check(
    vectors: readonly Vector[],
    command: (vector: Vector) => string,
    expected: (vector: Vector) => readonly string[],
  ): void {
    assert.ok(vectors.length > 0);
    const answers = run(vectors.map(command));
    for (const [index, vector] of vectors.entries()) {
      assert.deepEqual(answers[index], expected(vector), vector.name);
    }
  }

  test("messages are read to their meaning and written to the same bytes", () => {
    check(
      readVectors("message").filter(({ bad }) => bad === undefined),
      ({ hex }) => `message ${hex}`,
      ({ value, hex }) => [toJson(value), hex],
    );
  });

  test("bad messages are refused with their reason", () => {
    check(
      readVectors("message").filter(({ bad }) => bad !== undefined),
      ({ hex }) => `message ${hexWord(hex)}`,
      ({ bad = "" }) => ["bad", bad],
    );
  });

  test("a message cut anywhere is refused", () => {
    const { hex } = readVectors("message").find(({ name }) => name === "request exec") ?? {};
    assert.ok(hex !== undefined);
    const cuts = Array.from({ length: hex.length / 2 - 1 }, (_, i) => hex.slice(0, 2 * (i + 1)));
    for (const answer of run(cuts.map((cut) => `message ${cut}`))) {
      assert.deepEqual(answer, ["bad", "truncated"]);
    }
  });

  test("frames of the host are taken, whole and not before", () => {
    const good = readVectors("frame").filter((v) => v.bad === undefined && v.direction === "host");
    check(
      good,
      (vector) => `frame ${tagOf(vector)} ${vector.hex}`,
      ({ type, payload = "" }) => [`${frameType(type)}`, payload],
    );
    check(
      good,
      (vector) => `frame ${tagOf(vector)} ${vector.hex.slice(0, -2)}`,
      () => ["more"],
    );
  });

  test("bad frames of the host are refused with their reason", () => {
    check(
      // Credit beyond the window is no fault of the frame: the session refuses it (channel.test.ts).
      readVectors("frame").filter(
        ({ bad, direction }) => bad !== undefined && bad !== "credit" && direction === "host",
      ),
      (vector) => `frame ${tagOf(vector)} ${vector.hex}`,
      ({ bad = "" }) => ["bad", bad],
    );
  });

  test("frames of both directions are written to the same bytes", () => {
    check(
      readVectors("frame").filter(({ bad }) => bad === undefined),
      (vector) => `seal ${frameType(vector.type)} ${tagOf(vector)} ${hexWord(vector.payload)}`,
      ({ hex }) => [hex],
    );
  });

  test("records are told apart, and the welcome is written", () => {
    for (const vector of readVectors("handshake")) {
      const { hex, record, nonceH, nonceG } = vector;
      const answers = run([
        `hello ${hex}`,
        `confirm ${hex} ${nonceH} ${nonceG}`,
        `confirm ${hex} ${nonceH} ${"01".repeat(16)}`,
        `confirm ${hex} ${"01".repeat(16)} ${nonceG}`,
        `welcome ${nonceH} ${nonceG}`,
      ]).flat();
      const [isHello, isConfirm, otherGuest, otherHost, welcome] = answers;
      assert.equal(isHello, record === "hello" ? "yes" : "no", vector.name);
      assert.equal(isConfirm, record === "confirm" ? "yes" : "no", vector.name);
      assert.deepEqual([otherGuest, otherHost], ["no", "no"], vector.name);
      if (record === "welcome") assert.equal(welcome, hex);
    }
  });
});

/** JSON as the program writes it: it escapes what must be, in the long form. */
function toJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/\\u[0-9a-f]{4}|\\./gu, (escape) =>
    escape.startsWith("\\u")
      ? escape
      : `\\u${JSON.parse(`"${escape}"`).charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
