import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { isVirgaError } from "@virga/vm";
import { namesIn } from "../names-in.ts";
import { runTool } from "./run-tool.ts";

const run = promisify(execFile);
const COMPILE_TIMEOUT_MS = 10 * 60_000;

const warnings = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
const release = {
  compiler: "musl-gcc", // Programs share `common`, and carry only what they use of it.
  flags: [
    ...warnings,
    "-O2",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wl,--gc-sections",
    "-static",
    "-s",
  ],
};
// glibc: musl has no address sanitizer.
const sanitized = {
  compiler: "gcc",
  flags: [...warnings, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
};

/** Where to build native programs from, and how. */
export interface NativeBuildOptions {
  /** The folder whose sub-folders each hold one program's `*.c`; `common/` holds what all of them share. */
  readonly sourceDir: string;
  /** Where the programs are put, each under a name that carries the hash of its sources. */
  readonly outDir: string;
  /** Builds with the address and undefined-behaviour sanitizers against glibc, for tests. Default false. */
  readonly sanitize?: boolean;
  /** Builds only these, by folder (`agent`, `launcher`; a test's own program: `common/fuzz`); default all programs. */
  readonly only?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A native program that is ready to run. */
export interface BuiltProgram {
  /** The folder it was built from: `agent`, `launcher`, `common/fuzz`. */
  readonly name: string;
  readonly path: string;
  /** False when a program of the same sources, flags and compiler was there already. */
  readonly built: boolean;
}

/** Lists the programs that can be built from `sourceDir`: its sub-folders with C files, `common` excepted. */
export async function nativePrograms(sourceDir: string): Promise<string[]> {
  const entries = await readdir(sourceDir, { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name === "common" || entry.name === "build") continue;
    if ((await filesWith(join(sourceDir, entry.name), ".c")).length > 0) names.push(entry.name);
  }
  return names.toSorted();
}

/**
 * Builds the native programs, each once per state of its sources, flags and compiler: `<name>-<hash16>` appears in
 * `outDir` by rename, so that processes building at the same time do not disturb each other.
 *
 * Fails when the compiler is missing (names the package to install) or finds fault (carries its messages).
 */
export async function buildNative(options: NativeBuildOptions): Promise<BuiltProgram[]> {
  const sourceDir = resolve(options.sourceDir);
  const outDir = resolve(options.outDir);
  const available = await nativePrograms(sourceDir);
  const unknown: string[] = [];
  for (const name of options.only ?? []) {
    if ((await filesWith(join(sourceDir, name), ".c")).length === 0) unknown.push(name);
  }
  if (unknown.length > 0) {
    throw new Error(
      `Cannot build ${unknown.join(", ")}: no C files in ${sourceDir}; there are ${available.join(", ") || "none"}`,
    );
  }
  await mkdir(outDir, { recursive: true });
  const programs: BuiltProgram[] = [];
  for (const name of options.only ?? available) {
    programs.push(await buildOne(name, sourceDir, outDir, options));
  }
  return programs;
}

/**
 * Tells whether {@link buildNative} would find every program built already. Compiles nothing; false as well when the compiler is missing, because what it would
 * build is then not known.
 */
export async function isNativeBuilt(options: NativeBuildOptions): Promise<boolean> {
  const sourceDir = resolve(options.sourceDir);
  const outDir = resolve(options.outDir);
  try {
    for (const name of options.only ?? (await nativePrograms(sourceDir))) {
      if (!(await exists((await plan(name, sourceDir, outDir, options)).path))) return false;
    }
    return true;
  } catch {
    return false;
  }
}

interface BuildPlan {
  readonly path: string;
  readonly sources: readonly string[];
}

async function plan(
  name: string,
  sourceDir: string,
  outDir: string,
  options: NativeBuildOptions,
): Promise<BuildPlan> {
  const { compiler, flags } = options.sanitize ? sanitized : release;
  const common = join(sourceDir, "common");
  const sources = [
    ...(await filesWith(join(sourceDir, name), ".c")),
    ...(await filesWith(common, ".c")),
  ];
  const headers = [
    ...(await filesWith(join(sourceDir, name), ".h")),
    ...(await filesWith(common, ".h")),
  ];
  const hash = createHash("sha256");
  hash.update(JSON.stringify([compiler, flags, await compilerVersion(compiler), process.arch]));
  for (const file of [...sources, ...headers]) {
    const content = await readFile(file);
    hash.update(`\0${relative(sourceDir, file)}\0${content.length}\0`).update(content);
  }
  const suffix = options.sanitize ? "-sanitized" : "";
  const title = `virga-${name.replaceAll("/", "-")}${suffix}`;
  const path = join(outDir, `${title}-${hash.digest("hex").slice(0, 16)}`);
  return { path, sources };
}

async function buildOne(
  name: string,
  sourceDir: string,
  outDir: string,
  options: NativeBuildOptions,
): Promise<BuiltProgram> {
  const { path, sources } = await plan(name, sourceDir, outDir, options);
  if (await exists(path)) return { name, path, built: false };

  const { compiler, flags } = options.sanitize ? sanitized : release;
  const common = join(sourceDir, "common");
  const work = await mkdtemp(join(outDir, `.partial-${name.replaceAll("/", "-")}-`));
  try {
    const include = await kernelHeaders(work);
    const output = join(work, "program");
    const args = [...flags, "-I", common, "-idirafter", include, "-o", output, ...sources];
    await compile(name, compiler, args, options.signal);
    await rename(output, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { name, path, built: true };
}

async function compile(
  name: string,
  compiler: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await runTool(compiler, args, {
      what: `build ${name}`,
      timeoutMs: COMPILE_TIMEOUT_MS,
      ...(signal && { signal }),
    });
  } catch (cause) {
    if (!isVirgaError(cause) || cause.code !== "SETUP_FAILED") throw cause;
    const said = typeof cause.details["tail"] === "string" ? cause.details["tail"].trim() : "";
    throw new Error(`Cannot build ${name} with ${compiler}${said && `:\n${said}`}`, { cause });
  }
}

// musl-gcc sees only musl's own headers; the kernel's are offered last so that they never hide those.
async function kernelHeaders(work: string): Promise<string> {
  const include = join(work, "include");
  await mkdir(include);
  const machine = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch as string];
  for (const folder of ["linux", "asm-generic", "mtd", "rdma", "scsi", "sound", "video"]) {
    await symlink(join("/usr/include", folder), join(include, folder));
  }
  const multiarch = join("/usr/include", machine ?? process.arch, "asm");
  await symlink((await exists(multiarch)) ? multiarch : "/usr/include/asm", join(include, "asm"));
  return include;
}

async function compilerVersion(compiler: string): Promise<string> {
  try {
    return (await run(compiler, ["--version"])).stdout.split("\n", 1)[0] ?? "";
  } catch (cause) {
    const packages = compiler === "musl-gcc" ? "musl-tools, gcc and linux-libc-dev" : "gcc";
    throw new Error(`Cannot run the compiler ${compiler}: install ${packages}`, { cause });
  }
}

async function filesWith(directory: string, suffix: string): Promise<string[]> {
  return (await namesIn(directory))
    .filter((name) => name.endsWith(suffix))
    .toSorted()
    .map((name) => join(directory, name));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
