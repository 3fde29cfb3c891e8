import { isSocketName } from "../directory.ts";
import { DEFAULT_TIMEOUTS } from "./defaults.ts";
import { isDiskId, isVmId } from "./ids.ts";
import type { ConfigProblem } from "./problem.ts";
import type { VmConfig } from "./vm-config.ts";

const MAX_MEMORY_MIB = 16 * 1024 * 1024;
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
  network: ["tap", "mac", "guestAddress", "gateway", "mask"],
  timeouts: Object.keys(DEFAULT_TIMEOUTS),
} as const;

class Check {
  readonly problems: ConfigProblem[] = [];

  that(ok: boolean, path: string, value: unknown, allowed: string): void {
    if (!ok) this.problems.push({ path, value, allowed });
  }

  /** A field that nobody reads is a slip: its value would be ignored. */
  fields(prefix: string, value: object, known: readonly string[]): void {
    for (const [key, given] of Object.entries(value))
      this.that(known.includes(key), `${prefix}${key}`, given, "no such field");
  }

  integer(path: string, value: unknown, minimum: number, maximum: number): void {
    if (value === undefined) return;
    const ok =
      Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
    this.that(ok, path, value, `a whole number from ${minimum} to ${maximum}`);
  }

  path(path: string, value: unknown): void {
    if (value === undefined) return;
    const ok =
      typeof value === "string" &&
      value.startsWith("/") &&
      !value.includes("\0") &&
      value.length < 4096;
    this.that(ok, path, value, "an absolute path");
  }

  oneOf(path: string, value: unknown, allowed: readonly string[]): void {
    if (value === undefined) return;
    this.that(
      typeof value === "string" && allowed.includes(value),
      path,
      value,
      allowed.join(" or "),
    );
  }

  flag(path: string, value: unknown): void {
    this.that(value === undefined || typeof value === "boolean", path, value, "true or false");
  }

  pattern(path: string, value: unknown, pattern: RegExp, allowed: string): void {
    if (value === undefined) return;
    this.that(typeof value === "string" && pattern.test(value), path, value, allowed);
  }
}

/** Every problem of a configuration at once; empty when there is none. Looks at the values only, not at the host. */
export function validateConfig(
  config: VmConfig,
  purpose: "boot" | "restore",
): readonly ConfigProblem[] {
  const check = new Check();
  check.fields("", config, KNOWN);
  check.that(
    isVmId(config.sandboxId),
    "sandboxId",
    config.sandboxId,
    "1 to 63 of a-z, 0-9 and -, not beginning with -",
  );
  check.oneOf("hypervisor", config.hypervisor, HYPERVISORS);
  check.path("binary", config.binary);
  if (purpose === "boot")
    check.that(config.kernel !== undefined, "kernel", config.kernel, "the path of a kernel image");
  for (const key of ["kernel", "initramfs", "vmDirectory", "snapshotDirectory"] as const)
    check.path(key, config[key]);
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
  if (config.networkNamespace !== undefined) {
    const ok =
      /^(?:\/[^\0]+|[a-zA-Z0-9_.-]{1,64})$/u.test(config.networkNamespace) &&
      !config.networkNamespace.includes("..");
    check.that(
      ok,
      "networkNamespace",
      config.networkNamespace,
      "an absolute path or a name below /run/netns",
    );
  }
  validateBoot(check, config);
  validateDisks(check, config);
  validateNetwork(check, config);
  const timeouts = config.timeouts ?? {};
  check.fields("timeouts.", timeouts, PARTS.timeouts);
  for (const key of PARTS.timeouts)
    check.integer(`timeouts.${key}`, timeouts[key as keyof typeof timeouts], 1, 86_400_000);
  return check.problems;
}

function validateBoot(check: Check, config: VmConfig): void {
  const word = /^[\x21-\x7e]{1,512}$/u;
  if (config.initPath !== undefined)
    check.pattern(
      "initPath",
      config.initPath,
      /^\/[\x21-\x7e]{1,255}$/u,
      "an absolute path without spaces",
    );
  for (const [index, argument] of (config.kernelArguments ?? []).entries()) {
    check.pattern(`kernelArguments[${index}]`, argument, word, "one word of printable characters");
  }
}

function validateDisks(check: Check, config: VmConfig): void {
  if (config.rootfs !== undefined) {
    check.fields("rootfs.", config.rootfs, PARTS.rootfs);
    check.that(
      config.rootfs.path !== undefined,
      "rootfs.path",
      config.rootfs.path,
      "an absolute path",
    );
    check.path("rootfs.path", config.rootfs.path);
    check.flag("rootfs.readonly", config.rootfs.readonly);
  }
  const seen = new Set<unknown>(config.rootfs === undefined ? [] : ["rootfs"]);
  const disks = config.disks ?? [];
  check.that(disks.length <= 16, "disks.length", disks.length, "at most 16");
  for (const [index, disk] of disks.entries()) {
    check.fields(`disks[${index}].`, disk, PARTS.disk);
    check.that(
      isDiskId(disk.id) && !seen.has(disk.id),
      `disks[${index}].id`,
      disk.id,
      "1 to 16 of a-z, 0-9 and -, unique, not `rootfs`",
    );
    seen.add(disk.id);
    check.that(disk.path !== undefined, `disks[${index}].path`, disk.path, "an absolute path");
    check.path(`disks[${index}].path`, disk.path);
    check.flag(`disks[${index}].readonly`, disk.readonly);
  }
}

function validateNetwork(check: Check, config: VmConfig): void {
  const network = config.network;
  if (network === undefined) return;
  check.fields("network.", network, PARTS.network);
  check.that(
    config.networkNamespace !== undefined,
    "networkNamespace",
    config.networkNamespace,
    "the namespace that holds the TAP device",
  );
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
