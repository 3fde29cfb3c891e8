// Builds native programs for the tests that lie beside their sources.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { prerequisite } from "@virga/testkit";
import { buildNative } from "../packages/sandbox/src/setup/native-build.ts";

const sourceDir = fileURLToPath(new URL(".", import.meta.url));

/** Reason to skip what compiles C. */
export const compilerSkip: false | string = prerequisite(
  "compiler",
  ["musl-gcc", "gcc"].every((name) => spawnSync(name, ["--version"]).status === 0)
    ? undefined
    : "musl-gcc or gcc is not installed",
);

/** Builds the program of a folder of `native`, with sanitizers or static as it is shipped; gives its path. */
export async function nativeTestProgram(folder: string, sanitize: boolean): Promise<string> {
  const [program] = await buildNative({
    sourceDir,
    outDir: `${sourceDir}build`,
    only: [folder],
    sanitize,
  });
  if (program === undefined) throw new Error(`${folder} was not built`);
  return program.path;
}
