/** Deleting old runs, and what nothing names any more. */
import type { StatementSync } from "node:sqlite";

/** The hashes under which texts are kept that stand in a column of a table as `@` and their hash. */
const NAMED = [
  ["records", "body"],
  ["cache", "body"],
  ["set_aside", "body"],
  ["runs", "graph"],
  ["runs", "inputs"],
]
  .map(([table, column]) => `SELECT substr(${column}, 2) FROM ${table} WHERE ${column} >= '@' AND ${column} < 'A'`)
  .join(" UNION ALL ");

/** Deletes runs that ended before a time, but for the newest `keep`; gives how many. */
export function pruned(sql: (text: string) => StatementSync, before: number, keep: number, now: number): number {
  const { changes } = sql(
    "DELETE FROM runs WHERE ended_at IS NOT NULL AND ended_at < ? AND id NOT IN (SELECT id FROM runs ORDER BY started_at DESC, id DESC LIMIT ?)",
  ).run(before, keep);
  sql("DELETE FROM history WHERE at < ?").run(before);
  sql("DELETE FROM cache WHERE until <= ?").run(now);
  sql("DELETE FROM set_aside WHERE run NOT IN (SELECT id FROM runs)").run();
  // The list is made once, if it is needed at all, not for each of the contents.
  sql(
    `DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM large_results WHERE large_results.hash = contents.hash) AND hash NOT IN (${NAMED})`,
  ).run();
  return Number(changes);
}
