import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { writeFileAtomic } from "../write-file-atomic.ts";
import type { TrialBoot } from "./trial-boot.ts";

/** Where the kernel offers KVM. */
export const KVM_DEVICE = "/dev/kvm";

/** Whether KVM's device can be opened; says nothing of whether guests run. */
export function kvmPresent(device: string): TrialBoot {
  try {
    closeSync(openSync(device, "r+"));
    return { ok: true, reason: `${device} can be opened` };
  } catch (error) {
    const why =
      errnoOf(error) === "ENOENT"
        ? `${device} does not exist`
        : `${device} cannot be opened (${errnoOf(error) ?? "error"})`;
    return { ok: false, reason: why };
  }
}

/**
 * The verdict of a trial boot, made once per boot of the machine: it depends on the host's kernel, the hypervisor's build and the guest's kernel, and
 * none of them changes without a new key.
 */
export async function cachedVerdict(
  cacheDirectory: string,
  key: readonly string[],
  trial: () => Promise<TrialBoot>,
): Promise<TrialBoot> {
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const name = createHash("sha256")
    .update(JSON.stringify([bootId, release(), ...key]))
    .digest("hex")
    .slice(0, 24);
  const path = join(cacheDirectory, `kvm-${name}.json`);
  const known = await readVerdict(path);
  if (known !== undefined) return known;
  const verdict = await trial();
  // A full disk or a missing file says nothing of KVM, and must not count until the machine boots again.
  if (verdict.inconclusive === true) return verdict;
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(path, JSON.stringify(verdict), { durable: false });
  return verdict;
}

async function readVerdict(path: string): Promise<TrialBoot | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as Partial<TrialBoot>;
    return typeof value.ok === "boolean" && typeof value.reason === "string"
      ? { ok: value.ok, reason: value.reason, ...(value.hung === true && { hung: true }) }
      : undefined;
  } catch {
    return undefined;
  }
}
