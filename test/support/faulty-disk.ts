/**
 * A disk that fails under a store. In front of the database it refuses at the n-th commit, as SQLite tells it: no room, a
 * write that was cut short, a sync that failed (what was written may be there or not). In the files themselves it leaves
 * what a power cut leaves: a log that ends in the middle of a record, bytes that are others, pages that were half written.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Database } from "../../src/host/store/migrations.js";

/** SQLite's result codes. */
const CODES = { full: 13, "short write": 778, "failed sync": 1034, "failed sync, written": 1034 } as const;
export type DiskFault = keyof typeof CODES;
export const diskFaults = Object.keys(CODES) as readonly DiskFault[];

/** A database whose n-th commit, and every one after it, fails. */
export function failingDatabase(fault: DiskFault, from: number): (file: string) => Database {
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
