/**
 * What makes a catalogue of version n one of version n + 1. Steps are only ever added: `PRAGMA user_version` counts those that were done, and a catalogue that
 * has had more of them than this version knows is not opened.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE sandbox (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT UNIQUE,
    phase TEXT NOT NULL,
    pending_thaw TEXT NOT NULL,
    spec TEXT NOT NULL,
    parent TEXT,
    snapshot TEXT,
    owner TEXT,
    suspended INTEGER,
    intent TEXT,
    created_at TEXT NOT NULL,
    timings TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE snapshot (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT UNIQUE,
    phase TEXT NOT NULL,
    kind TEXT NOT NULL,
    sandbox TEXT NOT NULL,
    spec TEXT NOT NULL,
    created_at TEXT NOT NULL,
    timings TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE damaged (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    reason TEXT NOT NULL,
    -- The row as it was, a JSON object of its columns.
    content TEXT NOT NULL,
    found_at TEXT NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  `,
];
