import { silentLogger } from "@virga/vm";
import type { Logger } from "@virga/vm";
import { CatalogConnection } from "./connection.ts";
import type { TransactionOptions } from "./connection.ts";
import { DamagedRows } from "./damaged-rows.ts";
import { SandboxTable } from "./sandbox-table.ts";
import { SnapshotTable } from "./snapshot-table.ts";

/**
 * Names, relations and intents of what is in a state directory, for all processes that use it. What runs is not in it: that is told by each VM's own record.
 * Everything is synchronous and short. It needs no closing: its file is open only while it is used.
 */
export class Catalog implements Disposable {
  readonly sandboxes: SandboxTable;
  readonly snapshots: SnapshotTable;
  /** Rows that could not be understood. */
  readonly damaged: DamagedRows;
  readonly #connection: CatalogConnection;

  private constructor(connection: CatalogConnection, logger: Logger) {
    this.#connection = connection;
    this.damaged = new DamagedRows(connection, logger);
    this.sandboxes = new SandboxTable(connection, this.damaged);
    this.snapshots = new SnapshotTable(connection, this.damaged);
  }

  /**
   * Opens the catalogue at `path`, made first if there is none; its directory exists. `UNSUPPORTED` for one of a later version, `IO_ERROR` for a damaged one, with
   * what to do about it, and where it cannot be opened.
   */
  static open(path: string, options: { readonly logger?: Logger } = {}): Catalog {
    return new Catalog(new CatalogConnection(path), options.logger ?? silentLogger);
  }

  /** Does what `body` does as a whole or not at all; nothing else is written meanwhile. `body` must not wait for anything. */
  transaction<T>(body: () => T, options?: TransactionOptions): T {
    return this.#connection.transaction(body, options);
  }

  /** Closes its file at once, and not a moment after the last use. Idempotent; a later use opens it again. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
