import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { explainDatabaseError } from "./database-error.ts";
import { openDatabase } from "./open-database.ts";
import type { Columns } from "./row-values.ts";

/** One connection to the catalogue's database: statements prepared once, transactions, errors explained. */
export class CatalogConnection {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#path = path;
    this.#database = openDatabase(path);
  }

  /** Does what `body` does as a whole or not at all. Within another one it is a part of that. `body` must not wait for anything. */
  transaction<T>(body: () => T): T {
    if (this.#database.isTransaction) return body();
    return this.#explained(() => {
      // At once for writing: one that begins by reading could not go on to write when another process wrote meanwhile.
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const result = body();
        if (result instanceof Promise) {
          result.catch(() => undefined);
          throw new TypeError("a transaction cannot wait");
        }
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk or a damaged file ends it by itself.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  /** Rows of a query. */
  all(sql: string, values: readonly SQLInputValue[]): Columns[] {
    return this.#explained(() =>
      this.#statement(sql)
        .all(...values)
        .map(plain),
    );
  }

  /** Runs a statement, and gives how many rows it changed. */
  run(sql: string, values: readonly SQLInputValue[]): number {
    return this.#explained(() => Number(this.#statement(sql).run(...values).changes));
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      // Else a damaged number that JavaScript cannot hold would be an error of the whole query.
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #explained<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw explainDatabaseError(error, this.#path);
    }
  }
}

function plain(row: Columns): Columns {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const isSafe = typeof value === "bigint" && Number.isSafeInteger(Number(value));
      if (isSafe) return [column, Number(value)];
      return [column, typeof value === "bigint" ? String(value) : value];
    }),
  );
}
