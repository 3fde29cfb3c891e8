import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { isVirgaError } from "../../errors.ts";
import type { VirgaErrorCode } from "../../errors.ts";
import { identifyQemu, isAtLeast } from "./version.ts";

const LONG_MS = 20_000;

async function fakeBinary(context: TestContext, script: string): Promise<string> {
  const path = join(await useTemporaryDirectory(context), "qemu-system-fake");
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

function withCode(code: VirgaErrorCode, words: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(isVirgaError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };
}

test("a QEMU says who it is", async (context) => {
  const binary = await fakeBinary(
    context,
    `case "$*" in
--version) echo "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"; echo "Copyright";;
*help) echo "  mem-path=<string>"; echo "  readonly=<bool>"; echo "  rom=<OnOffAuto>";;
esac`,
  );
  assert.deepEqual(await identifyQemu(binary, { timeoutMs: LONG_MS }), {
    name: "qemu",
    binary,
    version: "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)",
    numbers: [7, 2, 22],
    // Asked for, and not read off the version.
    mapsReadOnly: true,
  });
});

test("one below the floor is HYPERVISOR_TOO_OLD", async (context) => {
  const binary = await fakeBinary(context, "echo QEMU emulator version 7.1.9");
  await assert.rejects(
    identifyQemu(binary, { timeoutMs: LONG_MS }),
    withCode("HYPERVISOR_TOO_OLD", /7\.1\.9.*7\.2\.0 or newer/),
  );
});

for (const [what, script] of [
  ["another program", "echo bash 5.2"],
  ["one that fails", "echo broken >&2; exit 3"],
  ["one without an end", "yes"],
  ["control characters", "printf '\\033]0;QEMU\\007'"],
] as const) {
  test(`${what} is HYPERVISOR_PROTOCOL`, async (context) => {
    const binary = await fakeBinary(context, script);
    await assert.rejects(
      identifyQemu(binary, { timeoutMs: LONG_MS }),
      withCode("HYPERVISOR_PROTOCOL", /qemu-system-fake/),
    );
  });
}

test("a binary that hangs is a TIMEOUT, and is gone afterwards", async (context) => {
  const binary = await fakeBinary(context, 'echo $$ >"$0.pid"; exec sleep 600');
  await assert.rejects(identifyQemu(binary, { timeoutMs: 200 }), withCode("TIMEOUT", /200 ms/));
});

test("an abort stops asking", async (context) => {
  const binary = await fakeBinary(context, "exec sleep 600");
  const controller = new AbortController();
  const asking = identifyQemu(binary, { timeoutMs: LONG_MS, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(asking, withCode("ABORTED", /version/));
  await assert.rejects(
    identifyQemu(binary, { timeoutMs: LONG_MS, signal: controller.signal }),
    withCode("ABORTED", /version/),
  );
});

test("a missing binary, and one that is none, are HYPERVISOR_MISSING", async (context) => {
  const directory = await useTemporaryDirectory(context);
  for (const binary of [join(directory, "absent"), directory]) {
    await assert.rejects(
      identifyQemu(binary, { timeoutMs: LONG_MS }),
      withCode("HYPERVISOR_MISSING", /Cannot run QEMU/),
    );
  }
});

test("versions are compared number by number", () => {
  assert.ok(isAtLeast([7, 2, 0], [7, 2, 0]));
  assert.ok(isAtLeast([10, 0, 0], [8, 2, 0]));
  assert.ok(isAtLeast([8, 10, 0], [8, 2, 5]));
  assert.ok(!isAtLeast([8, 1, 9], [8, 2, 0]));
  assert.ok(!isAtLeast([7, 2, 0], [7, 2, 1]));
});
