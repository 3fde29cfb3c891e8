import { VirgaError, virgaCommand } from "@virga/vm";
import type { CatalogConnection } from "./connection.ts";
import type { DamagedRows } from "./damaged-rows.ts";
import { RowTable } from "./row-table.ts";
import type { RowFormat } from "./row-table.ts";
import { spec, text, textOrNull, timings, word } from "./row-values.ts";
import { SNAPSHOT_KINDS, SNAPSHOT_PHASES } from "./rows.ts";
import type { SnapshotRow } from "./rows.ts";

const FORMAT: RowFormat<SnapshotRow> = {
  kind: "snapshot",
  columns: {
    id: "id",
    name: "name",
    phase: "phase",
    kind: "kind",
    sandbox: "sandbox",
    spec: "spec",
    createdAt: "created_at",
    timings: "timings",
  },
  read: (columns) => ({
    id: text(columns, "id"),
    name: textOrNull(columns, "name"),
    phase: word(columns, "phase", SNAPSHOT_PHASES),
    kind: word(columns, "kind", SNAPSHOT_KINDS),
    sandbox: text(columns, "sandbox"),
    spec: spec(columns, "spec"),
    createdAt: text(columns, "created_at"),
    timings: timings(columns, "timings"),
  }),
  absent: {
    code: "NOT_FOUND",
    what: "Snapshot not found",
    hint: `See: ${virgaCommand("snapshot ls")}`,
  },
};

/** The snapshots of a state directory. */
export class SnapshotTable extends RowTable<SnapshotRow> {
  constructor(connection: CatalogConnection, damaged: DamagedRows) {
    super(connection, damaged, FORMAT);
  }

  /** Changes a snapshot's row. `NOT_FOUND` when it has none any more, or is being removed. */
  update(id: string, change: Partial<Omit<SnapshotRow, "id">>): void {
    this.connection.transaction(() => {
      const row = this.get(id);
      const isOver = row?.phase === "removing" && change.phase !== "removing";
      if (row !== undefined && !isOver && this.change(id, change)) return;
      throw new VirgaError("NOT_FOUND", `Cannot change snapshot "${id}": it was removed`, {
        details: { id },
      });
    });
  }

  /** Those that are not whole: their maker or remover is at work on them, or dead. */
  unfinished(): SnapshotRow[] {
    return this.select("phase <> 'ready'", []);
  }

  /** Those that forks made and of which no clone is left. Told of one moment: a fork's snapshot and its clones come into being together. */
  idleForks(): SnapshotRow[] {
    return this.select(
      "kind = 'fork' AND phase = 'ready' AND id NOT IN (SELECT snapshot FROM sandbox WHERE snapshot IS NOT NULL)",
      [],
    );
  }
}
