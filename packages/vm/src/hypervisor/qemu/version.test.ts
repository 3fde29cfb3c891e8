import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { identifyQemu } from "./version.ts";

const LONG_MS = 20_000;

async function fakeBinary(context: TestContext, script: string): Promise<string> {
  const path = join(await useTemporaryDirectory(context), "qemu-system-fake");
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
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
  await assert.rejects(identifyQemu(binary, { timeoutMs: LONG_MS }), {
    code: "HYPERVISOR_TOO_OLD",
    message: /7\.1\.9.*7\.2\.0 or newer/,
  });
});

for (const [what, script] of [
  ["another program", "echo bash 5.2"],
  ["one that fails", "echo broken >&2; exit 3"],
  ["one without an end", "yes"],
  ["control characters", "printf '\\033]0;QEMU\\007'"],
] as const) {
  test(`${what} is HYPERVISOR_PROTOCOL`, async (context) => {
    const binary = await fakeBinary(context, script);
    await assert.rejects(identifyQemu(binary, { timeoutMs: LONG_MS }), {
      code: "HYPERVISOR_PROTOCOL",
      message: /qemu-system-fake/,
    });
  });
}

test("a binary that hangs is a TIMEOUT, and is gone afterwards", async (context) => {
  const binary = await fakeBinary(context, 'echo $$ >"$0.pid"; exec sleep 600');
  await assert.rejects(identifyQemu(binary, { timeoutMs: 200 }), {
    code: "TIMEOUT",
    message: /200 ms/,
  });
});

test("an abort stops asking", async (context) => {
  const binary = await fakeBinary(context, "exec sleep 600");
  const controller = new AbortController();
  const asking = identifyQemu(binary, { timeoutMs: LONG_MS, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(asking, { code: "ABORTED", message: /version/ });
  await assert.rejects(identifyQemu(binary, { timeoutMs: LONG_MS, signal: controller.signal }), {
    code: "ABORTED",
    message: /version/,
  });
});

test("a missing binary, and one that is none, are HYPERVISOR_MISSING", async (context) => {
  const directory = await useTemporaryDirectory(context);
  for (const binary of [join(directory, "absent"), directory]) {
    await assert.rejects(identifyQemu(binary, { timeoutMs: LONG_MS }), {
      code: "HYPERVISOR_MISSING",
      message: /Cannot run QEMU/,
    });
  }
});
