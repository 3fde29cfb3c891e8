import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { prerequisite, useTemporaryDirectory } from "@virga/testkit";
import { VirgaError } from "@virga/vm";
import { buildInitramfs } from "./initramfs.ts";

const noCpio = spawnSync("cpio", ["--version"]).status === 0 ? undefined : "cpio is not installed";

async function inputs(directory: string) {
  const at = (name: string): string => join(directory, name);
  await writeFile(at("agent"), "the agent");
  await writeFile(at("b.ko"), "module b");
  await writeFile(at("a.ko"), "module a");
  await writeFile(
    at("busybox"),
    "#!/bin/sh\nprintf 'bin/sh\\nusr/bin/[\\nlinuxrc\\nbin/busybox\\nsbin/init\\nusr/bin/[\\n'\n",
    { mode: 0o755 },
  );
  return { init: at("agent"), modules: [at("b.ko"), at("a.ko")], busybox: at("busybox") };
}

test(
  "holds init, the modules in their order, busybox and its applets",
  { skip: prerequisite("cpio", noCpio) },
  async (t) => {
    const directory = await useTemporaryDirectory(t);
    const { path, built } = await buildInitramfs(await inputs(directory), join(directory, "out"));
    assert.ok(built);
    const archive = await readFile(path);
    const extract = (name: string): string =>
      spawnSync("cpio", ["--quiet", "-i", "--to-stdout", name], {
        input: archive,
        encoding: "utf8",
      }).stdout;
    assert.equal(extract("init"), "the agent");
    assert.equal(extract("modules/order"), "b.ko\na.ko\n");
    assert.equal(extract("modules/a.ko"), "module a");
    assert.match(extract("etc/passwd"), /^root:x:0:0:/);
    const list = spawnSync("cpio", ["--quiet", "-itv"], {
      input: archive,
      encoding: "utf8",
    }).stdout;
    assert.match(list, /crw------- .* 5, +1 .* dev\/console\n/);
    assert.match(list, /crw-rw-rw- .* 1, +3 .* dev\/null\n/);
    assert.match(list, /drwxrwxrwt .* tmp\n/);
    assert.match(list, /-rwxr-xr-x .* bin\/busybox\n/);
    const links = [...list.matchAll(/ (\S+) -> \/bin\/busybox/gu)].map(([, name]) => name);
    assert.deepEqual(links, ["bin/sh", "sbin/init", "usr/bin/["]);
  },
);

test("is built once per content", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const content = await inputs(directory);
  const out = join(directory, "out");
  const first = await buildInitramfs(content, out);
  assert.deepEqual(await buildInitramfs(content, out), { ...first, built: false });
  await writeFile(content.init, "another agent");
  const changed = await buildInitramfs(content, out);
  const reordered = await buildInitramfs(
    { ...content, modules: content.modules.toReversed() },
    out,
  );
  assert.equal(new Set([first.hash, changed.hash, reordered.hash]).size, 3);
  assert.equal((await readdir(out)).length, 3);
  await writeFile(changed.path, "damaged");
  assert.ok((await buildInitramfs({ ...content }, out)).built, "a damaged file is not used");
});

test("a missing input is named", async (t) => {
  const directory = await useTemporaryDirectory(t);
  const content = await inputs(directory);
  await assert.rejects(
    buildInitramfs({ ...content, modules: [join(directory, "c.ko")] }, directory),
    (error) =>
      error instanceof VirgaError &&
      error.code === "SETUP_FAILED" &&
      error.message.includes("c.ko"),
  );
});
