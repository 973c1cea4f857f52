/**
 * The schema of a store, as the steps that brought it from version to version. A store of an older version is migrated when
 * it is opened, once, whoever else opens it; one of a newer version is refused.
 */
import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../runtime/store.js";
import { EVALUATION_TABLES } from "./evaluation-rows.js";

/** What a store needs of a database. */
export type Database = Pick<DatabaseSync, "exec" | "prepare" | "close">;

/** Each entry brings a store from the version of its index to the next. Never changed once released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE runs (
     id TEXT PRIMARY KEY, file TEXT NOT NULL, flow TEXT NOT NULL, graph TEXT NOT NULL, inputs TEXT NOT NULL, seed REAL NOT NULL,
     options TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, status TEXT NOT NULL, cost REAL NOT NULL DEFAULT 0,
     calls INTEGER NOT NULL DEFAULT 0, owner TEXT, lease REAL NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, request TEXT
   ) STRICT;
   CREATE INDEX runs_by_time ON runs (started_at);
   CREATE TABLE records (
     run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, n INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, sum REAL NOT NULL,
     PRIMARY KEY (run, n)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE contents (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE answers (
     run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, path TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, path)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE cache (
     key TEXT PRIMARY KEY, run TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL, at REAL NOT NULL, until REAL NOT NULL, sum REAL NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX cache_by_end ON cache (until);
   CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE set_aside (run TEXT NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, sum REAL NOT NULL, at REAL NOT NULL) STRICT;`,
  `CREATE TABLE history (
     hash TEXT NOT NULL, simulated INTEGER NOT NULL, calls INTEGER NOT NULL, succeeded INTEGER NOT NULL, attempts REAL NOT NULL,
     tool_attempts REAL NOT NULL, requests REAL NOT NULL, input_tokens REAL NOT NULL, output_tokens REAL NOT NULL, cost REAL NOT NULL,
     latency REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (hash, simulated)
   ) STRICT, WITHOUT ROWID;`,
  "-- The records of one commit stand in one row, of the kind `batch`.",
  `CREATE TABLE locks (
     key TEXT PRIMARY KEY, name TEXT NOT NULL, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, path TEXT NOT NULL, fence INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE lock_waits (
     ticket INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, name TEXT NOT NULL, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
     path TEXT NOT NULL, UNIQUE (key, run, path)
   ) STRICT;`,
  EVALUATION_TABLES,
  "ALTER TABLE lock_waits ADD COLUMN behind TEXT;",
  // The records of one commit stand in one row as a JSON list, of the kind `list`, which names its large results.
  `CREATE TABLE large_results (
     hash TEXT NOT NULL, run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, PRIMARY KEY (hash, run)
   ) STRICT, WITHOUT ROWID;`,
];

/** A database of this version. */
export function migrated(file: string, db: Database): Database {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      "newer",
      `the store ${file} was made by a newer Weave (schema ${version}, this one knows ${MIGRATIONS.length}); update Weave, or use another store with --store`,
    );
  }
  if (version < MIGRATIONS.length) {
    db.exec("BEGIN IMMEDIATE");
    // Another process may have migrated while this one waited for the lock.
    const current = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
    for (const migration of MIGRATIONS.slice(current)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec("COMMIT");
  }
  return db;
}
