import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { link, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { imageToolsMissing, useTemporaryDirectory, usePathPrograms } from "@virga/testkit";
import { buildImage } from "./build-image.ts";
import { openImageSource } from "./image-source.ts";
import { ImageStore } from "./image-store.ts";
import { packBase } from "./pack-base.ts";

const skip = imageToolsMissing("sqfstar", "unsquashfs", "gzip", "xz");

async function newTree(
  t: TestContext,
): Promise<{ place: string; tree: string; directory: string }> {
  const place = await useTemporaryDirectory(t);
  const tree = join(place, "tree");
  await mkdir(join(tree, "bin"), { recursive: true });
  await writeFile(join(tree, "bin/tool"), "#!/bin/sh\n", { mode: 0o4755 });
  await link(join(tree, "bin/tool"), join(tree, "bin/same"));
  await symlink("../bin/tool", join(tree, "bin/link"));
  return { place, tree, directory: join(place, "images") };
}

/** Lines of the base's content: mode, owner, name. */
function contentOf(base: string): string[] {
  const text = execFileSync("unsquashfs", ["-lln", base], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line) => line.replace(/^(\S+) +(\S+) .* squashfs-root/u, "$1 $2 "));
}

const expected = [
  "drwxr-xr-x 0/0 ",
  "drwxr-xr-x 0/0 /bin",
  "lrwxrwxrwx 0/0 /bin/link -> ../bin/tool",
  "-rwxr-xr-x 0/0 /bin/same",
  "-rwxr-xr-x 0/0 /bin/tool",
];

test(
  "a directory and its archives, however compressed, give the same image once",
  { skip },
  async (t) => {
    const { place, tree, directory } = await newTree(t);
    execFileSync("chmod", ["4755", join(tree, "bin/tool")]);
    const settings = { user: "u", workdir: "/w", environment: { A: "1" }, command: ["bin/tool"] };
    const first = await buildImage({ directory, name: "tree", from: tree, settings });
    assert.equal(first.built, true);
    assert.deepEqual(
      contentOf(first.base),
      expected.map((line) => line.replace("-rwxr-xr-x", "-rwsr-xr-x")),
    );
    const { source, user, workdir, environment, command } = first.record;
    assert.equal(source, `directory ${tree}`);
    assert.deepEqual({ user, workdir, environment, command }, settings);
    const asTar = await openImageSource(tree);
    const tar = join(place, "tree.tar");
    for await (const chunk of asTar.read()) appendFileSync(tar, chunk);
    for (const program of ["gzip", "xz", "zstd"]) {
      const available = execFileSync("sh", ["-c", `command -v ${program} || true`]).length > 0;
      if (available) execFileSync(program, ["-q", "-k", tar]);
    }
    const archives = (await readdir(place)).filter((name) => name.startsWith("tree.tar"));
    assert.ok(archives.length >= 3, archives.join());
    for (const name of archives) {
      const again = await buildImage({ directory, name, from: join(place, name), settings });
      assert.equal(again.built, false, name);
      assert.equal(again.record.digest, first.record.digest);
    }
    const [image] = await new ImageStore({ directory }).list();
    assert.deepEqual(image?.names, [...archives, "tree"].toSorted());
  },
);

test("other settings or another content make another image", { skip }, async (t) => {
  const { tree, directory } = await newTree(t);
  const digests = new Set<string>();
  for (const settings of [
    {},
    { user: "1" },
    { workdir: "/x" },
    { environment: { A: "" } },
    { command: ["A"] },
  ]) {
    digests.add((await buildImage({ directory, name: "x", from: tree, settings })).record.digest);
  }
  await writeFile(join(tree, "more"), "");
  digests.add((await buildImage({ directory, name: "x", from: tree })).record.digest);
  assert.equal(digests.size, 6);
});

test("what is no root file system is refused, and nothing is left", { skip }, async (t) => {
  const { place, directory } = await newTree(t);
  const at = (name: string): string => join(place, name);
  const evil = at("evil.tar");
  await writeFile(at("outside"), "x");
  execFileSync("tar", [
    "-C",
    directory.replace(/images$/u, "tree"),
    "-P",
    "--transform=s,^bin,bin/../../out,",
    "-cf",
    evil,
    "bin/tool",
  ]);
  await writeFile(at("junk"), "no archive at all ".repeat(100));
  await writeFile(at("junk.gz"), Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6]));
  await writeFile(at("empty"), "");
  for (const [name, code] of [
    ["evil.tar", "IO_ERROR"],
    ["junk", "IO_ERROR"],
    ["junk.gz", "IO_ERROR"],
    ["empty", "IO_ERROR"],
    ["absent", "NOT_FOUND"],
    ["../../dev/null", "INVALID_ARGUMENT"],
  ] as const) {
    const from = name.endsWith("null") ? "/dev/null" : at(name);
    await assert.rejects(buildImage({ directory, name: "x", from }), { code }, name);
  }
  for (const settings of [{ workdir: "x" }, { environment: { "A=B": "" } }, { user: "a\0" }]) {
    const building = buildImage({ directory, name: "x", from: at("tree"), settings });
    await assert.rejects(building, { code: "INVALID_ARGUMENT" });
  }
  const left = (await readdir(directory)).filter((name) => !name.endsWith(".lock"));
  assert.deepEqual(left, ["tags"]);
});

test("a source that changes between its readings is refused", { skip }, async (t) => {
  const { tree, directory } = await newTree(t);
  const building = buildImage({
    directory,
    name: "x",
    from: tree,
    onProgress: (message) => {
      if (message.startsWith("Packing")) appendFileSync(join(tree, "bin/tool"), "more");
      else appendFileSync(join(tree, "grows"), "x");
    },
  });
  await assert.rejects(building, { code: "IO_ERROR", message: /changed while it was read/ });
  assert.deepEqual(await new ImageStore({ directory }).list(), []);
});

test("an abort ends the packing and leaves no file", { skip }, async (t) => {
  const { place } = await newTree(t);
  const abort = new AbortController();
  const endless = async function* (): AsyncIterable<Buffer> {
    const header = Buffer.alloc(512);
    header.write("big");
    for (;;) {
      yield header;
      abort.abort();
    }
  };
  const target = join(place, "target");
  await assert.rejects(packBase(endless(), target, { signal: abort.signal }), { code: "ABORTED" });
  await assert.rejects(readFile(target), { code: "ENOENT" });
});

test("a program that is missing or fails is named with what it said", { skip }, async (t) => {
  const { place, tree, directory } = await newTree(t);
  await usePathPrograms(t, place, { sqfstar: "echo no room >&2; exit 3" });
  await assert.rejects(buildImage({ directory, name: "x", from: tree }), {
    code: "IO_ERROR",
    message: "Cannot pack the image: sqfstar ended with 3: no room",
  });
  await rm(join(place, "path-programs"), { recursive: true });
});
