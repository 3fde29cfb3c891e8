import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "./prerequisite.ts";

/** Why this process cannot mount file systems, as a test's `skip`; `false` when it can. Found out by trying: uid 0 says little in a container. */
export function mountsMissing(): false | string {
  const directory = mkdtempSync(join(tmpdir(), "virga-mount-"));
  try {
    const tried = spawnSync("mount", ["-t", "tmpfs", "tmpfs", directory], { encoding: "utf8" });
    if (tried.status !== 0)
      return prerequisite("mounts", tried.stderr.trim() || "no mount program");
    spawnSync("umount", [directory]);
    return prerequisite("mounts", undefined);
  } finally {
    rmdirSync(directory);
  }
}
