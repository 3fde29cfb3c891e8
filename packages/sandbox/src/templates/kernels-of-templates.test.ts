import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { kernelsOfTemplates } from "./kernels-of-templates.ts";
import { templatePaths } from "./template-paths.ts";

test("each kernel is named once, and what is no whole template names none", async (t) => {
  const root = await useTemporaryDirectory(t);
  const template = async (digit: string, content: string): Promise<void> => {
    const { directory, description } = templatePaths(root, digit.repeat(32));
    await mkdir(directory);
    await writeFile(description, content);
  };
  await template("a", '{"parts":{"kernel":"one"}}');
  await template("b", '{"parts":{"kernel":"one"}}');
  await template("c", '{"parts":{"kernel":"two"}}');
  await template("d", '{"parts":{"kernel":7}}');
  await template("e", "null");
  await template("f", '{"parts":');
  await mkdir(templatePaths(root, "0".repeat(32)).directory);
  await mkdir(join(root, "other"));
  await writeFile(join(root, "other", "template.json"), '{"parts":{"kernel":"three"}}');
  assert.deepEqual([...(await kernelsOfTemplates(root))].toSorted(), ["one", "two"]);
});
