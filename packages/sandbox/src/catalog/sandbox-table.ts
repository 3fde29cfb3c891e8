import { VirgaError, virgaCommand } from "@virga/vm";
import type { CatalogConnection } from "./connection.ts";
import type { DamagedRows } from "./damaged-rows.ts";
import { RowTable } from "./row-table.ts";
import type { RowFormat } from "./row-table.ts";
import {
  countOrNull,
  identityOrNull,
  intentOrNull,
  spec,
  text,
  textOrNull,
  timings,
  word,
} from "./row-values.ts";
import { PENDING_THAWS, SANDBOX_PHASES } from "./rows.ts";
import type { SandboxRow } from "./rows.ts";

const FORMAT: RowFormat<SandboxRow> = {
  kind: "sandbox",
  columns: {
    id: "id",
    name: "name",
    phase: "phase",
    pendingThaw: "pending_thaw",
    spec: "spec",
    parent: "parent",
    snapshot: "snapshot",
    owner: "owner",
    suspended: "suspended",
    intent: "intent",
    createdAt: "created_at",
    timings: "timings",
  },
  read: (columns) => ({
    id: text(columns, "id"),
    name: textOrNull(columns, "name"),
    phase: word(columns, "phase", SANDBOX_PHASES),
    pendingThaw: word(columns, "pending_thaw", PENDING_THAWS),
    spec: spec(columns, "spec"),
    parent: textOrNull(columns, "parent"),
    snapshot: textOrNull(columns, "snapshot"),
    owner: identityOrNull(columns, "owner"),
    suspended: countOrNull(columns, "suspended"),
    intent: intentOrNull(columns, "intent"),
    createdAt: text(columns, "created_at"),
    timings: timings(columns, "timings"),
  }),
  absent: { code: "VM_NOT_FOUND", what: "VM not found", hint: `See: ${virgaCommand("ls")}` },
};

/** The sandboxes of a state directory. */
export class SandboxTable extends RowTable<SandboxRow> {
  constructor(connection: CatalogConnection, damaged: DamagedRows) {
    super(connection, damaged, FORMAT);
  }

  /**
   * Changes a sandbox's row. `VM_DESTROYED` when it has none any more, or is being destroyed: whoever works on it meanwhile must not take that back.
   */
  update(id: string, change: Partial<Omit<SandboxRow, "id">>): void {
    this.connection.transaction(() => {
      const row = this.get(id);
      const isOver = row?.phase === "destroying" && change.phase !== "destroying";
      if (row !== undefined && !isOver && this.change(id, change)) return;
      throw new VirgaError("VM_DESTROYED", `Cannot change sandbox "${id}": it was destroyed`, {
        details: { id },
      });
    });
  }

  /** Those that were made from a snapshot. */
  clonesOf(snapshot: string): SandboxRow[] {
    return this.select("snapshot = ?", [snapshot]);
  }

  /** Those that somebody is at work on, or that die with a process: when that process is dead, there is something to do about them. */
  withIntent(): SandboxRow[] {
    return this.select(
      "intent IS NOT NULL OR owner IS NOT NULL OR phase IN ('creating', 'destroying')",
      [],
    );
  }
}
