import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { fakeModule, prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { modulesInOrder, readModuleTree } from "./module-tree.ts";

async function tree(t: TestContext, files: Record<string, Buffer | string>) {
  const directory = await useTemporaryDirectory(t);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  return readModuleTree(directory);
}

const names = (modules: readonly { readonly name: string }[]): string[] =>
  modules.map(({ name }) => name);

test("each module comes after all it depends on, once, built-in ones not at all", async (t) => {
  const modules = await tree(t, {
    "kernel/net/virtio_net.ko": fakeModule({ depends: "net_failover,virtio_ring" }),
    "kernel/net/net_failover.ko.gz": gzipSync(fakeModule({ depends: "failover" })),
    "kernel/net/failover.ko.zst": zstdCompressSync(fakeModule({ depends: "" })),
    "kernel/virtio-rng.ko": fakeModule({ depends: "virtio_ring" }),
    "modules.builtin": "kernel/virtio/virtio-ring.ko\nkernel/fs/ext4.ko\n",
    "modules.order": "kernel/net/failover.ko\n",
  });
  const wanted = ["virtio-rng", "virtio_net", "failover", "ext4"].map((name) => ({ name }));
  const ordered = await modulesInOrder(modules, wanted);
  assert.deepEqual(names(ordered), ["virtio_rng", "failover", "net_failover", "virtio_net"]);
  assert.ok(ordered[1]?.content.equals(fakeModule({ depends: "" })), "unpacked");
});

test(
  "modules packed by xz are unpacked",
  {
    skip: prerequisite(
      "xz",
      spawnSync("xz", ["--version"]).status === 0 ? undefined : "not installed",
    ),
  },
  async (t) => {
    const module = fakeModule({ depends: "", vermagic: "6.12 SMP" });
    const packed = spawnSync("xz", ["-c", "--check=crc32"], { input: module }).stdout;
    const [only] = await modulesInOrder(await tree(t, { "a.ko.xz": packed }), [{ name: "a" }]);
    assert.ok(only?.content.equals(module));
    assert.equal(only?.info.release, "6.12");
    const damaged = await tree(t, { "a.ko.xz": packed.subarray(0, -20) });
    await assert.rejects(
      modulesInOrder(damaged, [{ name: "a" }]),
      /unpack the kernel module .*a\.ko\.xz/,
    );
  },
);

test("all missing modules are named at once, optional ones are left out", async (t) => {
  const modules = await tree(t, { "a.ko": fakeModule({ depends: "gone" }) });
  const wanted = [{ name: "a" }, { name: "b" }, { name: "c", optional: true as const }];
  await assert.rejects(modulesInOrder(modules, wanted), (error) => {
    assert.ok(error instanceof VirgaError);
    assert.equal(error.code, "SETUP_FAILED");
    assert.deepEqual(error.details["missing"], ["gone", "b"]);
    return true;
  });
});

test("modules that depend on each other, and files that are none, are refused", async (t) => {
  const circle = await tree(t, {
    "a.ko": fakeModule({ depends: "b" }),
    "b.ko": fakeModule({ depends: "a" }),
  });
  await assert.rejects(modulesInOrder(circle, [{ name: "a" }]), /depend on each other: a, b/);
  const text = await tree(t, { "a.ko": "text" });
  await assert.rejects(modulesInOrder(text, [{ name: "a" }]), /a\.ko cannot be understood/);
});
