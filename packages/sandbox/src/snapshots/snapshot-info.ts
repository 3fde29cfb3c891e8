import type { SnapshotRow } from "../catalog/rows.ts";
import type { ReferenceTools } from "./references.ts";
import { snapshotPaths } from "./snapshot-paths.ts";
import { treeSize } from "../tree-size.ts";

/** What is known of a snapshot. */
export interface SnapshotInfo {
  readonly id: string;
  readonly name: string | null;
  /** `fork`: made by a fork; it goes with the last of its clones. */
  readonly kind: "snapshot" | "fork";
  readonly state: "creating" | "ready" | "removing";
  /** Sandbox it was taken of, which may be gone. */
  readonly sandbox: string;
  readonly image: string;
  readonly imageDigest: string | null;
  readonly hypervisor: string;
  readonly accelerator: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskMib: number | null;
  readonly createdAt: string;
  /** How large its files look, and what they take: memory and disks are sparse. */
  readonly apparentBytes: number;
  readonly realBytes: number;
  /** Milliseconds per step of taking it. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Tells of a snapshot. */
export async function snapshotInfo(
  { home }: Pick<ReferenceTools, "home">,
  row: SnapshotRow,
): Promise<SnapshotInfo> {
  const { id, name, kind, phase, sandbox, spec, createdAt, timings } = row;
  const { image, imageDigest, hypervisor, accelerator, vcpus, memoryMib, diskMib } = spec;
  const size = await treeSize(snapshotPaths(home, id).directory);
  const what = { image, imageDigest, hypervisor, accelerator, vcpus, memoryMib, diskMib };
  return { id, name, kind, state: phase, sandbox, ...what, createdAt, ...size, timings };
}
