import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { explainDatabaseError } from "./database-error.ts";
import { openDatabase } from "./open-database.ts";
import type { Columns } from "./row-values.ts";

/** So long after its last use the file is closed: to open it again takes less than a millisecond. */
const IDLE_MS = 100;

/** How to do a transaction. */
export interface TransactionOptions {
  /** Whether it, and all that was committed before it, outlives a power cut once it is committed. Waits for the disk. Default false. */
  readonly durable?: boolean;
}

/**
 * A connection to the catalogue's database: statements prepared once, transactions, errors explained. The file is open while it is used: nobody has to close it, and
 * what has no user at a time is one whole file without a log.
 */
export class CatalogConnection {
  readonly #path: string;
  #database: DatabaseSync | undefined;
  /** Of a full disk: others wait until it is closed. */
  #isAlone = false;
  #idle: NodeJS.Timeout | undefined;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#path = path;
    this.#open();
    if (this.#isAlone) this.close();
  }

  /** Does what `body` does as a whole or not at all. Within another one it is a part of that. `body` must not wait for anything. */
  transaction<T>(body: () => T, { durable = false }: TransactionOptions = {}): T {
    const database = this.#open();
    if (database.isTransaction) {
      if (durable) throw new TypeError("a part of a transaction cannot be durable by itself");
      return body();
    }
    if (!durable) return this.#transaction(database, body);
    return this.#explained(() => {
      // Cannot be changed within a transaction.
      database.exec("PRAGMA synchronous=FULL");
      try {
        return this.#transaction(database, body);
      } finally {
        if (database.isOpen) database.exec("PRAGMA synchronous=NORMAL");
      }
    });
  }

  #transaction<T>(database: DatabaseSync, body: () => T): T {
    return this.#explained(() => {
      // At once for writing: one that begins by reading could not go on to write when another process wrote meanwhile.
      database.exec("BEGIN IMMEDIATE");
      try {
        const result = body();
        if (result instanceof Promise) {
          result.catch(() => undefined);
          throw new TypeError("a transaction cannot wait");
        }
        database.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk or a damaged file ends it by itself.
        if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
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

  /** Closes the file now. It is opened again by the next use. */
  close(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }

  #open(): DatabaseSync {
    if (this.#database === undefined) {
      const { database, isAlone } = openDatabase(this.#path);
      this.#database = database;
      this.#isAlone = isAlone;
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
    return this.#database;
  }

  #statement(sql: string): StatementSync {
    const database = this.#open();
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
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
    } finally {
      // Another user in this process would wait for it and stop the event loop, on which this one's closing waits.
      if (this.#isAlone && this.#database?.isTransaction === false) this.close();
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
