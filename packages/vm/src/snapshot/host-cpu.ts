import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

let model: string | undefined;

/** The host's processor: its model, and a short hash of its feature flags, which a guest's state depends on. */
export function hostCpu(): string {
  if (model === undefined) {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    const name = /^model name\s*:\s*(.+)$/mu.exec(text)?.[1] ?? "unknown";
    const flags = /^(?:flags|Features)\s*:\s*(.+)$/mu.exec(text)?.[1] ?? "";
    model = `${name} (flags ${createHash("sha256").update(flags).digest("hex").slice(0, 12)})`;
  }
  return model;
}
