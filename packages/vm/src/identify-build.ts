import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errnoOf } from "./errors.ts";
import type {
  CallOptions,
  HypervisorBinary,
  HypervisorBuild,
  HypervisorDriver,
} from "./hypervisor/port.ts";
import { writeFileAtomic } from "./write-file-atomic.ts";

/**
 * Asks a hypervisor binary who it is and what it can, or reads what it said last time: the answer is kept in `cacheDirectory`, by the binary's path, size,
 * inode and times, because asking costs starts of it (20 ms and more each) on the way to every VM. An answer that lacks what is asked for today is no answer.
 */
export async function identifyBuild(
  driver: HypervisorDriver,
  binary: string,
  cacheDirectory: string,
  options: CallOptions,
): Promise<HypervisorBuild> {
  const fingerprint = await fingerprintOf(driver, binary);
  const { accelerator } = driver;
  const path = join(
    cacheDirectory,
    `${driver.name}-${createHash("sha256").update(fingerprint).digest("hex").slice(0, 16)}.json`,
  );
  const cached = await readCached(path);
  if (cached !== undefined && cached.name === driver.name && cached.binary === binary)
    return { ...cached, accelerator };
  const asked = await driver.identify(binary, options);
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, JSON.stringify(asked), { durable: false });
  return { ...asked, accelerator };
}

async function fingerprintOf(driver: HypervisorDriver, binary: string): Promise<string> {
  try {
    const { size, ino, mtimeMs, ctimeMs } = await stat(binary);
    return [binary, size, ino, mtimeMs, ctimeMs].join("|");
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

async function readCached(path: string): Promise<HypervisorBinary | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isBinary(value) ? pick(value) : undefined;
  } catch {
    return undefined;
  }
}

function isBinary(value: unknown): value is HypervisorBinary {
  if (typeof value !== "object" || value === null) return false;
  const { version, numbers, mapsReadOnly } = value as Partial<HypervisorBinary>;
  return (
    typeof version === "string" &&
    Array.isArray(numbers) &&
    numbers.length === 3 &&
    numbers.every((number) => Number.isSafeInteger(number)) &&
    typeof mapsReadOnly === "boolean"
  );
}

/** Without what other versions may have kept beside it. */
function pick({
  name,
  binary,
  version,
  numbers,
  mapsReadOnly,
}: HypervisorBinary): HypervisorBinary {
  return { name, binary, version, numbers, mapsReadOnly };
}
