/**
 * Evaluations in the store of runs (SQLite): what each was, and a row for each run of a case, durable when it is added,
 * so that an evaluation that was killed goes on where it was. Rows are written once and never changed; a damaged one is an error.
 */
import { DatabaseSync } from "node:sqlite";
import type { Row } from "../../runtime/evals/results.js";
import { StoreError } from "../../runtime/store.js";
import { evaluationSum, isWhole } from "./evaluation-rows.js";
import { openStore } from "./open.js";
import { openText, SEALED, sealing } from "./sealing.js";

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
  /**
   * Deletes evaluations that began before a time (milliseconds since 1970), but never the newest `keep` nor what the next one
   * of a series is compared with; returns how many.
   */
  prune(before: number, keep: number): number;
  /** Deletes what the store is told to delete as time goes by. */
  tidy(): void;
  close(): void;
}

/** Opens the evaluations of the store in a file. */
export function evaluationsIn(file: string): Evaluations {
  // Made and brought up to date like any store.
  const made = openStore(file);
  const retention = made.retention();
  made.close();
  const db = new DatabaseSync(file);
  db.exec("PRAGMA busy_timeout = 5000");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  const seals = sealing(file);
  const evaluations: Evaluations = {
    begin: (start) => {
      db.prepare(
        "INSERT INTO evaluations (id, series, file, flow, data, options, started_at, status) VALUES (?, ?, ?, ?, ?, ?, ?, 'running')",
      ).run(start.id, start.series, start.file, start.flow, start.data, JSON.stringify(start.options), start.startedAt);
    },
    add: (id, row) => {
      const body = SEALED + seals.seal(JSON.stringify(row));
      db.prepare("INSERT OR IGNORE INTO evaluation_rows (evaluation, item, repeat, body, sum) VALUES (?, ?, ?, ?, ?)").run(
        id,
        row.case,
        row.repeat,
        body,
        evaluationSum(id, row.case, row.repeat, body),
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
        .prepare("SELECT * FROM evaluation_rows WHERE evaluation = ? ORDER BY item, repeat")
        .all(id)
        .map((row) => {
          const text = isWhole(row) ? openText(String(row["body"]), seals) : undefined;
          if (text === undefined)
            throw new StoreError("corrupt", `what the evaluation ${id} found cannot be read; \`weave doctor\` tells more`);
          return JSON.parse(text) as Row;
        }),
    prune: (before, keep) => {
      // The newest of a series is what its next one is compared with.
      const newest = "SELECT id FROM (SELECT id, max(started_at) FROM evaluations WHERE status = 'done' GROUP BY series)";
      const { changes } = db
        .prepare(
          `DELETE FROM evaluations WHERE started_at < ? AND id NOT IN (${newest}) AND id NOT IN (SELECT id FROM evaluations ORDER BY started_at DESC, id DESC LIMIT ?)`,
        )
        .run(before, keep);
      return Number(changes);
    },
    tidy: () => {
      if (retention !== undefined) evaluations.prune(Date.now() - retention.days * 86_400_000, retention.keep);
    },
    close: () => db.close(),
  };
  return evaluations;
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
