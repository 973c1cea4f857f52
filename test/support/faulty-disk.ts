/**
 * A disk that fails under a store. In front of the database it refuses at the n-th commit, as SQLite tells it: no room, a
 * write that was cut short, a sync that failed (what was written may be there or not); under the log at the n-th sync, as
 * the system tells it. In the files themselves it leaves what a power cut leaves: a log that ends in the middle of a record, bytes that are others, pages that were half written.
 */
import { copyFileSync, existsSync, fdatasync, fdatasyncSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Disk, logOf } from "../../src/host/store/log.js";
import type { Database } from "../../src/host/store/migrations.js";
import type { SqliteOptions } from "../../src/host/store/sqlite.js";

/** SQLite's result codes. */
const CODES = { full: 13, "short write": 778, "failed sync": 1034, "failed sync, written": 1034 } as const;
type CommitFault = keyof typeof CODES;
export type DiskFault = CommitFault | "a log that cannot be synced";
export const diskFaults: readonly DiskFault[] = [...(Object.keys(CODES) as CommitFault[]), "a log that cannot be synced"];

/** A disk whose n-th sync of a log fails, and no other: Linux tells of what could not be written once. */
export function failingOnce(from: number): Disk {
  let syncs = 0;
  const failed = (): Error | null =>
    ++syncs === from ? Object.assign(new Error("made to fail: EIO"), { code: "EIO", syscall: "fdatasync" }) : null;
  return {
    fdatasync: (handle, then) => {
      const thrown = failed();
      fdatasync(handle, (really) => then(thrown ?? really));
    },
    fdatasyncSync: (handle) => {
      const thrown = failed();
      if (thrown !== null) throw thrown;
      fdatasyncSync(handle);
    },
  };
}

/** A store's disk whose n-th commit, and every one after it, or n-th sync fails. */
export function failing(fault: DiskFault, from: number): Pick<SqliteOptions, "database" | "log"> {
  return fault === "a log that cannot be synced"
    ? { log: (database) => logOf(database, failingOnce(from)) }
    : { database: failingDatabase(fault, from) };
}

function failingDatabase(fault: CommitFault, from: number): (file: string) => Database {
  return (file) => {
    const db = new DatabaseSync(file);
    let commits = 0;
    return {
      prepare: (sql) => db.prepare(sql),
      close: () => db.close(),
      exec: (sql) => {
        if (sql !== "COMMIT" || ++commits < from) return db.exec(sql);
        if (fault === "failed sync, written" && commits === from) db.exec(sql);
        throw Object.assign(new Error(`made to fail: ${fault}`), { code: "ERR_SQLITE_ERROR", errcode: CODES[fault] });
      },
    };
  };
}

/** The files of a store that is open, as a power cut would leave them. */
export function snapshot(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  for (const end of ["", "-wal"]) if (existsSync(`${from}${end}`)) copyFileSync(`${from}${end}`, `${to}${end}`);
  const key = `${dirname(from)}/key`;
  if (existsSync(key)) copyFileSync(key, `${dirname(to)}/key`);
}

/** Ends a file after so many bytes. */
export const cutShort = (file: string, bytes: number): void => truncateSync(file, bytes);

/** Writes other bytes over a part of a file. */
export function tear(file: string, at: number, length: number): void {
  const bytes = readFileSync(file);
  for (let i = at; i < Math.min(bytes.length, at + length); i++) bytes[i] = (bytes[i] ?? 0) ^ 0xa5;
  writeFileSync(file, bytes);
}
