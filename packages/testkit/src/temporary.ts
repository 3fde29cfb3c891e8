import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";

/** Makes a directory that is removed when the test ends. */
export async function useTemporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "virga-test-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Puts shell scripts first on this process's PATH until the test ends, in place of the system's programs of these names. Gives their folder.
 * For test files that run one test at a time, as node's runner does.
 */
export async function usePathPrograms(
  context: TestContext,
  directory: string,
  scripts: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = join(directory, "path-programs");
  await mkdir(folder, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const before = process.env["PATH"];
  process.env["PATH"] = [folder, before].join(delimiter);
  context.after(() => {
    process.env["PATH"] = before;
  });
  return folder;
}
