import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { snapshotsInUse } from "@virga/vm";
import { BUILT_IN_NAMES } from "../images/own-images.ts";
import { ImageStore } from "../images/image-store.ts";
import { dropTemplate } from "../templates/drop-templates.ts";
import { readTemplateParts } from "../templates/template-description.ts";
import { isTemplateKey } from "../templates/template-key.ts";
import { templatePaths } from "../templates/template-paths.ts";
import { treeSize } from "../tree-size.ts";
import type { Garbage, GarbageTools } from "./garbage.ts";
import { leftover } from "./leftover.ts";

/** Templates that will never be used again, because their image or their kernel is gone, and what interrupted processes left of templates. */
export async function staleTemplates(tools: GarbageTools): Promise<Garbage[]> {
  const { home, logger } = tools;
  const root = home.templates;
  const images = new Set(BUILT_IN_NAMES);
  for (const { record } of await new ImageStore({ directory: home.images }).list())
    images.add(`${record.digest} ${record.base.sha256}`);
  const inUse = await snapshotsInUse(home.vms);
  const found: Garbage[] = [];
  for (const name of await readdir(root)) {
    const half = /^\.(?:building|dropping)-([0-9a-f]{32})$/u.exec(name)?.[1];
    if (half !== undefined) {
      const { lock } = templatePaths(root, half);
      found.push(
        ...(await leftover({ kind: "template", id: half, lock, directory: join(root, name) })),
      );
    }
    if (!isTemplateKey(name)) continue;
    const paths = templatePaths(root, name);
    const parts = await readTemplateParts(paths.description);
    if (inUse.has(paths.snapshot) || parts === undefined) continue;
    const { image, kernel } = parts;
    const isImageGone = image !== undefined && !images.has(image);
    const isKernelGone = kernel !== undefined && !existsSync(join(home.kernel, kernel));
    if (!isImageGone && !isKernelGone) continue;
    found.push({
      kind: "template",
      id: name,
      reason: isImageGone ? "its image is gone" : "its kernel is gone",
      bytes: (await treeSize(paths.directory)).realBytes,
      remove: () =>
        dropTemplate({ directory: root, inUse: () => snapshotsInUse(home.vms), logger }, name),
    });
  }
  return found;
}
