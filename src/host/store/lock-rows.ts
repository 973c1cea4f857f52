/**
 * The locks of a store in SQLite: tables `locks` and `lock_waits`. Names may hold what is redacted elsewhere, so a row is
 * found by the hash of its name and the name itself is sealed.
 */
import type { StatementSync } from "node:sqlite";
import type { StoredStatus } from "../../runtime/store.js";
import { sha256 } from "../sha256.js";
import type { LockRow, LockRows, WaitRow } from "./locks.js";
import type { Sealing } from "./sealing.js";

type Row = Readonly<Record<string, unknown>>;

/** Locks over prepared statements. */
export function lockRows(sql: (text: string) => StatementSync, seals: Sealing): LockRows {
  const rowOf = (row: Row): LockRow => ({
    name: seals.open(String(row["name"])) ?? "",
    run: String(row["run"]),
    path: String(row["path"]),
  });
  const behindOf = (told: unknown): WaitRow["behind"] => (typeof told === "string" ? JSON.parse(seals.open(told) ?? "[]") : []);
  return {
    holder: (name) => {
      const row = sql("SELECT run, path, fence FROM locks WHERE key = ?").get(sha256(name));
      return row === undefined ? undefined : { name, run: String(row["run"]), path: String(row["path"]), fence: Number(row["fence"]) };
    },
    waits: (name) =>
      sql("SELECT run, path, behind FROM lock_waits WHERE key = ? ORDER BY ticket")
        .all(sha256(name))
        .map((row) => ({ name, run: String(row["run"]), path: String(row["path"]), behind: behindOf(row["behind"]) })),
    all: () => ({
      held: sql("SELECT name, run, path FROM locks").all().map(rowOf),
      waits: sql("SELECT name, run, path, behind FROM lock_waits ORDER BY ticket")
        .all()
        .map((row) => ({ ...rowOf(row), behind: behindOf(row["behind"]) })),
    }),
    hold: ({ name, run, path, fence }) => {
      sql("INSERT OR REPLACE INTO locks (key, name, run, path, fence) VALUES (?, ?, ?, ?, ?)").run(
        sha256(name),
        seals.seal(name),
        run,
        path,
        fence,
      );
    },
    free: (name) => {
      sql("DELETE FROM locks WHERE key = ?").run(sha256(name));
    },
    wait: ({ name, run, path, behind }) => {
      const told = behind.length === 0 ? null : seals.seal(JSON.stringify(behind));
      const into = "INSERT INTO lock_waits (key, name, run, path, behind) VALUES (?, ?, ?, ?, ?)";
      sql(`${into} ON CONFLICT (key, run, path) DO UPDATE SET behind = excluded.behind`).run(
        sha256(name),
        seals.seal(name),
        run,
        path,
        told,
      );
    },
    leave: ({ name, run, path }) => {
      sql("DELETE FROM lock_waits WHERE key = ? AND run = ? AND path = ?").run(sha256(name), run, path);
    },
    standing: (run) => {
      const row = sql("SELECT status, owner, lease FROM runs WHERE id = ?").get(run);
      if (row === undefined) return undefined;
      const owner = row["owner"] === null ? undefined : String(row["owner"]);
      return { status: String(row["status"]) as StoredStatus, owner, lease: Number(row["lease"]) };
    },
    fenceOff: (run) => {
      sql("UPDATE runs SET fence = fence + 1, owner = NULL, lease = 0 WHERE id = ?").run(run);
    },
  };
}

/** Lets go of what a run holds and waits for, or only of what it waits for. */
export function letGo(sql: (text: string) => StatementSync, run: string, keepsHeld: boolean): void {
  sql("DELETE FROM lock_waits WHERE run = ?").run(run);
  if (!keepsHeld) sql("DELETE FROM locks WHERE run = ?").run(run);
}
