import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fakeModule, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { GUEST_MODULES } from "./guest-modules.ts";
import { importKernelFiles } from "./kernel-files.ts";
import { currentKernel } from "./kernel-store.ts";

test("a kernel and its modules given by path are copied, named by their content", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const paths = { kernel: join(directory, "bzImage"), modules: join(directory, "modules") };
  await writeFile(paths.kernel, "\x7fELF kernel");
  await mkdir(paths.modules);
  const vermagic = "7.1-own SMP";
  for (const { name } of GUEST_MODULES) {
    await writeFile(join(paths.modules, `${name}.ko`), fakeModule({ depends: "", vermagic }));
  }
  const root = join(directory, "kernel");
  const kernel = await importKernelFiles({ root, ...paths });
  assert.match(kernel.id, /^given-[0-9a-f]{16}$/);
  assert.equal(kernel.release, "7.1-own");
  assert.equal(kernel.modules.length, GUEST_MODULES.length);
  assert.deepEqual(await currentKernel(root), kernel);
  const { id } = await importKernelFiles({ root, ...paths });
  assert.equal(id, kernel.id);
  await writeFile(join(paths.modules, "overlay.ko"), fakeModule({ depends: "", vermagic, x: "1" }));
  assert.notEqual((await importKernelFiles({ root, ...paths })).id, kernel.id);
});

test("a kernel without modules has all built in", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const kernel = join(directory, "vmlinux-7.1");
  await writeFile(kernel, "\x7fELF kernel");
  const imported = await importKernelFiles({ root: join(directory, "kernel"), kernel });
  assert.deepEqual(imported.modules, []);
  assert.equal(imported.release, "7.1");
});

test("what cannot be read, and a folder without modules, is named", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const root = join(directory, "kernel");
  const kernel = join(directory, "bzImage");
  const fails = (pattern: RegExp) => (error: unknown) =>
    error instanceof VirgaError && error.code === "SETUP_FAILED" && pattern.test(error.message);
  await assert.rejects(importKernelFiles({ root, kernel }), fails(/guest kernel .*bzImage/));
  await writeFile(kernel, "x");
  const gone = join(directory, "gone");
  await assert.rejects(
    importKernelFiles({ root, kernel, modules: gone }),
    fails(/modules in .*gone/),
  );
  await mkdir(join(directory, "empty"));
  await assert.rejects(
    importKernelFiles({ root, kernel, modules: join(directory, "empty") }),
    fails(/no kernel module and no modules.builtin/),
  );
});
