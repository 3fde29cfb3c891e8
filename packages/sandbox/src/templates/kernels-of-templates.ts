import { readdir } from "node:fs/promises";
import { readTemplateParts } from "./template-description.ts";
import { isTemplateKey } from "./template-key.ts";
import { templatePaths } from "./template-paths.ts";

/** The ids of the kernels that templates were made with. One whose description cannot be read is made anew before it is used, and so counts for none. */
export async function kernelsOfTemplates(directory: string): Promise<Set<string>> {
  const kernels = new Set<string>();
  for (const key of (await readdir(directory)).filter(isTemplateKey)) {
    const parts = await readTemplateParts(templatePaths(directory, key).description);
    if (parts?.kernel !== undefined) kernels.add(parts.kernel);
  }
  return kernels;
}
