import { DEFAULT_TIMEOUTS } from "../src/config/defaults.ts";
import type { ResolvedVmConfig } from "../src/config/vm-config.ts";
import { vmLayout } from "../src/directory.ts";
import type { SnapshotSource, VmContext } from "../src/hypervisor/port.ts";
import type { SnapshotMemory } from "../src/snapshot/manifest.ts";

const MIB = 1024 * 1024;

/** A resolved configuration with nothing beyond the necessary, and what the test changes. */
function testConfig(changes: Partial<ResolvedVmConfig> = {}): ResolvedVmConfig {
  return {
    sandboxId: "test",
    templateId: undefined,
    hypervisor: "cloud-hypervisor",
    binary: "/usr/bin/cloud-hypervisor",
    kernel: "/images/kernel",
    initramfs: undefined,
    disks: [],
    vcpus: 1,
    memoryMib: 128,
    memoryForm: "anonymous",
    networkNamespace: "new",
    network: undefined,
    kernelArguments: [],
    initPath: undefined,
    socketName: "api.sock",
    vmDirectory: "/var/lib/virga/test",
    snapshotDirectory: undefined,
    guestChannel: true,
    balloon: false,
    console: true,
    restoreMode: "copy",
    timeouts: DEFAULT_TIMEOUTS,
    ...changes,
  };
}

/** The context of a VM in `directory`. */
export function testContext(
  directory: string,
  isolated: boolean,
  changes: Partial<ResolvedVmConfig> = {},
): VmContext {
  const config = testConfig({ vmDirectory: directory, ...changes });
  return {
    config,
    layout: vmLayout(directory, config.socketName, isolated),
    build: {
      name: "cloud-hypervisor",
      binary: config.binary,
      version: "v53.0",
      numbers: [53, 0, 0],
      mapsReadOnly: false,
      accelerator: "kvm",
    },
    uuid: "11111111-2222-4333-8444-555555555555",
  };
}

/** A snapshot in `directory` of the VM of `context`. */
export function testSource(
  context: VmContext,
  directory: string,
  mode: SnapshotSource["mode"],
  form: SnapshotMemory["form"],
): SnapshotSource {
  const { config, build } = context;
  return {
    mode,
    directory,
    manifest: {
      format: 1,
      createdAt: "2026-01-01T00:00:00.000Z",
      hypervisor: build.name,
      hypervisorVersion: build.version,
      accelerator: build.accelerator,
      architecture: process.arch,
      cpuModel: "test",
      sandboxId: config.sandboxId,
      templateId: null,
      parent: null,
      shape: {
        vcpus: config.vcpus,
        memoryMib: config.memoryMib,
        balloon: config.balloon,
        guestChannel: config.guestChannel,
        console: config.console,
        mac: null,
        tap: null,
        isolated: context.layout.isolated,
        disks: config.disks.map(({ id, readonly }) => ({ id, readonly, bytes: 0 })),
      },
      memory: {
        form,
        file: form === "file" ? "memory" : "memory-ranges",
        bytes: config.memoryMib * MIB,
      },
      files: [],
    },
  };
}
