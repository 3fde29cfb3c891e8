import { createHash } from "node:crypto";
import type { SandboxRow, SandboxSpec, SnapshotRow } from "../src/catalog/rows.ts";

/** What a sandbox of a test was made as. */
export const testSpec: SandboxSpec = {
  image: "busybox",
  imageDigest: null,
  hypervisor: "qemu",
  accelerator: "tcg",
  vcpus: 1,
  memoryMib: 256,
  diskMib: null,
  env: { PATH: "/bin" },
  user: "",
  workdir: "/",
  command: ["sh"],
  network: "none",
  balloon: false,
  hostname: "host",
  machineId: "0".repeat(32),
};

/** An id of the right form that belongs to this word. */
export function idOf(word: string): string {
  return `i${createHash("sha256").update(word).digest("hex").slice(0, 19)}`;
}

/** A sandbox that is there and does nothing. */
export function sandboxRow(word: string, change: Partial<SandboxRow> = {}): SandboxRow {
  return {
    id: idOf(word),
    name: null,
    phase: "live",
    pendingThaw: "none",
    spec: testSpec,
    parent: null,
    snapshot: null,
    owner: null,
    suspended: null,
    intent: null,
    createdAt: "2026-11-24T12:00:00.000Z",
    timings: { boot: 12.5 },
    ...change,
  };
}

/** A snapshot that is whole. */
export function snapshotRow(word: string, change: Partial<SnapshotRow> = {}): SnapshotRow {
  return {
    id: idOf(word),
    name: null,
    phase: "ready",
    kind: "snapshot",
    sandbox: idOf(`sandbox of ${word}`),
    spec: testSpec,
    createdAt: "2026-11-24T12:00:00.000Z",
    timings: {},
    ...change,
  };
}
