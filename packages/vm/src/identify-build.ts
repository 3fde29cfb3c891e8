import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errnoOf } from "./errors.ts";
import type { CallOptions, HypervisorBuild, HypervisorDriver } from "./hypervisor/port.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

/**
 * Asks a hypervisor binary who it is, or reads what it said last time: the answer is kept in `cacheDirectory`, by the binary's path, size, inode and times,
 * because asking costs a process start on the way to every VM.
 */
export async function identifyBuild(
  driver: HypervisorDriver,
  binary: string,
  cacheDirectory: string,
  options: CallOptions,
): Promise<HypervisorBuild> {
  const fingerprint = await fingerprintOf(driver, binary);
  const path = join(
    cacheDirectory,
    `${driver.name}-${createHash("sha256").update(fingerprint).digest("hex").slice(0, 16)}.json`,
  );
  const cached = await readCached(path);
  if (cached !== undefined && cached.name === driver.name && cached.binary === binary)
    return cached;
  const build = await driver.identify(binary, options);
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, JSON.stringify(build), { durable: false });
  return build;
}

async function fingerprintOf(driver: HypervisorDriver, binary: string): Promise<string> {
  try {
    const { size, ino, mtimeMs, ctimeMs } = await stat(binary);
    return [driver.fingerprint ?? "", binary, size, ino, mtimeMs, ctimeMs].join("|");
  } catch (error) {
    const missing = errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
    throw new VirgaError(
      "HYPERVISOR_MISSING",
      `Hypervisor binary ${binary} ${missing ? "does not exist" : "cannot be read"}`,
      {
        cause: error,
        details: { binary, hypervisor: driver.name },
      },
    );
  }
}

async function readCached(path: string): Promise<HypervisorBuild | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as HypervisorBuild;
    return typeof value.version === "string" && Array.isArray(value.numbers) ? value : undefined;
  } catch {
    return undefined;
  }
}
