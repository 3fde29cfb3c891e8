import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { fakeModule, usePathPrograms, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { GUEST_MODULES } from "./guest-modules.ts";
import { fetchKernelPackage } from "./kernel-package.ts";
import { currentKernel } from "./kernel-store.ts";

const release = "6.12.9-cloud-amd64";
const packages = ["linux-image-new-cloud", "linux-image-cloud"];

// Programs that act on a prepared tree instead of the network. `calls` records each call.
async function useFakeApt(t: TestContext, scripts: Record<string, string> = {}) {
  const directory = await useTemporaryDirectory(t);
  const tree = join(directory, "package");
  const modules = join(tree, "usr/lib/modules", release);
  await mkdir(join(tree, "boot"), { recursive: true });
  await mkdir(join(modules, "kernel"), { recursive: true });
  await writeFile(join(tree, "boot", `vmlinuz-${release}`), "\x7fELF kernel");
  for (const { name } of GUEST_MODULES) {
    await writeFile(join(modules, "kernel", `${name}.ko`), fakeModule({ depends: "" }));
  }
  const calls = join(directory, "calls");
  const record = `echo "$(basename "$0") $*" >> ${calls}`;
  await usePathPrograms(t, directory, {
    "apt-cache": `${record}
case "$*" in *linux-image-cloud) echo linux-image-cloud; echo "  Depends: linux-image-${release}";; *linux-image-${release}) echo linux-image-${release};; *) echo "E: No packages found" >&2; exit 100;; esac`,
    "apt-get": `${record}\necho Get:1; touch linux-image_1_amd64.deb`,
    "dpkg-deb": `${record}\ncase "$1" in -f) printf 'Package: linux-image-${release}\\nVersion: 6.12.9-1\\n';; -x) cp -r ${tree} "$3";; esac`,
    ...scripts,
  });
  return { root: join(directory, "kernel"), calls: () => readFile(calls, "utf8") };
}

test("takes the first meta-package that apt knows, downloads and unpacks it, installs nothing", async (t) => {
  const { root, calls } = await useFakeApt(t);
  const lines: string[] = [];
  const kernel = await fetchKernelPackage({ root, packages, onLine: (line) => lines.push(line) });
  assert.equal(kernel.id, `${release}_6.12.9-1`);
  assert.equal(kernel.release, release);
  assert.equal(kernel.modules.length, GUEST_MODULES.length);
  assert.deepEqual(await currentKernel(root), kernel);
  assert.deepEqual(lines, ["Get:1"]);
  const made = (await calls()).trim().split("\n");
  assert.equal(made.filter((call) => call.startsWith("apt-cache")).length, 3);
  const aptGet = made.filter((call) => call.startsWith("apt-get"));
  assert.equal(aptGet.length, 1);
  assert.match(aptGet[0] ?? "", new RegExp(`download linux-image-${release}$`));
  assert.deepEqual((await readdir(root)).toSorted(), [kernel.id, "current"]);
});

test("no known package is an error with apt's words, each once, that tells the way out", async (t) => {
  const { root } = await useFakeApt(t, {
    "apt-cache": 'echo "E: The list of sources could not be read." >&2; exit 100',
  });
  await assert.rejects(fetchKernelPackage({ root, packages }), (error) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "SETUP_FAILED");
    assert.equal(
      error.message,
      "Cannot find a guest kernel: apt knows none of linux-image-new-cloud, linux-image-cloud:\nE: The list of sources could not be read.",
    );
    assert.match(error.hint ?? "", /virga setup --kernel FILE --modules DIR$/);
    return true;
  });
});

test("modules that cannot be looked up fail the fetch instead of leaving them out", async (t) => {
  const { root } = await useFakeApt(t, {
    "apt-cache": `case "$*" in *linux-image-cloud) echo "  Depends: linux-image-${release}";; *) echo "E: broken" >&2; exit 100;; esac`,
  });
  await assert.rejects(
    fetchKernelPackage({ root, packages }),
    new RegExp(`Cannot look up the package linux-image-${release}: .*\\nE: broken$`),
  );
});

test("a failing download carries apt's words and leaves nothing", async (t) => {
  const { root } = await useFakeApt(t, {
    "apt-get": "echo E: Temporary failure resolving >&2; exit 100",
  });
  await assert.rejects(
    fetchKernelPackage({ root, packages }),
    /ended with 100:\nE: Temporary failure/,
  );
  assert.deepEqual(await readdir(root), []);
  assert.equal(await currentKernel(root), undefined);
});

test("a step that failed can be done again", async (t) => {
  const { root } = await useFakeApt(t, {
    "dpkg-deb": `case $1 in -f) printf 'Package: linux-image-${release}\\nVersion: 1\\n';; *) exit 2;; esac`,
  });
  await assert.rejects(
    fetchKernelPackage({ root, packages }),
    /Cannot unpack linux-image_1_amd64\.deb/,
  );
  const again = await useFakeApt(t);
  await fetchKernelPackage({ root, packages });
  assert.ok((await again.calls()).includes("dpkg-deb -x"));
  assert.ok(await currentKernel(root));
});
