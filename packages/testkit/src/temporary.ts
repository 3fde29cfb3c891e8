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

/** Sets a variable of this process's environment until the test ends; undefined removes it. For test files that run one test at a time. */
export function useVariable(context: TestContext, name: string, value: string | undefined): void {
  const before = process.env[name];
  setVariable(name, value);
  context.after(() => setVariable(name, before));
}

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
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
  useVariable(context, "PATH", [folder, process.env["PATH"]].join(delimiter));
  return folder;
}

/** What such a script says to go on as the system's program of that name, with its own arguments. */
export function realProgram(name: string): string {
  return `PATH=$(printf %s "$PATH" | cut -d: -f2-) exec ${name} "$@"`;
}
