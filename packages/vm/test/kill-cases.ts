import type { Vm } from "../src/vm.ts";

/** An operation that is cut off at each of its points, what has to be there before it, and what may be there after. */
export interface KillCase {
  /** What it is called in a test's name. */
  readonly title: string;
  readonly operation:
    | "create"
    | "restore"
    | "prepareSnapshot"
    | "snapshot"
    | "destroy"
    | "pause"
    | "resume";
  /** The VM the operation works on; undefined where it makes one. */
  readonly before?: "running" | "paused";
  /**
   * The VM maps the memory of a snapshot, its next snapshot is prepared unless that is the operation, and it runs on as soon as its state is saved. Such a
   * case is cut also inside its steps, at each change of a file.
   */
  readonly clone?: true;
  /** States the VM may be in if it is still there. */
  readonly after: readonly Vm["state"][];
  readonly mayBeGone: boolean;
  /** Fewest events the operation has, on either driver: lest a loop ends before it began. */
  readonly events: number;
}

/** Every operation. */
export const killCases: readonly KillCase[] = [
  { title: "create", operation: "create", after: ["running"], mayBeGone: true, events: 24 },
  { title: "restore", operation: "restore", after: ["running"], mayBeGone: true, events: 22 },
  {
    title: "snapshot",
    operation: "snapshot",
    before: "paused",
    after: ["paused"],
    mayBeGone: false,
    events: 12,
  },
  {
    title: "prepareSnapshot of a shared clone",
    operation: "prepareSnapshot",
    before: "running",
    clone: true,
    after: ["running"],
    mayBeGone: false,
    events: 8,
  },
  {
    title: "snapshot of a shared clone that goes on",
    operation: "snapshot",
    before: "paused",
    clone: true,
    after: ["paused", "running"],
    mayBeGone: false,
    events: 36,
  },
  {
    title: "pause",
    operation: "pause",
    before: "running",
    after: ["running", "paused"],
    mayBeGone: false,
    events: 2,
  },
  {
    title: "resume",
    operation: "resume",
    before: "paused",
    after: ["running", "paused"],
    mayBeGone: false,
    events: 2,
  },
  {
    title: "destroy",
    operation: "destroy",
    before: "running",
    after: ["running"],
    mayBeGone: true,
    events: 12,
  },
];

/** What a VM has in common with those it shares its memory with. */
export const SHARED_MEMORY = {
  memoryForm: "file",
  balloon: false,
  restoreMode: "shared",
} as const;
