import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { VirgaError, errnoOf } from "../errors.ts";
import type { HypervisorBuild } from "../hypervisor/port.ts";
import type { KernelIdentity } from "../kernel-identity.ts";
import { hostCpu } from "./host-cpu.ts";
import { MANIFEST_FILE, MANIFEST_FORMAT } from "./manifest.ts";
import type { SnapshotFile, SnapshotManifest, SnapshotShape } from "./manifest.ts";

const MAX_MANIFEST_BYTES = 1024 * 1024;

function invalid(directory: string, why: string, cause?: unknown): VirgaError {
  return new VirgaError("SNAPSHOT_INVALID", `Snapshot ${directory} cannot be used: ${why}`, {
    details: { directory },
    cause,
  });
}

/** Reads the manifest of a published snapshot and checks its files: names, sizes, hashes of the small ones. `SNAPSHOT_INVALID` says what is wrong. */
export async function readSnapshot(directory: string): Promise<SnapshotManifest> {
  const path = join(directory, MANIFEST_FILE);
  let text: string;
  try {
    if ((await stat(path)).size > MAX_MANIFEST_BYTES)
      throw invalid(directory, "its manifest is too large");
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") {
      throw invalid(
        directory,
        `there is no ${MANIFEST_FILE} in it (not a snapshot, or one that was never finished)`,
        error,
      );
    }
    throw error;
  }
  const manifest = parseManifest(directory, text);
  await Promise.all(manifest.files.map((file) => checkFile(directory, file)));
  return manifest;
}

function parseManifest(directory: string, text: string): SnapshotManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(directory, "its manifest is damaged", error);
  }
  const manifest = value as Partial<SnapshotManifest>;
  if (typeof value !== "object" || value === null)
    throw invalid(directory, "its manifest is damaged");
  if (manifest.format !== MANIFEST_FORMAT)
    throw invalid(
      directory,
      `its format is ${String(manifest.format)}, this version knows ${MANIFEST_FORMAT}`,
    );
  const ok =
    isNames(manifest, [
      "createdAt",
      "hypervisor",
      "hypervisorVersion",
      "accelerator",
      "architecture",
      "cpuModel",
      "sandboxId",
    ]) &&
    (manifest.kernel === undefined || isKernel(manifest.kernel)) &&
    isShape(manifest.shape) &&
    typeof manifest.memory === "object" &&
    (manifest.memory.form === "ranges" || manifest.memory.form === "file") &&
    isFileName(manifest.memory.file) &&
    Number.isSafeInteger(manifest.memory.bytes) &&
    Array.isArray(manifest.files) &&
    manifest.files.every((file: unknown) => isFile(file));
  if (!ok) throw invalid(directory, "its manifest lacks fields or holds wrong ones");
  return manifest as SnapshotManifest;
}

function isNames(value: object, keys: readonly string[]): boolean {
  return keys.every((key) => typeof (value as Record<string, unknown>)[key] === "string");
}

function isKernel(value: unknown): boolean {
  const kernel = value as KernelIdentity;
  return (
    typeof value === "object" &&
    value !== null &&
    typeof kernel.path === "string" &&
    Number.isSafeInteger(kernel.bytes) &&
    (kernel.identity === null || typeof kernel.identity === "string")
  );
}

function isShape(value: unknown): value is SnapshotShape {
  const shape = value as SnapshotShape;
  return (
    typeof value === "object" &&
    value !== null &&
    Number.isSafeInteger(shape.vcpus) &&
    Number.isSafeInteger(shape.memoryMib) &&
    Array.isArray(shape.disks)
  );
}

function isFileName(value: unknown): boolean {
  return typeof value === "string" && /^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,63}$/u.test(value);
}

function isFile(value: unknown): value is SnapshotFile {
  const file = value as SnapshotFile;
  return (
    typeof value === "object" &&
    value !== null &&
    isFileName(file.name) &&
    Number.isSafeInteger(file.bytes) &&
    (file.sha256 === undefined || typeof file.sha256 === "string")
  );
}

async function checkFile(directory: string, file: SnapshotFile): Promise<void> {
  const path = join(directory, file.name);
  let bytes: number;
  try {
    bytes = (await stat(path)).size;
  } catch (error) {
    throw invalid(directory, `file ${file.name} is missing`, error);
  }
  if (bytes !== file.bytes)
    throw invalid(directory, `file ${file.name} has ${bytes} bytes, ${file.bytes} were written`);
  if (file.sha256 === undefined) return;
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  if (sha256 !== file.sha256) throw invalid(directory, `file ${file.name} was changed`);
}

/** Fails with `SNAPSHOT_MISMATCH` unless this hypervisor on this machine can use the snapshot. */
export function checkSnapshotHost(
  directory: string,
  manifest: SnapshotManifest,
  build: HypervisorBuild,
): void {
  const expected: readonly (readonly [string, string, string])[] = [
    ["hypervisor", manifest.hypervisor, build.name],
    ["hypervisor version", manifest.hypervisorVersion, build.version],
    ["accelerator", manifest.accelerator, build.accelerator],
    ["architecture", manifest.architecture, process.arch],
    // An emulated processor does not depend on the host's.
    ...(build.accelerator === "kvm" ? [["CPU", manifest.cpuModel, hostCpu()] as const] : []),
  ];
  for (const [field, snapshot, here] of expected) {
    if (snapshot !== here) {
      throw new VirgaError(
        "SNAPSHOT_MISMATCH",
        `Snapshot ${directory} was taken with ${field} ${snapshot}, here is ${here}`,
        {
          details: { directory, field, snapshot, here },
          hint: "Take the snapshot again here.",
        },
      );
    }
  }
}
