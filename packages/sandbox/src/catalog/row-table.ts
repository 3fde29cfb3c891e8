import type { SQLInputValue } from "node:sqlite";
import { VirgaError } from "@virga/vm";
import type { VirgaErrorCode } from "@virga/vm";
import type { CatalogConnection } from "./connection.ts";
import type { DamagedRows } from "./damaged-rows.ts";
import { MIN_PREFIX, checkName } from "./names.ts";
import { DamagedValue } from "./row-values.ts";
import type { Columns } from "./row-values.ts";

/** What every row has. */
export interface NamedRow {
  readonly id: string;
  readonly name: string | null;
}

/** How rows of one kind are kept. */
export interface RowFormat<Row extends NamedRow> {
  readonly kind: "sandbox" | "snapshot";
  /** SQL name of each property's column; they are also the table's columns. */
  readonly columns: Readonly<Record<keyof Row & string, string>>;
  /** Throws {@link DamagedValue} for what is no row of this version. */
  readonly read: (columns: Columns) => Row;
  /** A row that is not there, for the user. */
  readonly absent: { readonly code: VirgaErrorCode; readonly what: string; readonly hint: string };
}

/** One table of the catalogue. All is synchronous. */
export class RowTable<Row extends NamedRow> {
  protected readonly connection: CatalogConnection;
  readonly #format: RowFormat<Row>;
  readonly #damaged: DamagedRows;

  constructor(connection: CatalogConnection, damaged: DamagedRows, format: RowFormat<Row>) {
    this.connection = connection;
    this.#damaged = damaged;
    this.#format = format;
  }

  /** Adds a row. `INVALID_ARGUMENT` for a name that is not valid, `VM_EXISTS` for one that is taken. */
  insert(row: Row): void {
    const { kind } = this.#format;
    const entries = this.#entries(row);
    this.connection.transaction(() => {
      this.#checkName(row.id, row.name);
      const marks = entries.map(() => "?").join(", ");
      this.connection.run(
        `INSERT INTO ${kind} (${entries.map(([column]) => column).join(", ")}) VALUES (${marks})`,
        entries.map(([, value]) => value),
      );
    });
  }

  /** The row of this id. */
  get(id: string): Row | undefined {
    return this.select("id = ?", [id])[0];
  }

  /** The row of this id, name, or only id that begins so. `INVALID_ARGUMENT` when several do; else a "not found" that says where to look. */
  find(reference: string): Row {
    const exact = this.select("id = ?1 OR name = ?1", [reference]);
    const byId = exact.find(({ id }) => id === reference) ?? exact[0];
    if (byId !== undefined) return byId;
    const { code, what, hint } = this.#format.absent;
    const rows =
      reference.length < MIN_PREFIX
        ? []
        : this.select("substr(id, 1, length(?1)) = ?1", [reference]);
    const [row] = rows;
    if (row === undefined)
      throw new VirgaError(code, `${what}: ${reference.replaceAll(/\p{Cc}/gu, "?")}`, {
        details: { id: reference },
        hint,
      });
    if (rows.length === 1) return row;
    const candidates = rows.map(({ id, name }) => (name === null ? id : `${id} (${name})`));
    throw new VirgaError(
      "INVALID_ARGUMENT",
      `"${reference}" stands for several ${this.#format.kind === "sandbox" ? "sandboxes" : "snapshots"}: ${candidates.join(", ")}`,
      { details: { id: reference, candidates: rows.map(({ id }) => id) } },
    );
  }

  /** All rows, the oldest first. */
  list(): Row[] {
    return this.select("TRUE", []);
  }

  /** Changes a row. False when there is none. */
  protected change(id: string, change: Partial<Row>): boolean {
    const entries = this.#entries(change);
    if (entries.length === 0) return this.get(id) !== undefined;
    return this.connection.transaction(() => {
      if (change.name !== undefined) this.#checkName(id, change.name);
      const changes = this.connection.run(
        `UPDATE ${this.#format.kind} SET ${entries.map(([column]) => `${column} = ?`).join(", ")} WHERE id = ?`,
        [...entries.map(([, value]) => value), id],
      );
      return changes === 1;
    });
  }

  /** Removes a row, also one that was set aside as damaged. */
  delete(id: string): void {
    this.connection.transaction(() => {
      this.connection.run(`DELETE FROM ${this.#format.kind} WHERE id = ?`, [id]);
      this.#damaged.remove(this.#format.kind, id);
    });
  }

  /** Rows by a condition in SQL. Those that cannot be understood are set aside. */
  protected select(condition: string, values: readonly SQLInputValue[]): Row[] {
    const { kind, read } = this.#format;
    const rows: Row[] = [];
    const found = this.connection.all(
      `SELECT * FROM ${kind} WHERE ${condition} ORDER BY created_at, id`,
      values,
    );
    for (const columns of found) {
      try {
        rows.push(read(columns));
      } catch (error) {
        if (!(error instanceof DamagedValue)) throw error;
        this.#damaged.setAside(kind, columns, error.message);
      }
    }
    return rows;
  }

  #checkName(id: string, name: string | null): void {
    if (name === null) return;
    checkName(name);
    const { kind } = this.#format;
    const [taken] = this.connection.all(`SELECT id FROM ${kind} WHERE name = ?`, [name]);
    if (taken === undefined || taken["id"] === id) return;
    throw new VirgaError(
      "VM_EXISTS",
      `There is a ${kind} named "${name}" already: ${String(taken["id"])}`,
      {
        details: { name, id: taken["id"] },
        hint: "Choose another name, or remove that one first.",
      },
    );
  }

  #entries(row: Partial<Row>): (readonly [column: string, value: SQLInputValue])[] {
    const properties = Object.entries(this.#format.columns) as [keyof Row & string, string][];
    return properties.flatMap(([property, column]) => {
      const value = row[property];
      return value === undefined ? [] : [[column, toColumn(value)] as const];
    });
  }
}

function toColumn(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  return JSON.stringify(value);
}
