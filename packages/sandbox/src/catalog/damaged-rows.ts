import { errorText } from "@virga/vm";
import type { Logger } from "@virga/vm";
import type { CatalogConnection } from "./connection.ts";
import type { Columns } from "./row-values.ts";

/** Of what a row was. */
export type RowKind = "sandbox" | "snapshot";

/** A row that could not be understood. */
export interface DamagedRow {
  readonly kind: RowKind;
  readonly id: string;
  readonly name: string | null;
  readonly reason: string;
  /** The row as it was, a JSON object of its columns. */
  readonly content: string;
}

/** Rows that were set aside, so that the others can be used. What they stood for is left alone until a user removes it. */
export class DamagedRows {
  readonly #connection: CatalogConnection;
  readonly #logger: Logger;

  constructor(connection: CatalogConnection, logger: Logger) {
    this.#connection = connection;
    this.#logger = logger;
  }

  /** All of them. */
  list(): DamagedRow[] {
    return this.#connection.all("SELECT * FROM damaged ORDER BY kind, id", []).map((row) => ({
      kind: row["kind"] === "snapshot" ? "snapshot" : "sandbox",
      id: String(row["id"]),
      name: typeof row["name"] === "string" ? row["name"] : null,
      reason: String(row["reason"]),
      content: String(row["content"]),
    }));
  }

  /** The one of this kind and id or name. */
  find(kind: RowKind, reference: string): DamagedRow | undefined {
    const rows = this.list().filter((row) => row.kind === kind);
    return rows.find(({ id }) => id === reference) ?? rows.find(({ name }) => name === reference);
  }

  /** Forgets one: nothing of what it stood for is left. */
  remove(kind: RowKind, id: string): void {
    this.#connection.run("DELETE FROM damaged WHERE kind = ? AND id = ?", [kind, id]);
  }

  /** Moves a row here, loudly. Where that cannot be written it stays, and is met again. */
  setAside(kind: RowKind, columns: Columns, reason: string): void {
    const { id, name } = columns;
    this.#logger.error({ kind, id, reason }, "a damaged row of the catalogue was set aside");
    try {
      this.#connection.transaction(() => {
        // Another process may have done it, and the id be in use again.
        const content = JSON.stringify(columns);
        const [row] = this.#connection.all(`SELECT * FROM ${kind} WHERE id = ?`, [String(id)]);
        if (JSON.stringify(row) !== content) return;
        this.#connection.run("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?, ?, ?, ?)", [
          kind,
          String(id),
          typeof name === "string" ? name : null,
          reason,
          content,
          new Date().toISOString(),
        ]);
        this.#connection.run(`DELETE FROM ${kind} WHERE id = ?`, [String(id)]);
      });
    } catch (error) {
      this.#logger.error({ kind, id, error: errorText(error) }, "cannot set a damaged row aside");
    }
  }
}
