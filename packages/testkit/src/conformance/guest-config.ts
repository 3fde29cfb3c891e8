import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { HypervisorName, VmConfig } from "@virga/vm";
import { testAssets } from "../assets.ts";
import type { TestPlace } from "../leaks/leak-count.ts";
import { patientTimeouts } from "../patience.ts";

const DISK_BYTES = 4 * 2 ** 20;
const MEMORY_MIB = 128;

/** A configuration that boots `virga-test-init`, with a writable root disk of its own. */
export async function guestConfig(
  place: TestPlace,
  id: string,
  hypervisor: HypervisorName,
): Promise<VmConfig> {
  const { vmlinux, testInitramfs } = await testAssets();
  const rootfs = join(place.scratch, `${id}.disk`);
  writeFileSync(rootfs, "");
  truncateSync(rootfs, DISK_BYTES);
  return {
    sandboxId: id,
    hypervisor,
    kernel: vmlinux,
    initramfs: testInitramfs,
    rootfs: { path: rootfs },
    memoryMib: MEMORY_MIB,
    timeouts: patientTimeouts,
  };
}
