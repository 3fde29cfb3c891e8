import { readFile } from "node:fs/promises";
import type { TemplateParts } from "./template-key.ts";

/** Reads out of `template.json` what others ask for. Undefined when it cannot be read: such a template is made anew before it is used. */
export async function readTemplateParts(
  path: string,
): Promise<Partial<Pick<TemplateParts, "image" | "kernel">> | undefined> {
  try {
    const value: { parts?: { image?: unknown; kernel?: unknown } } = JSON.parse(
      await readFile(path, "utf8"),
    );
    const { image, kernel } = value.parts ?? {};
    return {
      ...(typeof image === "string" && { image }),
      ...(typeof kernel === "string" && { kernel }),
    };
  } catch {
    return undefined;
  }
}
