import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError } from "@virga/vm";
import { makePartial } from "./publish.ts";
import { runTool } from "./run-tool.ts";

const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** A package that was unpacked and not installed. */
export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** The package's files, as they would lie below `/`. */
  readonly tree: string;
}

/** How to fetch packages. */
export interface DebPackageOptions {
  /** Where to download and unpack, in a folder of its own that is removed afterwards. */
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

/**
 * Downloads Debian packages and unpacks them into one temporary tree, for `use` to take what it needs from; the tree is gone afterwards. Nothing is
 * installed, so any user can do it. Gives what `use` gives. `SETUP_FAILED` when a package is unknown or cannot be downloaded.
 */
export async function withUnpackedPackages<T>(
  names: readonly [string, ...string[]],
  options: DebPackageOptions,
  use: (unpacked: UnpackedPackage) => Promise<T>,
): Promise<T> {
  const [name] = names;
  const { signal, onLine } = options;
  const cwd = await makePartial(options.directory);
  const tree = join(cwd, "tree");
  try {
    // Without the option apt, as root, warns that its own user cannot write into the folder, which is private.
    await runTool("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", ...names], {
      what: `download ${names.join(", ")}`,
      cwd,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      signal,
      ...(onLine && { onLine }),
    });
    const archives = (await readdir(cwd)).filter((file) => file.endsWith(".deb"));
    let version = "";
    for (const archive of archives) {
      const what = `unpack ${archive}`;
      const fields = await runTool("dpkg-deb", ["-f", archive, "Package", "Version"], {
        what,
        cwd,
        signal,
      });
      const text = fields.toString("utf8");
      if (text.includes(`Package: ${name}\n`)) version = /^Version: (.+)$/mu.exec(text)?.[1] ?? "";
      await runTool("dpkg-deb", ["-x", archive, tree], { what, cwd, signal });
    }
    if (version === "") {
      throw new VirgaError(
        "SETUP_FAILED",
        `Cannot unpack ${name}: apt-get downloaded no file for it`,
      );
    }
    return await use({ name, version, tree });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** The names of the packages that `name` depends on, best first. `SETUP_FAILED` with apt's words when apt does not know it, or cannot tell. */
export async function packageDependencies(name: string, signal?: AbortSignal): Promise<string[]> {
  const args = ["depends", "--no-recommends", "--no-suggests", name];
  const what = `look up the package ${name}`;
  const output = await runTool("apt-cache", args, { what, env: { LC_ALL: "C.UTF-8" }, signal });
  return [...output.toString("utf8").matchAll(/^\s*\|?Depends: (\S+)$/gmu)].map(
    (match) => match[1] ?? "",
  );
}

/** The version of a package that would be installed. `SETUP_FAILED` when apt does not know it, or cannot tell. */
export async function packageVersion(name: string, signal?: AbortSignal): Promise<string> {
  const what = `look up the version of ${name}`;
  const args = ["show", "--no-all-versions", name];
  const output = await runTool("apt-cache", args, { what, env: { LC_ALL: "C.UTF-8" }, signal });
  const [, version] = /^Version: (\S+)$/mu.exec(output.toString("utf8")) ?? [];
  if (version !== undefined) return version;
  throw new VirgaError("SETUP_FAILED", `Cannot ${what}: apt-cache told none`);
}
