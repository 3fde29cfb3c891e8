import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { SandboxState } from "../../src/life/sandbox-state.ts";

/** A sandbox that nobody else works on. */
interface OwnSandbox {
  /** What its guest remembers. */
  readonly token: string;
  readonly state: SandboxState;
}

/** What a process was in the middle of when its model was written. */
interface Doubt {
  readonly operation: string;
  /** Name or id of the sandbox, or the snapshot's name. */
  readonly subject: string;
  /** What the guest remembers, where that is known. */
  readonly token: string;
}

/** What one process knows: what is its own is so and not otherwise, whatever the others do. */
export interface HammerModel {
  /** Operations that were begun. */
  begun: number;
  /** By name, or by id for those without one. */
  readonly sandboxes: Record<string, OwnSandbox>;
  /** Token of the guest in each snapshot, by name. */
  readonly snapshots: Record<string, string>;
  doubt: Doubt | null;
}

/** The model in a file; an empty one where there is none. */
export function readModel(path: string): HammerModel {
  if (!existsSync(path)) return { begun: 0, sandboxes: {}, snapshots: {}, doubt: null };
  return JSON.parse(readFileSync(path, "utf8")) as HammerModel;
}

/** Keeps a model. In one step: its process may be killed at any moment. */
export function writeModel(path: string, model: HammerModel): void {
  writeFileSync(`${path}.new`, JSON.stringify(model));
  renameSync(`${path}.new`, path);
}
