/**
 * Evaluations in the store of runs (SQLite): what each was, and a row for each run of a case, durable when it is added,
 * so that an evaluation that was killed goes on where it was. Rows are written once and never changed.
 */
import { DatabaseSync } from "node:sqlite";
import type { Row } from "../../runtime/evals/results.js";
import { openStore } from "./place.js";

export interface EvaluationStart {
  readonly id: string;
  /** Evaluations that can be compared: the same program, flow, data, scorers and kind of models. */
  readonly series: string;
  readonly file: string;
  readonly flow: string;
  readonly data: string;
  /** What it was started with, for showing and for going on. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export interface Evaluation extends EvaluationStart {
  /** `running` also when it was killed. */
  readonly status: "running" | "done" | "regressed";
  readonly grade: string | undefined;
  readonly rows: number;
}

export interface Evaluations {
  begin(start: EvaluationStart): void;
  add(id: string, row: Row): void;
  end(id: string, status: "done" | "regressed", grade: string): void;
  /** Newest first. */
  list(): readonly Evaluation[];
  rows(id: string): readonly Row[];
  close(): void;
}

/** Opens the evaluations of the store in a file. */
export function evaluationsIn(file: string): Evaluations {
  // Made and brought up to date like any store.
  openStore(file).close();
  const db = new DatabaseSync(file);
  db.exec("PRAGMA busy_timeout = 5000");
  db.exec("PRAGMA synchronous = FULL");
  db.exec(`CREATE TABLE IF NOT EXISTS evaluations (
      id TEXT PRIMARY KEY, series TEXT NOT NULL, file TEXT NOT NULL, flow TEXT NOT NULL, data TEXT NOT NULL, options TEXT NOT NULL,
      started_at REAL NOT NULL, status TEXT NOT NULL, grade TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS evaluation_rows (
      evaluation TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE, item TEXT NOT NULL, repeat INTEGER NOT NULL, body TEXT NOT NULL,
      PRIMARY KEY (evaluation, item, repeat)
    ) STRICT, WITHOUT ROWID;`);
  return {
    begin: (start) => {
      db.prepare(
        "INSERT INTO evaluations (id, series, file, flow, data, options, started_at, status) VALUES (?, ?, ?, ?, ?, ?, ?, 'running')",
      ).run(start.id, start.series, start.file, start.flow, start.data, JSON.stringify(start.options), start.startedAt);
    },
    add: (id, row) => {
      db.prepare("INSERT OR IGNORE INTO evaluation_rows (evaluation, item, repeat, body) VALUES (?, ?, ?, ?)").run(
        id,
        row.case,
        row.repeat,
        JSON.stringify(row),
      );
    },
    end: (id, status, grade) => {
      db.prepare("UPDATE evaluations SET status = ?, grade = ? WHERE id = ?").run(status, grade, id);
    },
    list: () =>
      db
        .prepare(
          "SELECT e.*, (SELECT count(*) FROM evaluation_rows r WHERE r.evaluation = e.id) AS n FROM evaluations e ORDER BY started_at DESC, id DESC",
        )
        .all()
        .map(evaluationOf),
    rows: (id) =>
      db
        .prepare("SELECT body FROM evaluation_rows WHERE evaluation = ? ORDER BY item, repeat")
        .all(id)
        .map(({ body }) => JSON.parse(String(body)) as Row),
    close: () => db.close(),
  };
}

function evaluationOf(row: Record<string, unknown>): Evaluation {
  const status = String(row["status"]);
  return {
    id: String(row["id"]),
    series: String(row["series"]),
    file: String(row["file"]),
    flow: String(row["flow"]),
    data: String(row["data"]),
    options: JSON.parse(String(row["options"])),
    startedAt: Number(row["started_at"]),
    status: status === "done" || status === "regressed" ? status : "running",
    grade: row["grade"] === null ? undefined : String(row["grade"]),
    rows: Number(row["n"]),
  };
}
