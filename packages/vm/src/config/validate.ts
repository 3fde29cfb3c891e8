import { isSocketName } from "../directory.ts";
import { DEFAULT_TIMEOUTS } from "./defaults.ts";
import { isDiskId, isVmId } from "./ids.ts";
import type { ConfigProblem } from "./problem.ts";
import { ValueCheck, type Unchecked } from "./value-check.ts";
import type { DiskConfig, NetworkConfig, TimeoutConfig, VmConfig } from "./vm-config.ts";

const MAX_MEMORY_MIB = 16 * 1024 * 1024;
const MAX_DISKS = 16;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/iu;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/u;
const DEVICE = /^[a-zA-Z0-9_.-]{1,15}$/u;
const HYPERVISORS = ["cloud-hypervisor", "qemu"];
const MODES = ["on-demand", "shared", "copy"];
const FORMS = ["anonymous", "file"];
const KNOWN = [
  "sandboxId", "templateId", "hypervisor", "binary", "kernel", "initramfs", "rootfs", "disks", "vcpus", "memoryMib", "memoryForm", "networkNamespace",
  "network", "kernelArguments", "initPath", "socketPath", "vmDirectory", "snapshotDirectory", "guestChannel", "balloon", "console", "restoreMode", "timeouts",
]; // prettier-ignore

/** The fields of the parts. */
const PARTS = {
  rootfs: ["path", "readonly"],
  disk: ["id", "path", "readonly"],
  network: ["tap", "socket", "mac", "guestAddress", "gateway", "mask"],
  timeouts: Object.keys(DEFAULT_TIMEOUTS) as (keyof TimeoutConfig)[],
} as const;

type Image = Pick<DiskConfig, "path" | "readonly">;

/** Every problem of a configuration at once; empty when there is none. Looks at the values only, not at the host. */
export function validateConfig(
  config: unknown,
  purpose: "boot" | "restore",
): readonly ConfigProblem[] {
  const check = new ValueCheck();
  if (!check.record<VmConfig>("config", config)) return check.problems;
  check.fields("", config, KNOWN);
  check.that(
    isVmId(config.sandboxId),
    "sandboxId",
    config.sandboxId,
    "1 to 63 of a-z, 0-9 and -, not beginning with -",
  );
  check.oneOf("hypervisor", config.hypervisor, HYPERVISORS);
  check.path("binary", config.binary);
  for (const key of ["kernel", "initramfs", "vmDirectory"] as const) check.path(key, config[key]);
  validateSource(check, config, purpose);
  check.integer("vcpus", config.vcpus, 1, 255);
  check.integer("memoryMib", config.memoryMib, 32, MAX_MEMORY_MIB);
  check.oneOf("memoryForm", config.memoryForm, FORMS);
  check.oneOf("restoreMode", config.restoreMode, MODES);
  for (const key of ["guestChannel", "balloon", "console"] as const) check.flag(key, config[key]);
  check.that(
    config.socketPath === undefined || isSocketName(config.socketPath),
    "socketPath",
    config.socketPath,
    "a file name of at most 32 of a-z, A-Z, 0-9 and _ . -, not beginning with . and not one of Virga's own",
  );
  check.pattern(
    "templateId",
    config.templateId,
    /^[\w.:-]{1,128}$/u,
    "at most 128 of letters, digits and _ . : -",
  );
  check.pattern(
    "networkNamespace",
    config.networkNamespace,
    /^(?!.*\.\.)(?:\/[^\0]+|[a-zA-Z0-9_.-]{1,64})$/su,
    "an absolute path or a name below /run/netns",
  );
  validateBoot(check, config);
  validateDisks(check, config);
  validateNetwork(check, config);
  validateTimeouts(check, config.timeouts);
  return check.problems;
}

/** What the VM comes from: a kernel, or a snapshot. */
function validateSource(
  check: ValueCheck,
  { kernel, snapshotDirectory }: Unchecked<VmConfig>,
  purpose: "boot" | "restore",
): void {
  if (purpose === "restore") {
    check.given("snapshotDirectory", snapshotDirectory, "the path of a snapshot");
    check.path("snapshotDirectory", snapshotDirectory);
    return;
  }
  check.given("kernel", kernel, "the path of a kernel image");
  // It would be ignored, and the VM be taken for a clone later.
  check.that(
    snapshotDirectory === undefined,
    "snapshotDirectory",
    snapshotDirectory,
    "nothing, to boot a VM: `createFromSnapshot` restores one",
  );
}

function validateTimeouts(check: ValueCheck, timeouts: unknown): void {
  if (timeouts === undefined || !check.record<TimeoutConfig>("timeouts", timeouts)) return;
  check.fields("timeouts.", timeouts, PARTS.timeouts);
  for (const key of PARTS.timeouts) check.integer(`timeouts.${key}`, timeouts[key], 1, 86_400_000);
}

function validateBoot(check: ValueCheck, config: Unchecked<VmConfig>): void {
  const word = /^[\x21-\x7e]{1,512}$/u;
  check.pattern(
    "initPath",
    config.initPath,
    /^\/[\x21-\x7e]{1,255}$/u,
    "an absolute path without spaces",
  );
  const { kernelArguments = [] } = config;
  if (!check.list("kernelArguments", kernelArguments)) return;
  for (const [index, argument] of kernelArguments.entries()) {
    const path = `kernelArguments[${index}]`;
    if (check.given(path, argument, "one word of printable characters"))
      check.pattern(path, argument, word, "one word of printable characters");
  }
}

function validateDisks(check: ValueCheck, config: Unchecked<VmConfig>): void {
  const { rootfs, disks = [] } = config;
  if (rootfs !== undefined && check.record<Image>("rootfs", rootfs)) {
    check.fields("rootfs.", rootfs, PARTS.rootfs);
    validateImage(check, "rootfs.", rootfs);
  }
  if (!check.list("disks", disks)) return;
  check.that(disks.length <= MAX_DISKS, "disks.length", disks.length, `at most ${MAX_DISKS}`);
  const seen = new Set<unknown>(rootfs === undefined ? [] : ["rootfs"]);
  for (const [index, disk] of disks.slice(0, MAX_DISKS).entries()) {
    const path = `disks[${index}]`;
    if (!check.record<DiskConfig>(path, disk)) continue;
    check.fields(`${path}.`, disk, PARTS.disk);
    check.that(
      isDiskId(disk.id) && !seen.has(disk.id),
      `${path}.id`,
      disk.id,
      "1 to 16 of a-z, 0-9 and -, unique, not `rootfs`",
    );
    seen.add(disk.id);
    validateImage(check, `${path}.`, disk);
  }
}

function validateImage(check: ValueCheck, prefix: string, image: Unchecked<Image>): void {
  if (check.given(`${prefix}path`, image.path, "an absolute path"))
    check.path(`${prefix}path`, image.path);
  check.flag(`${prefix}readonly`, image.readonly);
}

function validateNetwork(check: ValueCheck, config: Unchecked<VmConfig>): void {
  const { network } = config;
  if (network === undefined || !check.record<NetworkConfig>("network", network)) return;
  check.fields("network.", network, PARTS.network);
  if (network.socket === undefined) {
    check.given(
      "networkNamespace",
      config.networkNamespace,
      "the namespace that holds the TAP device",
    );
  } else {
    check.path("network.socket", network.socket);
    check.that(
      network.tap === undefined,
      "network.tap",
      network.tap,
      "nothing beside network.socket",
    );
  }
  check.pattern("network.tap", network.tap, DEVICE, "a device name of at most 15 characters");
  check.that(
    typeof network.mac === "string" && MAC.test(network.mac) && isUnicast(network.mac),
    "network.mac",
    network.mac,
    "a unicast MAC address like 02:00:00:00:00:01",
  );
  for (const key of ["guestAddress", "gateway", "mask"] as const)
    check.pattern(`network.${key}`, network[key], IPV4, "an IPv4 address");
}

function isUnicast(mac: string): boolean {
  return Number.parseInt(mac.slice(0, 2), 16) % 2 === 0;
}
