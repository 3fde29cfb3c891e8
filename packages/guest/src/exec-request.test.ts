import assert from "node:assert/strict";
import { test } from "node:test";
import { guestError } from "../test/error-matchers.ts";
import { type ExecOptions, execRequest, sizeFields } from "./exec-request.ts";
import { encodeMessage } from "./message-encode.ts";

test("the fields stand in the order of the protocol", () => {
  const options: ExecOptions = {
    env: { A: "1", B: "" },
    cwd: "/tmp",
    stdin: true,
    pty: { rows: 24, cols: 80, term: "xterm" },
    user: 1_000,
    login: false,
    limits: { nofile: [1_024, "unlimited"], core: 0 },
    detach: false,
    tag: "job",
    ringBytes: 100,
    timeoutMs: 60_000,
    inheritEnv: false,
  };
  assert.deepEqual(execRequest(["sh", "-c", "echo hi"], options), {
    op: "exec",
    argv: ["sh", "-c", "echo hi"],
    env: { A: "1", B: "" },
    cwd: "/tmp",
    stdin: true,
    pty: { rows: 24, cols: 80, term: "xterm" },
    user: "1000",
    login: false,
    limits: { nofile: [1_024, -1], core: 0 },
    detach: false,
    tag: "job",
    ringBytes: 100,
    timeoutMs: 60_000,
    inheritEnv: false,
  });
});

test("what is not given is not sent; only a terminal has stdin by default", () => {
  assert.equal(
    encodeMessage(execRequest(["a"], {})).toString("hex"),
    encodeMessage({ op: "exec", argv: ["a"], stdin: false }).toString("hex"),
  );
  assert.equal(execRequest(["a"], { pty: { rows: 1, cols: 1 } })["stdin"], true);
});

const refused: readonly [string, readonly (string | Uint8Array)[], ExecOptions, RegExp][] = [
  ["no command", [], {}, /command is empty/],
  [
    "an option that there is not",
    ["a"],
    { timeout: 5 } as ExecOptions,
    /no option "timeout", did you mean "timeoutMs"\?$/,
  ],
  ["a program without a name", [""], {}, /name of the program/],
  ["a user without a name", ["a"], { user: "" }, /user is ""/],
  ["a user below 0", ["a"], { user: -1 }, /user is -1/],
  ["a limit below 0", ["a"], { limits: { nofile: -1 } }, /limit nofile is -1/],
  ["a NUL in text", ["a", "b\0c"], {}, /argument 1 contains a NUL/],
  ["a NUL in bytes", [Buffer.of(97, 0)], {}, /argument 0 contains a NUL/],
  ["an argument that is a number", ["a", 5 as unknown as string], {}, /argument 1 is neither/],
  ["a NUL in cwd", ["a"], { cwd: "\0" }, /cwd contains/],
  ["a variable with =", ["a"], { env: { "A=B": "1" } }, /"A=B" is not a name/],
  ["a variable without a name", ["a"], { env: { "": "1" } }, /"" is not a name/],
  ["a NUL in a variable", ["a"], { env: { A: "\0" } }, /variable A contains/],
  ["no time", ["a"], { timeoutMs: 0 }, /timeoutMs is 0/],
  ["a fraction of time", ["a"], { timeoutMs: 1.5 }, /timeoutMs is 1.5/],
  ["a terminal without rows", ["a"], { pty: { rows: 0, cols: 80 } }, /0 rows/],
];
for (const [name, argv, options, message] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => execRequest(argv, options),
      guestError("GUEST_BAD_REQUEST", message, { outcome: "not-started" }),
    );
  });
}

test("a size that no terminal has is refused", () => {
  assert.deepEqual(sizeFields({ rows: 65_535, cols: 1 }), { rows: 65_535, cols: 1 });
  assert.throws(
    () => sizeFields({ rows: 1, cols: 65_536 }),
    guestError("GUEST_BAD_REQUEST", /65536 cols/),
  );
});
