import assert from "node:assert/strict";
import { symlink, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { testContext } from "../../../test/vm-context.ts";
import type { QmpSession } from "./qmp-session.ts";
import { guestAddress, savePrivateMemory } from "./save-private-memory.ts";
import { saveSnapshot } from "./save-snapshot.ts";

const GIB = 2 ** 30;

test("memory above 3 GiB lies above 4 GiB in the guest", () => {
  assert.equal(guestAddress(0), 0);
  assert.equal(guestAddress(3 * GIB - 1), 3 * GIB - 1);
  assert.equal(guestAddress(3 * GIB), 4 * GIB);
  assert.equal(guestAddress(10 * GIB), 11 * GIB);
});

test("a link in place of what QEMU writes is not followed", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const secret = join(directory, "secret");
  await writeFile(secret, "QEVM and more of the host");
  const context = testContext(directory, false);
  const { out } = context.layout.host;
  await mkdir(out, { recursive: true });
  const qmp = {
    execute: async (_command: string, { filename }: { filename: string }) => {
      await symlink(secret, filename);
    },
  } as unknown as QmpSession;
  await assert.rejects(savePrivateMemory(context, qmp, join(out, "memory")), { code: "ELOOP" });
  await assert.rejects(saveSnapshot(context, qmp, { timeoutMs: 60_000 }), { code: "ELOOP" });
  assert.ok(!(await readdir(out)).includes("piece"));
});
