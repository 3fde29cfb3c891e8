import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { testDirectory } from "../../../test/fake-api.ts";
import { VirgaError } from "../../errors.ts";
import { identifyCloudHypervisor, parseVersion } from "./version.ts";

async function program(context: TestContext, script: string): Promise<string> {
  const path = join(await testDirectory(context), "vmm");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof VirgaError && error.code === code;
}

test("versions of releases, trees and forks are read", () => {
  const expected: [string, string, number[]][] = [
    ["cloud-hypervisor v53.0", "v53.0", [53, 0, 0]],
    ["cloud-hypervisor v53.0-dirty\nMigration Protocol Versions: 0", "v53.0-dirty", [53, 0, 0]],
    ["cloud-hypervisor v53.0-12-gabc1234", "v53.0-12-gabc1234", [53, 0, 0]],
    ["cloud-hypervisor v54.0.0\n", "v54.0.0", [54, 0, 0]],
    ["cloud-hypervisor 51.2.1", "51.2.1", [51, 2, 1]],
  ];
  for (const [output, version, numbers] of expected) {
    assert.deepEqual(parseVersion(output), { version, numbers });
  }
  for (const output of ["", "QEMU emulator version 7.2.22", "cloud-hypervisor vNEXT"]) {
    assert.equal(parseVersion(output), undefined);
  }
});

test("a binary is identified", async (context) => {
  const binary = await program(context, "echo cloud-hypervisor v53.0-dirty");
  assert.deepEqual(await identifyCloudHypervisor(binary, { timeoutMs: 10_000 }), {
    name: "cloud-hypervisor",
    binary,
    version: "v53.0-dirty",
    numbers: [53, 0, 0],
    mapsReadOnly: false,
  });
});

test("an old one is refused with the reason", async (context) => {
  const binary = await program(context, "echo cloud-hypervisor v52.0");
  await assert.rejects(identifyCloudHypervisor(binary, { timeoutMs: 10_000 }), (error) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "HYPERVISOR_TOO_OLD");
    assert.match(error.message, /v52\.0, at least v53\.0 is needed: .*double/);
    return true;
  });
});

test("something else, or nothing, is no hypervisor", async (context) => {
  const other = await program(context, "echo something else; exit 3");
  const silent = await program(context, "exit 0");
  for (const binary of [other, silent, "/nonexistent/vmm", "/"]) {
    await assert.rejects(
      identifyCloudHypervisor(binary, { timeoutMs: 10_000 }),
      hasCode("HYPERVISOR_MISSING"),
    );
  }
});

test("one that says nothing is given up", async (context) => {
  const binary = await program(context, "exec sleep 1000");
  await assert.rejects(identifyCloudHypervisor(binary, { timeoutMs: 100 }), hasCode("TIMEOUT"));
  const abort = new AbortController();
  const asked = identifyCloudHypervisor(binary, { timeoutMs: 60_000, signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(asked, hasCode("ABORTED"));
  await assert.rejects(
    identifyCloudHypervisor(binary, { timeoutMs: 60_000, signal: abort.signal }),
    hasCode("ABORTED"),
  );
});
