import type { HypervisorName, MemoryForm, RestoreMode } from "@virga/vm";

/** What the rule decides upon. */
export interface RestoreFacts {
  readonly hypervisor: HypervisorName;
  /** As the build calls itself, e.g. `v53.0` or `7.2.22 (Debian …)`. */
  readonly hypervisorVersion: string;
  /** Whether VMMs run as a user who does not own the template's file. */
  readonly jailed: boolean;
  readonly balloon: boolean;
}

/** How templates are made and clones restored, and why. */
export interface RestoreDecision {
  readonly memoryForm: MemoryForm;
  readonly mode: RestoreMode;
  /** One sentence for the VM's record. */
  readonly reason: string;
}

/**
 * Memory that can be mapped is shared, else it is copied. A balloon punches holes into a shared file, which corrupts all clones of it (QEMU), or makes the VM
 * grow (Cloud Hypervisor): with one, each clone has memory of its own.
 */
export function decideRestore(facts: RestoreFacts): RestoreDecision {
  const { hypervisor, balloon, jailed } = facts;
  if (hypervisor === "cloud-hypervisor") {
    if (balloon) {
      return {
        memoryForm: "anonymous",
        mode: "copy",
        reason: "copied: a balloon needs memory of the clone's own",
      };
    }
    return {
      memoryForm: "file",
      mode: "shared",
      reason: "shared: the template's memory is a file",
    };
  }
  if (balloon) {
    return {
      memoryForm: "file",
      mode: "copy",
      reason: "copied: a balloon would punch holes into the memory that all clones share",
    };
  }
  if (mapsReadOnly(facts.hypervisorVersion)) {
    return {
      memoryForm: "file",
      mode: "shared",
      reason: "shared: QEMU maps the template's memory read-only",
    };
  }
  if (jailed) {
    return {
      memoryForm: "file",
      mode: "copy",
      reason: "copied: this QEMU (before 8.2) would need write access to the shared memory file",
    };
  }
  return {
    memoryForm: "file",
    mode: "shared",
    reason:
      "shared: QEMU (before 8.2) and Virga are the same user here, so the template's memory is protected against accidents only",
  };
}

function mapsReadOnly(version: string): boolean {
  const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/u.exec(version) ?? [];
  return Number(major) > 8 || (Number(major) === 8 && Number(minor) >= 2);
}
