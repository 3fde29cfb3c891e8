import { existsSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { VirgaError } from "@virga/vm";
import { damagedError, explainDatabaseError, isFull } from "./database-error.ts";
import { SCHEMA_STEPS } from "./schema.ts";

/**
 * SQLite waits for other processes by itself, which stops the event loop. That is as short as their transactions; a process that is stopped in the middle of one
 * must not stop all others for good.
 */
const BUSY_MS = 10_000;

/** What SQLite puts beside a database. */
const COMPANIONS = ["-wal", "-shm", "-journal"] as const;

/** An open catalogue. */
export interface OpenDatabase {
  readonly database: DatabaseSync;
  /** Whether nobody else, not even in this process, can use it until it is closed. */
  readonly isAlone: boolean;
}

/**
 * Opens the catalogue's database, made first if there is none, and brings it to this version's schema. `UNSUPPORTED` for one of a later version,
 * `IO_ERROR` for a damaged one, or where it cannot be opened.
 */
export function openDatabase(path: string): OpenDatabase {
  try {
    if (!existsSync(path)) make(path);
    return { database: open(path, "normal"), isAlone: false };
  } catch (error) {
    if (!isFull(error, path)) throw explainDatabaseError(error, path);
  }
  // The index of the log needs a file of its own, for which a full disk has no room. Alone, SQLite keeps it in memory: what is to be destroyed can still be found.
  try {
    return { database: open(path, "alone"), isAlone: true };
  } catch (error) {
    throw explainDatabaseError(error, path);
  }
}

function open(path: string, mode: "normal" | "alone"): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    if (mode === "alone") database.exec("PRAGMA locking_mode=EXCLUSIVE");
    // After a power cut the newest changes may be missing, never a part of one: no VM has survived it either. What decides over files that have is committed durably.
    database.exec("PRAGMA synchronous=NORMAL");
    const version = versionOf(database);
    if (version > SCHEMA_STEPS.length) throw newerError(path, version);
    // It is made elsewhere and appears whole: an empty one was emptied by something else.
    if (version === 0) throw damagedError(path, "there is nothing in it");
    if (version < SCHEMA_STEPS.length) migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the file, under a lock of its own, so that it appears whole. */
function make(path: string): void {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: BUSY_MS });
  try {
    lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
    if (existsSync(path)) return;
    // The log of a database that was taken away would be played into the new one.
    for (const companion of COMPANIONS) rmSync(path + companion, { force: true });
    const work = `${path}.new`;
    for (const part of ["", ...COMPANIONS]) rmSync(work + part, { force: true });
    const database = new DatabaseSync(work);
    try {
      database.exec("PRAGMA journal_mode=WAL");
      migrate(database);
    } finally {
      database.close();
    }
    renameSync(work, path);
  } finally {
    lock.close();
  }
}

function migrate(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have been faster.
    for (const step of SCHEMA_STEPS.slice(versionOf(database))) database.exec(step);
    database.exec(`PRAGMA user_version=${SCHEMA_STEPS.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function newerError(path: string, version: number): VirgaError {
  return new VirgaError(
    "UNSUPPORTED",
    `The catalogue ${path} is of version ${version}, made by a later Virga: this one knows versions up to ${SCHEMA_STEPS.length}`,
    {
      details: { path, version, known: SCHEMA_STEPS.length },
      hint: "Update Virga, or set VIRGA_HOME to another directory.",
    },
  );
}
