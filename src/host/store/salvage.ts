/**
 * Repairs a damaged store: whatever can be read is copied into a new file, run by run and record by record, and the
 * damaged file is kept beside it under another name. A run that lost records says so in its journal, so that resuming it
 * asks about effects that may have been carried out. Nothing is changed before the new file is complete.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { RunEvent } from "../../runtime/events.js";
import { StoreError } from "../../runtime/store.js";
import { sha256 } from "../sha256.js";
import { copyEvaluations } from "./evaluation-rows.js";
import { guarded } from "./failures.js";
import { textNamed } from "./large.js";
import { MIGRATIONS } from "./migrations.js";
import { checksum, entriesIn, isEvent, type Row as RecordRow } from "./rows.js";
import { type Sealing, sealing } from "./sealing.js";
import { sqliteStore } from "./sqlite.js";

export interface Salvaged {
  /** Runs that are in the new file, and of those the ones that lost records. */
  readonly runs: number;
  readonly cut: readonly string[];
  /** Runs that could not be read at all. */
  readonly lost: readonly string[];
  /** Evaluations that lost rows. */
  readonly evaluations: readonly string[];
  /** Where the damaged file is now. */
  readonly aside: string;
}

type Row = Readonly<Record<string, unknown>>;

/** Repairs the store in a file. Refuses one of a newer version and one that a process is writing. */
export function salvage(file: string, isAlive: (owner: string) => boolean, now: number): Salvaged {
  const fresh = `${file}.new`;
  const aside = `${file}.damaged-${new Date(now).toISOString().replace(/[:.]/g, "-")}`;
  for (const end of ENDS) rmSync(`${fresh}${end}`, { force: true });
  sqliteStore(fresh, { now: () => now }).close();
  const from = source(file);
  const to = new DatabaseSync(fresh);
  try {
    const busy =
      from === undefined
        ? []
        : rowsOf(from, "SELECT id, owner, lease FROM runs WHERE owner IS NOT NULL").filter(
            ({ owner, lease }) => Number(lease) > now && isAlive(String(owner)),
          );
    if (busy.length > 0)
      throw new StoreError(
        "locked",
        `the run ${String(busy[0]?.["id"])} is being carried out by ${String(busy[0]?.["owner"])}: stop it first`,
      );
    const found = from === undefined ? { runs: 0, cut: [], lost: [], evaluations: [] } : copied(from, to, sealing(file));
    from?.close();
    to.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    to.close();
    for (const end of ENDS) if (existsSync(`${file}${end}`)) renameSync(`${file}${end}`, `${aside}${end}`);
    renameSync(fresh, file);
    return { ...found, aside };
  } finally {
    for (const db of [from, to]) if (db?.isOpen === true) db.close();
    for (const end of ENDS) rmSync(`${fresh}${end}`, { force: true });
  }
}

const ENDS = ["", "-wal", "-shm"] as const;

/** The damaged file, opened as far as it can be; undefined when it is no database at all. */
function source(file: string): DatabaseSync | undefined {
  const db = new DatabaseSync(file);
  let version: number;
  try {
    version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
  } catch (thrown) {
    db.close();
    const code = thrown instanceof Error && "errcode" in thrown ? Number(thrown.errcode) & 0xff : 0;
    if (code === 11 || code === 26) return undefined;
    return guarded(() => {
      throw thrown;
    });
  }
  if (version <= MIGRATIONS.length) return db;
  db.close();
  throw new StoreError("newer", `the store ${file} was made by a newer Weave; update Weave to repair it`);
}

/** Rows as far as they can be read: from the front, then from the back. */
function rowsOf(db: DatabaseSync, select: string, ...args: readonly string[]): Row[] {
  const found: Row[] = [];
  try {
    for (const row of db.prepare(select).iterate(...args)) found.push(row);
  } catch {
    // What stands behind the damage may be reached another way.
  }
  return found;
}

function copied(from: DatabaseSync, to: DatabaseSync, seals: Sealing): Omit<Salvaged, "aside"> {
  const ids = new Set<string>();
  for (const select of [
    "SELECT id FROM runs",
    "SELECT id FROM runs ORDER BY id DESC",
    "SELECT id FROM runs ORDER BY started_at DESC",
    "SELECT DISTINCT run AS id FROM records",
    "SELECT DISTINCT run AS id FROM records ORDER BY run DESC",
  ])
    for (const { id } of rowsOf(from, select)) ids.add(String(id));
  const contents = (hash: string): string | undefined => {
    const body = rowsOf(from, "SELECT body FROM contents WHERE hash = ?", hash)[0]?.["body"];
    if (typeof body !== "string") return undefined;
    // A large result that is sealed has its name by the key, all else by the text as it is kept.
    const isWhole = sha256(body) === hash || textNamed(hash, body, seals) !== undefined;
    return isWhole ? body : undefined;
  };
  /** Copies a text that is kept by its hash; false when it cannot be read. */
  const carry = (text: string): boolean => {
    if (!text.startsWith("@")) return true;
    const body = contents(text.slice(1));
    if (body === undefined) return false;
    to.prepare("INSERT OR IGNORE INTO contents (hash, body) VALUES (?, ?)").run(text.slice(1), body);
    return true;
  };
  const cut: string[] = [];
  const lost: string[] = [];
  let runs = 0;
  for (const id of [...ids].sort()) {
    to.exec("BEGIN");
    const [run] = rowsOf(from, "SELECT * FROM runs WHERE id = ?", id);
    if (run === undefined || !carry(String(run["graph"])) || !carry(String(run["inputs"]))) {
      to.exec("ROLLBACK");
      lost.push(id);
      continue;
    }
    insert(to, "runs", run);
    if (!copyRecords(from, to, run, carry)) cut.push(id);
    for (const answer of rowsOf(from, "SELECT * FROM answers WHERE run = ?", id)) insert(to, "answers", answer);
    to.exec("COMMIT");
    runs++;
  }
  for (const row of rowsOf(from, "SELECT * FROM cache")) if (carry(String(row["body"]))) insert(to, "cache", row);
  for (const row of rowsOf(from, "SELECT * FROM settings")) insert(to, "settings", row);
  const evaluations = copyEvaluations(
    (select, ...args) => rowsOf(from, select, ...args),
    to,
    (table, row) => insert(to, table, row),
  );
  return { runs, cut, lost, evaluations };
}

/**
 * Copies the records of a run up to the first that is damaged; false when there is one, which the journal then tells. A
 * page that was torn may hide records without a trace, so only a run that has its end is known to be whole.
 */
function copyRecords(from: DatabaseSync, to: DatabaseSync, run: Row, carry: (text: string) => boolean): boolean {
  const id = String(run["id"]);
  let n = 0;
  let whole = true;
  let last: RunEvent | undefined;
  for (const row of rowsOf(from, "SELECT * FROM records WHERE run = ? ORDER BY n", id)) {
    const body = String(row["body"]);
    const kind = row["kind"] as RecordRow["kind"];
    const isWhole = Number(row["n"]) === n + 1 && checksum(n + 1, kind, body) === row["sum"] && carry(body);
    const entries = isWhole && !body.startsWith("@") ? entriesIn({ kind, body }) : [];
    const large = entries.flatMap((entry) => (typeof entry !== "string" && "large" in entry ? [entry.large] : []));
    if (!isWhole || !large.every((name) => carry(`@${name}`))) {
      whole = false;
      break;
    }
    n++;
    insert(to, "records", row);
    for (const hash of large) insert(to, "large_results", { hash, run: id });
    for (const entry of entries) if (typeof entry !== "string" && isEvent(entry)) last = entry;
  }
  if (whole && last !== undefined && `run.${String(run["status"])}` === last.kind) return true;
  const reason = `what stood behind record ${n} could not be read and is lost`;
  const event = { kind: "run.mended", seq: (last?.seq ?? -1) + 1, at: last?.at ?? 0, reason } satisfies RunEvent;
  const body = JSON.stringify(event);
  insert(to, "records", { run: id, n: n + 1, kind: "event", body, sum: checksum(n + 1, "event", body) });
  return false;
}

function insert(db: DatabaseSync, table: string, row: Row): void {
  const names = Object.keys(row);
  const values = names.map((name) => {
    const value = row[name];
    return typeof value === "number" || typeof value === "string" ? value : null;
  });
  db.prepare(`INSERT OR REPLACE INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(...values);
}
