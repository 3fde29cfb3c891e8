import type { HypervisorName, MemoryForm, RestoreMode, SnapshotMemory } from "@virga/vm";

/** What the rule decides upon. */
export interface RestoreFacts {
  readonly hypervisor: HypervisorName;
  /** Whether it maps a memory file privately that it may only read. */
  readonly mapsReadOnly: boolean;
  /** Whether VMMs run as a user who does not own the template's file. */
  readonly jailed: boolean;
  readonly balloon: boolean;
  /** How the snapshot of a sandbox holds its memory; undefined for a template, which is made as its clones need it. */
  readonly snapshotForm?: SnapshotMemory["form"];
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
  const { hypervisor, balloon, jailed, snapshotForm } = facts;
  if (hypervisor === "cloud-hypervisor") {
    if (balloon) {
      return {
        memoryForm: "anonymous",
        mode: "copy",
        reason: "copied: a balloon needs memory of the clone's own",
      };
    }
    if (snapshotForm === "ranges") {
      return {
        memoryForm: "anonymous",
        mode: "copy",
        reason: "copied: this snapshot's memory is no file that clones can map",
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
  if (facts.mapsReadOnly) {
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
      reason:
        "copied: this QEMU (it has no rom=off) would need write access to the shared memory file",
    };
  }
  return {
    memoryForm: "file",
    mode: "shared",
    reason:
      "shared: this QEMU (it has no rom=off) and Virga are the same user, so the template's memory is protected against accidents only",
  };
}
