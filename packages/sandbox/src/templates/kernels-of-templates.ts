import { readFile, readdir } from "node:fs/promises";
import { isTemplateKey } from "./template-key.ts";
import { templatePaths } from "./template-paths.ts";

/** The ids of the kernels that templates were made with. One whose description cannot be read is made anew before it is used, and so counts for none. */
export async function kernelsOfTemplates(directory: string): Promise<Set<string>> {
  const kernels = new Set<string>();
  for (const key of (await readdir(directory)).filter(isTemplateKey)) {
    const kernel = await kernelOf(templatePaths(directory, key).description);
    if (kernel !== undefined) kernels.add(kernel);
  }
  return kernels;
}

async function kernelOf(description: string): Promise<string | undefined> {
  try {
    const { parts }: { parts?: { kernel?: unknown } } = JSON.parse(
      await readFile(description, "utf8"),
    );
    return typeof parts?.kernel === "string" ? parts.kernel : undefined;
  } catch {
    return undefined;
  }
}
