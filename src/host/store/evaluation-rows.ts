/**
 * How evaluations lie in the tables of a store. A row of a case carries a checksum of all that it says; its value is sealed,
 * since it may hold what nobody else should read.
 */
import type { DatabaseSync } from "node:sqlite";
import { hash53 } from "../../runtime/hash.js";

/** Stores of an earlier version may have the tables, without checksums. */
export const EVALUATION_TABLES = `CREATE TABLE IF NOT EXISTS evaluations (
     id TEXT PRIMARY KEY, series TEXT NOT NULL, file TEXT NOT NULL, flow TEXT NOT NULL, data TEXT NOT NULL, options TEXT NOT NULL,
     started_at REAL NOT NULL, status TEXT NOT NULL, grade TEXT
   ) STRICT;
   CREATE TABLE IF NOT EXISTS evaluation_rows (
     evaluation TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE, item TEXT NOT NULL, repeat INTEGER NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (evaluation, item, repeat)
   ) STRICT, WITHOUT ROWID;
   ALTER TABLE evaluation_rows ADD COLUMN sum REAL;`;

type Row = Readonly<Record<string, unknown>>;

export const evaluationSum = (evaluation: string, item: string, repeat: number, body: string): number =>
  hash53(`${evaluation} ${item} ${repeat} ${body}`, 7);

/** Whether a row is as it was written, as far as that can be told. */
export const isWhole = ({ evaluation, item, repeat, body, sum }: Row): boolean =>
  sum === null || sum === evaluationSum(String(evaluation), String(item), Number(repeat), String(body));

/** What is wrong with evaluations, a sentence for each. */
export function damagedEvaluations(rows: Iterable<Row>): readonly string[] {
  const damaged = new Map<string, number>();
  for (const row of rows) if (!isWhole(row)) damaged.set(String(row["evaluation"]), (damaged.get(String(row["evaluation"])) ?? 0) + 1);
  return [...damaged].map(
    ([id, count]) =>
      `${count} ${count === 1 ? "run" : "runs"} of the evaluation ${id} ${count === 1 ? "does not fit its checksum" : "do not fit their checksums"}`,
  );
}

/**
 * Copies what can be read of evaluations to another store; `rowsOf` reads as far as it can. One that lost rows counts as
 * stopped, so that `--resume` makes them again; its id is given.
 */
export function copyEvaluations(
  rowsOf: (select: string, ...args: readonly string[]) => readonly Row[],
  to: DatabaseSync,
  insert: (table: string, row: Row) => void,
): readonly string[] {
  const cut: string[] = [];
  for (const evaluation of rowsOf("SELECT * FROM evaluations")) {
    const id = String(evaluation["id"]);
    to.exec("BEGIN");
    insert("evaluations", evaluation);
    const rows = rowsOf("SELECT * FROM evaluation_rows WHERE evaluation = ?", id);
    const whole = rows.filter(isWhole);
    for (const row of whole) insert("evaluation_rows", row);
    const counted = rowsOf("SELECT count(*) AS n FROM evaluation_rows WHERE evaluation = ?", id)[0]?.["n"];
    if (whole.length !== Number(counted ?? -1)) {
      to.prepare("UPDATE evaluations SET status = 'running', grade = NULL WHERE id = ?").run(id);
      cut.push(id);
    }
    to.exec("COMMIT");
  }
  return cut;
}
