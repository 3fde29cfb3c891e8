import { createHash } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { useTemporaryDirectory } from "@virga/testkit";
import { IMAGE_FORMAT } from "../src/images/image-record.ts";
import type { ImageRecord } from "../src/images/image-record.ts";
import { ImageStore } from "../src/images/image-store.ts";

/** The digest of a text. */
export function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** Writes `text` as a base file and gives its record: no file system, but all that a store cares for. */
export function buildText(text: string, createdAt = "2026-01-01T00:00:00.000Z") {
  return async (base: string): Promise<ImageRecord> => {
    await writeFile(base, text);
    return {
      format: IMAGE_FORMAT,
      digest: digestOf(text),
      createdAt,
      source: `text ${text}`,
      user: "",
      workdir: "/",
      environment: {},
      command: [],
      base: { bytes: text.length, sha256: digestOf(text).slice(7) },
    };
  };
}

/** What is in a store beside locks and tags. */
export async function imagesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !name.endsWith(".lock") && name !== "tags");
}

/** A store with one image of this name in it. */
export async function storeWith(
  t: TestContext,
  name: string,
): Promise<{ readonly directory: string; readonly store: ImageStore; readonly digest: string }> {
  const directory = join(await useTemporaryDirectory(t), "images");
  const store = new ImageStore({ directory });
  const digest = digestOf(name);
  await store.ensure(digest, { name, build: buildText(name) });
  return { directory, store, digest };
}
