/** Evaluations in the store: sealed and checked rows, deletion as time goes by, damage that is told and mended. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { EVALUATION_TABLES } from "../../src/host/store/evaluation-rows.js";
import { type EvaluationStart, evaluationsIn } from "../../src/host/store/evaluations.js";
import { MIGRATIONS } from "../../src/host/store/migrations.js";
import { openStore } from "../../src/host/store/place.js";
import { salvage } from "../../src/host/store/salvage.js";
import type { Row } from "../../src/runtime/evals/results.js";

const place = (): string => join(mkdtempSync(join(tmpdir(), "weave-evals-")), ".weave", "weave.db");
const start = (id: string, startedAt: number, series = "s"): EvaluationStart => ({
  id,
  series,
  file: "a.weave",
  flow: "main",
  data: "cases.jsonl",
  options: {},
  startedAt,
});
const row = (item: string, value: unknown = "said in confidence"): Row => ({
  case: item,
  repeat: 1,
  value,
  failure: undefined,
  scores: { exact: { score: 1 } },
  unscored: undefined,
  costUsd: 0.1,
  judgeUsd: 0,
  tokens: 10,
  ms: 5,
  calls: {},
});

test("rows are found again, and what a run gave stands nowhere in clear", () => {
  const file = place();
  const store = evaluationsIn(file);
  store.begin(start("e1", 1));
  store.add("e1", row("a"));
  store.close();
  const again = evaluationsIn(file);
  expect(again.rows("e1")).toEqual([JSON.parse(JSON.stringify(row("a")))]);
  expect(again.list()).toMatchObject([{ id: "e1", status: "running", rows: 1 }]);
  again.close();
  for (const end of ["", "-wal"])
    try {
      expect(readFileSync(`${file}${end}`).includes("said in confidence")).toBe(false);
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")) throw thrown;
    }
});

test("old ones are deleted with their rows, but not the newest, nor what the next of a series is compared with", () => {
  const file = place();
  const store = evaluationsIn(file);
  for (const [id, at, series, status] of [
    ["e1", 1, "s", "done"],
    ["e2", 2, "s", "done"],
    ["e3", 3, "s", "regressed"],
    ["e4", 4, "t", "running"],
    ["e5", 5, "t", "regressed"],
    ["e6", 9, "t", "running"],
  ] as const) {
    store.begin(start(id, at, series));
    store.add(id, row("a"));
    if (status !== "running") store.end(id, status, "good");
  }
  expect(store.prune(6, 0)).toBe(4);
  expect(store.list().map(({ id }) => id)).toEqual(["e6", "e2"]);
  store.close();
  const db = new DatabaseSync(file);
  expect(db.prepare("SELECT DISTINCT evaluation FROM evaluation_rows ORDER BY evaluation").all()).toEqual([
    { evaluation: "e2" },
    { evaluation: "e6" },
  ]);
  db.close();
  const kept = evaluationsIn(file);
  expect(kept.prune(100, 1)).toBe(0);
  kept.close();
  // As the store is told to, when an evaluation ends.
  const runs = openStore(file);
  runs.retain({ days: 0, keep: 0 });
  runs.close();
  const told = evaluationsIn(file);
  told.tidy();
  expect(told.list().map(({ id }) => id)).toEqual(["e2"]);
  told.close();
});

test("a store of a version before them gets them, and rows that have no checksum yet can be read", () => {
  const file = place();
  openStore(file).close();
  const db = new DatabaseSync(file);
  db.exec("DROP TABLE evaluation_rows; DROP TABLE evaluations; ALTER TABLE lock_waits DROP COLUMN behind");
  db.exec(`CREATE TABLE evaluations (id TEXT PRIMARY KEY, series TEXT NOT NULL, file TEXT NOT NULL, flow TEXT NOT NULL, data TEXT NOT NULL,
    options TEXT NOT NULL, started_at REAL NOT NULL, status TEXT NOT NULL, grade TEXT) STRICT;
    CREATE TABLE evaluation_rows (evaluation TEXT NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE, item TEXT NOT NULL,
    repeat INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (evaluation, item, repeat)) STRICT, WITHOUT ROWID;`);
  db.prepare("INSERT INTO evaluations VALUES ('e1', 's', 'a.weave', 'main', 'c', '{}', 1, 'done', 'good')").run();
  db.prepare("INSERT INTO evaluation_rows VALUES ('e1', 'a', 1, ?)").run(JSON.stringify(row("a")));
  db.exec(`PRAGMA user_version = ${MIGRATIONS.indexOf(EVALUATION_TABLES)}`);
  db.close();
  const store = evaluationsIn(file);
  expect(store.rows("e1")).toHaveLength(1);
  store.close();
});

test("a row that was damaged is told by the doctor, is an error to read, and is made again after the repair", () => {
  const file = place();
  const store = evaluationsIn(file);
  for (const id of ["e1", "e2"]) {
    store.begin(start(id, 1));
    for (const item of ["a", "b", "c"]) store.add(id, row(item));
    store.end(id, "done", "good");
  }
  store.close();
  const db = new DatabaseSync(file);
  db.exec("UPDATE evaluation_rows SET body = body || 'x' WHERE evaluation = 'e1' AND item = 'b'");
  db.close();
  const runs = openStore(file);
  expect(runs.check()).toEqual(["1 run of the evaluation e1 does not fit its checksum"]);
  runs.close();
  const broken = evaluationsIn(file);
  expect(() => broken.rows("e1")).toThrow("what the evaluation e1 found cannot be read");
  expect(broken.rows("e2")).toHaveLength(3);
  broken.close();
  expect(salvage(file, () => false, 1).evaluations).toEqual(["e1"]);
  const mended = evaluationsIn(file);
  expect(mended.rows("e1").map((each) => each.case)).toEqual(["a", "c"]);
  expect(mended.list().map(({ id, status, rows }) => [id, status, rows])).toEqual([
    ["e2", "done", 3],
    ["e1", "running", 2],
  ]);
  mended.close();
  expect(openStore(file).check()).toEqual([]);
});

test("another key than the one that sealed a row is told, never taken for an empty value", () => {
  const file = place();
  const store = evaluationsIn(file);
  store.begin(start("e1", 1));
  store.add("e1", row("a"));
  store.close();
  writeFileSync(join(file, "..", "key"), Buffer.alloc(32, 7));
  const other = evaluationsIn(file);
  expect(() => other.rows("e1")).toThrow("cannot be read");
  other.close();
});
