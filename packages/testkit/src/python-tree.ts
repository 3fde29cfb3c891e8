import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Prints the files that `python3 -` needs for what the script imports, one on each line. */
const LIST_FILES = `
import math, os, struct, sys, zlib, encodings
print(sys.executable)
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None): print(module.__file__)
print(os.path.dirname(encodings.__file__))`;

/** Copies this machine's python3 into a directory that an image can be made of, with the little of its library that `math`, `struct` and `zlib` need. */
export function pythonTree(directory: string): void {
  const files = lines("python3", ["-I", "-c", LIST_FILES]);
  const program = realpathSync(files[0] ?? "");
  const libraries = [program, ...files.filter((file) => file.endsWith(".so"))].flatMap((file) =>
    lines("ldd", [file]).flatMap((line) => /(\/\S+)/u.exec(line.replace(/^.*=>/u, ""))?.[1] ?? []),
  );
  for (const file of new Set([...files.slice(1), ...libraries])) {
    copy(file, join(directory, file));
  }
  copy(program, join(directory, "usr/bin/python3"));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(realpathSync(from), to, { recursive: true });
}

function lines(program: string, args: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout.trimEnd().split("\n");
}
