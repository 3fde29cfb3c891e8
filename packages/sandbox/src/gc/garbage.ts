import type { Logger, VmManager } from "@virga/vm";
import type { ReferenceTools } from "../snapshots/references.ts";

/** What garbage collection works on. */
export interface GarbageTools extends ReferenceTools {
  readonly manager: VmManager;
  readonly logger: Logger;
}

/** What something is that nothing needs. */
export type GarbageKind = "sandbox" | "snapshot" | "image" | "template";

/** Something that nothing needs. */
export interface Garbage {
  readonly kind: GarbageKind;
  readonly id: string;
  /** Why it can go. */
  readonly reason: string;
  /** Whether it may be worth something to the user: then it goes only when that was asked for. */
  readonly isOrphan?: true;
  /** What it takes of the file system. */
  readonly bytes: number;
  /** False when it turned out to be needed, or somebody is at work on it. */
  readonly remove: () => Promise<boolean>;
}
