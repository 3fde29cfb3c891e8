import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import {
  imageToolsMissing,
  realProgram,
  usePathPrograms,
  useTemporaryDirectory,
} from "@virga/testkit";
import { ImageStore } from "../src/images/image-store.ts";

const skip = imageToolsMissing("sqfstar");
const module = new URL("../src/images/build-image.ts", import.meta.url).href;

async function newPlace(t: TestContext) {
  const place = await useTemporaryDirectory(t);
  const tree = join(place, "tree");
  await mkdir(tree);
  await writeFile(join(tree, "file"), "content");
  await writeFile(join(place, "calls"), "");
  return { place, tree, directory: join(place, "images"), calls: join(place, "calls") };
}

/** Builds the image in a process of its own. */
function startBuild(directory: string, tree: string, name: string): ChildProcess {
  const options = JSON.stringify({ directory, name, from: tree });
  const script = `const { buildImage } = await import(${JSON.stringify(module)});
    const { built } = await buildImage(${options}); console.log(built);`;
  const flags = ["--conditions=virga-source", "--input-type=module", "--eval", script];
  return spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
}

test("three processes that build the same image pack it once", { skip }, async (t) => {
  const { place, tree, directory, calls } = await newPlace(t);
  const script = `printf x >> ${calls}; ${realProgram("sqfstar")}`;
  await usePathPrograms(t, place, { sqfstar: script });
  const children = ["a", "b", "c"].map((name) => startBuild(directory, tree, name));
  const outputs = await Promise.all(
    children.map(async (child) => {
      const [[chunk], [code]] = await Promise.all([
        once(child.stdout ?? assert.fail(), "data"),
        once(child, "close"),
      ]);
      assert.equal(code, 0);
      return String(chunk).trim();
    }),
  );
  assert.deepEqual(outputs.toSorted(), ["false", "false", "true"]);
  assert.equal(await readFile(calls, "utf8"), "x");
  const [image] = await new ImageStore({ directory }).list();
  assert.deepEqual(image?.names, ["a", "b", "c"]);
});
