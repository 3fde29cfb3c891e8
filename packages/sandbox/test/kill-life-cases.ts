/** What happens in a sandbox's life. */
export type LifeKillOperation =
  | "create"
  | "clone"
  | "pause"
  | "resume"
  | "suspend"
  | "snapshot"
  | "fork"
  | "destroy";

/** One operation, and where its sandbox stands before it. */
export interface LifeKillCase {
  readonly title: string;
  readonly operation: LifeKillOperation;
  /** State of the sandbox `box`; absent for one that is not there. */
  readonly before?: "running" | "paused" | "suspended";
  /** Fewer steps mean that they are not told any more. */
  readonly steps: number;
}

/** All operations of a sandbox's life that can be cut off. */
export const lifeKillCases: readonly LifeKillCase[] = [
  { title: "create", operation: "create", steps: 4 },
  { title: "create from a snapshot", operation: "clone", before: "suspended", steps: 5 },
  { title: "pause", operation: "pause", before: "running", steps: 6 },
  { title: "resume of a paused sandbox", operation: "resume", before: "paused", steps: 6 },
  { title: "suspend", operation: "suspend", before: "running", steps: 10 },
  { title: "suspend of a paused sandbox", operation: "suspend", before: "paused", steps: 8 },
  { title: "resume of a suspended sandbox", operation: "resume", before: "suspended", steps: 8 },
  { title: "snapshot", operation: "snapshot", before: "running", steps: 13 },
  { title: "snapshot of a paused sandbox", operation: "snapshot", before: "paused", steps: 9 },
  { title: "fork", operation: "fork", before: "running", steps: 20 },
  { title: "destroy", operation: "destroy", before: "running", steps: 5 },
  { title: "destroy of a suspended sandbox", operation: "destroy", before: "suspended", steps: 5 },
];
