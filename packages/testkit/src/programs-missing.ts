import { spawnSync } from "node:child_process";
import { prerequisite } from "./prerequisite.ts";

/** Why tests that make images cannot run here, as a test's `skip`; `false` when the machine has these programs. */
export function imageToolsMissing(...programs: readonly string[]): false | string {
  const missing = programs.filter(
    (program) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status !== 0,
  );
  const why = missing.length === 0 ? undefined : `there is no ${missing.join(", ")}`;
  return prerequisite("image tools", why);
}

/** Why what needs python3 cannot be tested here, as a test's `skip`; `false` when it can. */
export function pythonMissing(): false | string {
  const isThere = spawnSync("python3", ["--version"]).status === 0;
  return prerequisite("python3", isThere ? undefined : "python3 is not installed");
}
