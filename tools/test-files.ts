import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The tier a test file belongs to, as its name says: `x.test.ts` is fast, `x.vm.test.ts` is vm, and so on. */
export type FileTier = "fast" | "vm" | "lab" | "long";

const folders = ["packages", "native", "tools", "lab", "bench", "examples", "docs"];
const ignored = new Set(["node_modules", "dist", "build"]);

/** Tells the tier of a test file by its name, or `undefined` for a file that holds no tests. */
export function tierOf(file: string): FileTier | undefined {
  const match = /(?:\.(vm|lab|long))?\.test\.ts$/.exec(file);
  if (match === null) return undefined;
  return (match[1] as FileTier | undefined) ?? "fast";
}

/** Tells whether a long test runs inside the lab, on Cloud Hypervisor: `x.lab.long.test.ts`. */
export function isLongInLab(file: string): boolean {
  return file.endsWith(".lab.long.test.ts");
}

/** Finds the test files of the given tiers below `root`, as sorted relative paths. */
export function findTestFiles(root: string, tiers: readonly FileTier[]): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const tier = tierOf(entry.name);
      if (entry.isDirectory() && !ignored.has(entry.name)) walk(path);
      else if (entry.isFile() && tier !== undefined && tiers.includes(tier)) found.push(path);
    }
  };
  const present = new Set(readdirSync(root));
  for (const folder of folders) if (present.has(folder)) walk(folder);
  return found.toSorted();
}

/** Takes the `index`-th (from 1) of `count` equal shares of `files`; together the shares are all of them. */
export function takeShard<T>(files: readonly T[], index: number, count: number): T[] {
  return files.filter((_, position) => position % count === index - 1);
}
