import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errorText } from "@virga/vm";
import { buildNative, isNativeBuilt, nativePrograms } from "./native-build.ts";

/** Where native programs can come from. */
export interface NativeSources {
  /** Programs built before the package was published, as `virga-<name>`. */
  readonly carried: string;
  /** The checkout's `native` folder. */
  readonly checkout: string;
}

/** How to get native programs ready. */
export interface NativeOptions {
  /** Folder names: `agent`, `launcher`. */
  readonly names: readonly string[];
  /** Where programs built from a checkout are put. */
  readonly outDir: string;
  readonly sources?: NativeSources;
  readonly signal?: AbortSignal | undefined;
}

/** The places this installation has: the same whether it runs from `src` or from `dist`. */
export function nativeSources(): NativeSources {
  const packageRoot = join(import.meta.dirname, "../..");
  return {
    carried: join(packageRoot, "native", process.arch),
    checkout: join(packageRoot, "../../native"),
  };
}

/** True when the programs must be compiled here, because this is a checkout and not a published package. */
export async function buildsNative(sources: NativeSources = nativeSources()): Promise<boolean> {
  return (await programsIn(sources.checkout)).length > 0;
}

/**
 * Gives the path of each native program: built from the checkout's sources where there is a checkout, once per state of the sources; else those the
 * published package carries. `SETUP_FAILED` when a program cannot be built or is not carried for this processor.
 */
export async function ensureNative(options: NativeOptions): Promise<Record<string, string>> {
  const { names, outDir, sources = nativeSources(), signal } = options;
  const buildable = await programsIn(sources.checkout);
  if (buildable.length === 0) return carriedPrograms(names, sources.carried);
  try {
    const built = await buildNative({
      sourceDir: sources.checkout,
      outDir,
      only: names,
      ...(signal && { signal }),
    });
    return Object.fromEntries(built.map(({ name, path }) => [name, path]));
  } catch (cause) {
    throw new VirgaError("SETUP_FAILED", errorText(cause), { cause, details: { names } });
  }
}

/** Tells whether {@link ensureNative} would have nothing to do, without doing anything. */
export async function isNativeReady(options: NativeOptions): Promise<boolean> {
  const { names, outDir, sources = nativeSources() } = options;
  if (await buildsNative(sources)) {
    return isNativeBuilt({ sourceDir: sources.checkout, outDir, only: names });
  }
  return carriedPrograms(names, sources.carried).then(
    () => true,
    () => false,
  );
}

/** Files and folders that the programs are made from: a change of any of them may change the programs. */
export function nativeInputs(
  names: readonly string[],
  sources: NativeSources = nativeSources(),
): string[] {
  return [sources.carried, ...[...names, "common"].map((name) => join(sources.checkout, name))];
}

async function carriedPrograms(
  names: readonly string[],
  directory: string,
): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const name of names) {
    const path = join(directory, `virga-${name}`);
    await access(path, constants.X_OK).catch((cause: unknown) => {
      throw new VirgaError(
        "SETUP_FAILED",
        `Cannot find the program ${name}: this package carries none for ${process.arch} at ${path}`,
        { cause, details: { path } },
      );
    });
    paths[name] = path;
  }
  return paths;
}

async function programsIn(directory: string): Promise<string[]> {
  try {
    return await nativePrograms(directory);
  } catch {
    // No such folder: not a checkout.
    return [];
  }
}
