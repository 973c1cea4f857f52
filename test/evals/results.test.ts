/** Scores, grades, comparisons and recommendations of evaluations, as data. */
import { describe, expect, test } from "vitest";
import { callStats, recommend } from "../../src/runtime/evals/findings.js";
import { compare, passes, type Row, scoreOfRow, summarize } from "../../src/runtime/evals/results.js";
import { judged, parseScorer, type Scorer, scoreOf } from "../../src/runtime/evals/scorers.js";

const row = (key: string, more: Partial<Row> = {}): Row => ({
  case: key,
  repeat: 1,
  value: null,
  failure: undefined,
  scores: { exact: { score: 1 } },
  unscored: undefined,
  costUsd: 0.01,
  judgeUsd: 0,
  tokens: 100,
  ms: 1000,
  calls: {},
  ...more,
});
const scored = (key: string, score: number, more: Partial<Row> = {}): Row => row(key, { scores: { exact: { score } }, ...more });
const failed = (key: string): Row => row(key, { scores: {}, failure: { kind: "timeout", message: "too slow", call: "main/A" } });
const keys = (n: number): string[] => Array.from({ length: n }, (_, i) => `case ${i}`);

describe("scorers", () => {
  const scorer = (text: string): Scorer => {
    const found = parseScorer(text);
    if (typeof found === "string") throw new Error(found);
    return found;
  };
  test.each<[string, unknown, unknown, number]>([
    ["exact", "a", "a", 1],
    ["exact", "a", "A", 0],
    ["exact", { kind: "bug", why: "free text" }, { kind: "bug" }, 1],
    ["exact", { kind: "bug", more: { a: 1, b: 2 } }, { more: { b: 2 } }, 1],
    ["exact", { kind: "bug" }, { kind: "bug", why: null }, 1],
    ["exact", [1, 2], [1], 0],
    ["exact.kind", { kind: "bug" }, { kind: "bug", why: "x" }, 1],
    ["exact.kind", { kind: "bug" }, "bug", 1],
    ["exact.kind", { kind: "wish" }, "bug", 0],
    ["contains", "It was a Race.", "race", 1],
    ["contains", "It was a race.", ["race", "lock"], 0.5],
    ["contains", { tags: ["race"] }, "race", 1],
    ["numeric", 3, 3, 1],
    ["numeric:0.5", 3.4, 3, 1],
    ["numeric:0.5", 3.6, 3, 0],
    ["numeric:5%", 104, 100, 1],
    ["numeric:5%", 106, 100, 0],
    ["numeric.total:1", { total: 9.5 }, { total: 10 }, 1],
    ["numeric", "3", 3, 0],
  ])("%s of %j, expected %j", (text, value, expected, score) => {
    expect(scoreOf(scorer(text), value, expected, () => undefined).score).toBe(score);
  });

  test("say why", () => {
    expect(scoreOf(scorer("exact"), { a: { b: 1 } }, { a: { b: 2 } }, () => undefined).reason).toBe("a.b: expected 2, found 1");
    expect(scoreOf(scorer("contains"), "x", ["x", "y"], () => undefined).reason).toBe('without "y"');
    expect(scoreOf(scorer("schema:T"), "x", null, () => "too short")).toEqual({ score: 0, reason: "too short" });
  });

  test.each(["like", "exact:3", "numeric:lots", "judge", "schema", "exact."])("%s is none", (text) => {
    expect(typeof parseScorer(text)).toBe("string");
  });

  test.each<[unknown, unknown]>([
    [true, { score: 1 }],
    [0.25, { score: 0.25 }],
    [
      { score: 0.5, reason: "so so" },
      { score: 0.5, reason: "so so" },
    ],
    [{ pass: false }, { score: 0 }],
    [7, "a judge gives a bool, a number from 0 to 1, or a record with a field `score`; this one gave 7"],
  ])("a judge that says %j", (said, score) => {
    expect(judged(said)).toEqual(score);
  });
});

describe("a grade", () => {
  test("is the worst of its figures", () => {
    const rows = keys(20).map((key, i) => (i < 18 ? row(key) : scored(key, 0)));
    const found = summarize(rows, 0.5, { ms: 900, usd: 0.02 });
    expect(found).toMatchObject({ cases: 20, runs: 20, passed: 18, success: 0.9, score: 0.9, errors: 0 });
    expect(found.grades).toEqual({ success: "good", score: "excellent", errors: "excellent", time: "good", cost: "excellent" });
    expect(found.grade).toBe("good");
  });

  test.each([
    [20, "excellent"],
    [17, "good"],
    [14, "fair"],
    [13, "poor"],
  ])("with %i of 20 that pass it is %s", (passing, grade) => {
    const rows = keys(20).map((key, i) => (i < passing ? row(key) : scored(key, 0.4)));
    expect(summarize(rows, 0.5, {}).grades.success).toBe(grade);
  });

  test("leaves out of the grade what is ignored", () => {
    const rows = keys(4).map((key) => row(key, { ms: 1000 }));
    expect(summarize(rows, 0.5, { ms: 100 }).grade).toBe("poor");
    expect(summarize(rows, 0.5, { ms: 100 }, ["time"])).toMatchObject({ grade: "excellent", grades: { time: "poor" } });
  });

  test("a run that failed scores 0, one without a judgement scores nothing", () => {
    expect(scoreOfRow(failed("a"))).toBe(0);
    const unscored = row("b", { scores: {}, unscored: "the judge failed" });
    expect([scoreOfRow(unscored), passes(unscored, 0.5), passes(failed("a"), 0.5)]).toEqual([undefined, undefined, false]);
    expect(summarize([row("a"), unscored], 0.5, {})).toMatchObject({ passed: 1, success: 1, unscored: 1, score: 1 });
  });

  test("tells which cases pass only sometimes", () => {
    expect(summarize([row("a"), scored("a", 0, { repeat: 2 }), row("b"), row("b", { repeat: 2 })], 0.5, {}).unstable).toEqual(["a"]);
  });
});

describe("a comparison", () => {
  test("of the same is no regression", () => {
    const rows = keys(12).map((key, i) => scored(key, i / 12));
    const found = compare(rows, rows, 0.5, 1);
    expect(found).toMatchObject({ paired: 12, regression: false });
    expect(found.differences.map(({ verdict, p }) => [verdict, p])).toEqual(found.differences.map(() => ["same", 1]));
  });

  test("flags what is worse, case by case", () => {
    const before = keys(30).map((key) => row(key));
    const now = keys(30).map((key, i) => (i < 12 ? scored(key, 0) : row(key)));
    const found = compare(before, now, 0.5, 1);
    expect(found.regression).toBe(true);
    expect(found.differences.find(({ metric }) => metric === "success")).toMatchObject({
      before: 1,
      now: 0.6,
      verdict: "worse",
      test: "McNemar",
    });
    expect(compare(now, before, 0.5, 1)).toMatchObject({ regression: false });
    expect(compare(now, before, 0.5, 1).differences.find(({ metric }) => metric === "success")?.verdict).toBe("better");
  });

  test("flags time and cost as ratios", () => {
    const before = keys(20).map((key, i) => row(key, { ms: 1000 + i, costUsd: 0.01 + i / 1e5 }));
    const slower = before.map((each) => ({ ...each, ms: each.ms * 1.5 }));
    expect(compare(before, slower, 0.5, 1).differences.find(({ metric }) => metric === "time")?.verdict).toBe("worse");
    // A difference that is sure and too small to matter.
    const little = before.map((each) => ({ ...each, ms: each.ms * 1.02 }));
    expect(compare(before, little, 0.5, 1).regression).toBe(false);
    const quick = before.map((each, i) => ({ ...each, ms: 10 + i / 100 }));
    const busy = quick.map((each) => ({ ...each, ms: each.ms * 3 }));
    expect(compare(quick, busy, 0.5, 1).regression).toBe(false);
    expect(compare(before, slower, 0.5, 1).regression).toBe(true);
    expect(compare(before, slower, 0.5, 1, ["time"])).toMatchObject({ regression: false });
    expect(compare(before, slower, 0.5, 1, ["time"]).differences.find(({ metric }) => metric === "time")?.verdict).toBe("worse");
    const dearer = before.map((each) => ({ ...each, costUsd: each.costUsd * 2 }));
    expect(compare(before, dearer, 0.5, 1).differences.find(({ metric }) => metric === "cost")?.verdict).toBe("worse");
  });

  test("says when there is too little to tell", () => {
    const found = compare(
      keys(4).map((key) => row(key)),
      keys(4).map((key) => scored(key, 0)),
      0.5,
      1,
    );
    expect(found.regression).toBe(false);
    expect(found.note).toBe("4 common cases are too few for any difference to be more than chance");
  });

  test("with other cases looks at all of them", () => {
    const before = keys(20).map((key) => row(`old ${key}`));
    const now = keys(20).map((key, i) => (i < 10 ? failed(key) : row(key)));
    const found = compare(before, now, 0.5, 1);
    expect(found).toMatchObject({ paired: 0, regression: true });
    expect(found.differences.find(({ metric }) => metric === "errors")).toMatchObject({ test: "Fisher", verdict: "worse" });
  });

  test("with repeats compares the rates of each case", () => {
    const rows = (score: (i: number, repeat: number) => number): Row[] =>
      keys(10).flatMap((key, i) => [1, 2, 3].map((repeat) => scored(key, score(i, repeat), { repeat })));
    const found = compare(
      rows(() => 1),
      rows((_, repeat) => (repeat === 1 ? 0 : 1)),
      0.5,
      1,
    );
    expect(found.differences.find(({ metric }) => metric === "success")).toMatchObject({ test: "paired permutation", verdict: "worse" });
  });
});

describe("recommendations", () => {
  const stats = (more: object): Row["calls"][string] =>
    ({ of: "agent", calls: 10, failed: {}, again: 0, repaired: 0, usd: 0, pathMs: 0, gave: [], ...more }) as Row["calls"][string];
  const of = (calls: Row["calls"], unstable: readonly string[] = []): readonly string[] =>
    recommend([row("a", { calls })], unstable).map(({ about, callee }) => `${about} ${callee}`);

  test.each<[string, Row["calls"], readonly string[]]>([
    ["nothing where nothing is wrong", { A: stats({ usd: 1, pathMs: 1 }), B: stats({ usd: 1, pathMs: 1 }) }, []],
    ["failures", { A: stats({ failed: { timeout: 3 } }) }, ["failures A"]],
    ["retries", { A: stats({ again: 4 }) }, ["retries A"]],
    ["repairs", { A: stats({ repaired: 2 }) }, ["repairs A"]],
    ["cost", { A: stats({ usd: 9 }), B: stats({ usd: 1 }) }, ["cost A"]],
    ["time", { A: stats({ pathMs: 10 }), B: stats({ pathMs: 90 }) }, ["time B"]],
    ["a cache", { A: stats({ gave: Array.from({ length: 10 }, (_, i) => [`in ${i % 2}`, `out ${i % 2}`]) }) }, ["cache A"]],
    ["no cache for what varies", { A: stats({ gave: Array.from({ length: 10 }, (_, i) => ["in", `out ${i}`]) }) }, []],
  ])("%s", (_, calls, expected) => {
    expect(of(calls)).toEqual(expected);
  });

  test("what is unstable", () => {
    expect(of({}, ["a", "b"])).toEqual(["unstable "]);
  });

  test("rest on what the events say", () => {
    const call = (kind: "call.started" | "call.completed", path: string, callee: string, at: number, more: object = {}) =>
      ({ seq: 0, at, kind, path, callee, of: "agent", args: { x: 1 }, value: 2, attempts: 1, elapsedMs: 0, ...more }) as never;
    const found = callStats(
      [
        call("call.started", "m/A", "A", 0),
        call("call.started", "m/B", "B", 0),
        call("call.completed", "m/B", "B", 40, { bill: { costUsd: 0.5, inputTokens: 1, outputTokens: 1, requests: 1 } }),
        call("call.completed", "m/A", "A", 100, { attempts: 3 }),
        call("call.started", "m/C", "C", 100),
        call("call.completed", "m/C", "C", 130),
      ],
      (name) => name !== "C",
    );
    expect(found).toMatchObject({ A: { calls: 1, again: 2, pathMs: 100 }, B: { usd: 0.5, pathMs: 0 }, C: { pathMs: 30, gave: [] } });
    expect(found["A"]?.gave).toHaveLength(1);
  });
});
