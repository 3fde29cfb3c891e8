import assert from "node:assert/strict";
import { open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { craftLayer } from "../../../test/container-images.ts";
import type { CraftedEntry } from "../../../test/container-images.ts";
import { flattenLayers } from "./flatten-layers.ts";
import { readTar } from "./read-tar.ts";
import type { TarEntry } from "./tar-entry.ts";

interface Flattened extends TarEntry {
  readonly content: string;
}

const dir = (path: string, mode = 0o755): CraftedEntry => ({ path, type: "directory", mode });
const file = (path: string, content = path): CraftedEntry => ({ path, content });
const symlink = (path: string, target: string): CraftedEntry => ({ path, type: "symlink", target });
const hardlink = (path: string, target: string): CraftedEntry => ({ path, type: "link", target });

/** Lays crafted layers over each other and gives what comes out, as another reader sees it. */
async function flatten(
  t: TestContext,
  layers: readonly (readonly CraftedEntry[])[],
  directories: readonly string[] = [],
): Promise<Flattened[]> {
  const place = await useTemporaryDirectory(t);
  const paths: string[] = [];
  for (const [index, entries] of layers.entries()) {
    paths.push(join(place, `layer-${index}`));
    await writeFile(paths[index] ?? "", craftLayer(entries));
  }
  const chunks: Buffer[] = [];
  for await (const chunk of flattenLayers(paths, { directories })) chunks.push(chunk);
  const merged = join(place, "merged");
  const bytes = Buffer.concat(chunks);
  await writeFile(merged, bytes);
  assert.equal((await readdir(place)).length, layers.length + 1, "nothing else is written");
  const handle = await open(merged);
  try {
    const entries: Flattened[] = [];
    for await (const entry of readTar(handle)) {
      const content = bytes.toString("latin1", entry.offset, entry.offset + entry.size);
      entries.push({ ...entry, content });
    }
    return entries;
  } finally {
    await handle.close();
  }
}

/** One line an entry: its path and what is there. */
const lines = (entries: readonly Flattened[]): string[] =>
  entries.map(({ path, type, target, content }) => {
    if (type === "directory") return path;
    return type === "file" ? `${path} = ${content}` : `${path} ${type} ${target}`;
  });

test("a whiteout removes what lower layers have, and nothing of its own layer", async (t) => {
  const entries = await flatten(t, [
    [dir("a"), file("a/one"), file("a/two"), dir("a/deep"), file("a/deep/x"), file("top")],
    [file("a/.wh.one", ""), file("a/.wh.deep", ""), file(".wh.top", ""), file(".wh.absent", "")],
    [file("a/two", "new"), file("a/.wh.two", ""), file("none/.wh.x", "")],
  ]);
  assert.deepEqual(lines(entries), ["a/", "a/two = new"]);
});

test("an opaque directory hides all that lower layers have in it, wherever the mark stands", async (t) => {
  const entries = await flatten(t, [
    [dir("d"), file("d/old"), dir("d/sub"), file("d/sub/old"), file("e")],
    [file("d/new"), file("d/.wh..wh..opq", ""), file(".wh..wh.plnk", "")],
  ]);
  assert.deepEqual(lines(entries), ["d/", "d/new = d/new", "e = e"]);
});

test("a layer swaps files, directories and links, and keeps what a directory it names again has", async (t) => {
  const entries = await flatten(t, [
    [
      file("to-dir"),
      dir("to-file"),
      file("to-file/x"),
      dir("kept", 0o700),
      file("kept/x"),
      symlink("l", "kept"),
    ],
    [dir("to-dir"), file("to-dir/y"), file("to-file"), dir("kept", 0o1777), dir("l"), file("l/z")],
  ]);
  assert.deepEqual(lines(entries), [
    "kept/", "kept/x = kept/x", "l/", "l/z = l/z", "to-dir/", "to-dir/y = to-dir/y", "to-file = to-file",
  ]); // prettier-ignore
  assert.equal(entries[0]?.mode, 0o1777);
});

test("links on the way to a path lead within the tree, also those that would leave it", async (t) => {
  const entries = await flatten(t, [
    [
      dir("usr"),
      dir("usr/bin"),
      symlink("bin", "usr/bin"),
      symlink("up", "../../../usr"),
      symlink("abs", "/usr/bin"),
    ],
    [file("bin/a"), file("up/b"), file("abs/c"), file("bin/gone")],
    [file("abs/.wh.gone", "")],
  ]);
  assert.deepEqual(lines(entries).filter((line) => line.includes("=")), [
    "usr/b = up/b", "usr/bin/a = bin/a", "usr/bin/c = abs/c",
  ]); // prettier-ignore
});

test("names of one file stay one file, across layers and when the first of them goes", async (t) => {
  const entries = await flatten(t, [
    [file("b", "content"), hardlink("c", "./b"), symlink("s", "b"), hardlink("t", "s")],
    [hardlink("d", "/c"), file(".wh.b", ""), file("e")],
    [file("c", "other")],
  ]);
  assert.deepEqual(lines(entries), [
    "c = other",
    "d = content",
    "e = e",
    "s symlink b",
    "t link s",
  ]);
  const shared = await flatten(t, [[file("x", "1")], [hardlink("a", "x")], [hardlink("y", "a")]]);
  assert.deepEqual(lines(shared), ["a = 1", "x link a", "y link a"]);
});

test("owners, modes, times, devices and attributes are kept, byte by byte", async (t) => {
  const name = `${"d/".repeat(60)}caf\u00c3\u00a9\u00ff`;
  const capability = "\u0001\0\0\u0002\0 \0\0\u0000\n=\u00ff";
  const given: CraftedEntry[] = [
    { path: "su", mode: 0o6755, uid: 4_000_000_000, gid: 3, mtime: 1_700_000_000, content: "x" },
    { path: "null", type: "character", mode: 0o666, major: 1, minor: 3 },
    { path: "disk", type: "block", major: 8, minor: 17 },
    { path: "pipe", type: "fifo", mode: 0o600, mtime: -5 },
    {
      path: "cap",
      xattrs: new Map([
        ["security.capability", capability],
        ["user.note", "n\u00c3\u00bc"],
        ["trusted.overlay.opaque", "y"],
      ]),
    },
    { path: name, content: "deep" },
    { path: "long", type: "symlink", target: "/t".repeat(200) },
  ];
  const entries = await flatten(t, [given]);
  const by = (path: string): Flattened =>
    entries.find((each) => each.path === path) ?? assert.fail(path);
  const { mode, uid, gid, mtime } = by("su");
  assert.deepEqual([mode, uid, gid, mtime], [0o6755, 4_000_000_000, 3, 1_700_000_000]);
  assert.deepEqual([by("null").type, by("null").major, by("null").minor], ["character", 1, 3]);
  assert.deepEqual([by("disk").type, by("disk").major, by("disk").minor], ["block", 8, 17]);
  assert.deepEqual([by("pipe").type, by("pipe").mtime], ["fifo", -5]);
  assert.deepEqual(
    [...by("cap").xattrs],
    [
      ["security.capability", capability],
      ["user.note", "n\u00c3\u00bc"],
    ],
  );
  assert.equal(by(name).content, "deep");
  assert.equal(by("long").target, "/t".repeat(200));
});

test("directories that nobody describes are made, those of the image's settings too", async (t) => {
  const layers = [[file("./a/b"), symlink("home", "data"), file("etc")]];
  const entries = await flatten(t, layers, ["/", "/home/u", "/etc", "/a/b/c"]);
  assert.deepEqual(lines(entries), [
    "a/", "a/b = ./a/b", "data/", "data/u/", "etc = etc", "home symlink data",
  ]); // prettier-ignore
  assert.deepEqual([entries[0]?.mode, entries[0]?.uid], [0o755, 0]);
});

test("hostile layers are refused", async (t) => {
  const refused: [string, readonly CraftedEntry[], RegExp][] = [
    ["a path that climbs", [file("../x")], /the path \.\.\/x leads elsewhere/],
    ["a path that climbs later", [file("a/../../x")], /leads elsewhere/],
    ["a whiteout that climbs", [file("../.wh.x", "")], /leads elsewhere/],
    ["a link to what climbs", [hardlink("x", "../../etc/shadow")], /leads elsewhere/],
    [
      "a link to nothing",
      [hardlink("x", "/etc/shadow")],
      /x is a link to \/etc\/shadow, which is not there/,
    ],
    ["a link to a directory", [dir("d"), hardlink("x", "d")], /which is not there/],
    ["links in a circle", [symlink("a", "b"), symlink("b", "a"), file("a/x")], /circle/],
    ["a root that is a file", [file(".")], /root is not a directory/],
    ["a path that is too long", [file("x/".repeat(2500))], /a path is \d+ bytes long/],
    ["a NUL in a name", [file(`${"x".repeat(120)}\0y`)], /NUL/],
  ];
  for (const [name, entries, message] of refused) {
    await assert.rejects(flatten(t, [entries]), { code: "IO_ERROR", message }, name);
  }
  const deeper = Array.from({ length: 6 }, (_, index) => [
    symlink("a", index === 0 ? "" : "x/".repeat(450 * index)),
    file(`a/${"x/".repeat(450)}y`),
  ]);
  await assert.rejects(flatten(t, deeper), { code: "IO_ERROR" }, "nested without end");
});
