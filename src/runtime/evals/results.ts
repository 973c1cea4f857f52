/**
 * Results of an evaluation: one row for each run of a case, what they come to, the grade, and the comparison with an
 * earlier evaluation. The thresholds stand here once; `docs/evaluation.md` shows the same table.
 */
import type { CalleeStats } from "./findings.js";
import type { Score } from "./scorers.js";
import { fisher, holm, mcnemar, mean, pairedPermutation, permutation, quantile, wilsonInterval } from "./statistics.js";

export interface Row {
  readonly case: string;
  /** From 1 on. */
  readonly repeat: number;
  readonly value: unknown;
  /** Why the run failed. */
  readonly failure: { readonly kind: string; readonly message: string; readonly call: string } | undefined;
  readonly scores: Readonly<Record<string, Score>>;
  /** Why a judge gave no score. */
  readonly unscored: string | undefined;
  readonly costUsd: number;
  readonly judgeUsd: number;
  readonly tokens: number;
  readonly ms: number;
  readonly calls: Readonly<Record<string, CalleeStats>>;
}

export interface Targets {
  /** Milliseconds and dollars that a run should stay within. */
  readonly ms?: number;
  readonly usd?: number;
}

export const grades = ["excellent", "good", "fair", "poor"] as const;
export type Grade = (typeof grades)[number];

/** At least (or at most) this for each grade; what is worse than fair is poor. */
export const thresholds = {
  success: [0.95, 0.85, 0.7],
  score: [0.9, 0.8, 0.6],
  errors: [0.01, 0.05, 0.15],
  /** 95th percentile of the time, and mean cost, as a multiple of their target. */
  time: [1, 1.25, 2],
  cost: [1, 1.25, 2],
} as const;

export type Metric = keyof typeof thresholds;
/** What a user may leave out of the grade and of what counts as a regression; how many runs pass always counts. */
export const ignorable: readonly Metric[] = ["score", "errors", "time", "cost"];

export interface Summary {
  readonly cases: number;
  readonly runs: number;
  readonly passed: number;
  readonly failed: number;
  /** Runs without a score because a judge failed; they count in nothing but errors, time and cost. */
  readonly unscored: number;
  readonly success: number;
  readonly successInterval: readonly [number, number];
  readonly score: number | undefined;
  readonly byScorer: Readonly<Record<string, number>>;
  readonly errors: number;
  readonly msMedian: number;
  readonly msP95: number;
  readonly usdMean: number;
  readonly usdTotal: number;
  readonly judgeUsd: number;
  /** Cases of which some runs pass and some do not. */
  readonly unstable: readonly string[];
  readonly grades: Readonly<Partial<Record<Metric, Grade>>>;
  /** The worst of them. */
  readonly grade: Grade;
}

/** The score of a run: the mean of its scorers, 0 where it failed. */
export function scoreOfRow(row: Row): number | undefined {
  if (row.failure !== undefined) return 0;
  const all = Object.values(row.scores).map(({ score }) => score);
  return row.unscored !== undefined || all.length === 0 ? undefined : mean(all);
}

/** Whether a run passes: it ended well and each score is at least the threshold. */
export function passes(row: Row, threshold: number): boolean | undefined {
  if (row.failure !== undefined) return false;
  if (row.unscored !== undefined) return undefined;
  return Object.values(row.scores).every(({ score }) => score >= threshold);
}

function graded(value: number, [excellent, good, fair]: readonly [number, number, number], higher: boolean): Grade {
  const reaches = (limit: number): boolean => (higher ? value >= limit - 1e-9 : value <= limit + 1e-9);
  return reaches(excellent) ? "excellent" : reaches(good) ? "good" : reaches(fair) ? "fair" : "poor";
}

/** What the rows come to; the grade leaves out what `ignored` names. */
export function summarize(rows: readonly Row[], threshold: number, targets: Targets, ignored: readonly Metric[] = []): Summary {
  const verdicts = rows.map((row) => passes(row, threshold));
  const passed = verdicts.filter((each) => each === true).length;
  const counted = verdicts.filter((each) => each !== undefined).length;
  const scores = rows.map(scoreOfRow).filter((each) => each !== undefined);
  const scored = rows.some((row) => Object.keys(row.scores).length > 0);
  const failed = rows.filter((row) => row.failure !== undefined).length;
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
  const byScorer = Object.fromEntries(
    names.map((name) => [
      name,
      mean(rows.flatMap((row) => (row.failure !== undefined ? [0] : row.scores[name] === undefined ? [] : [row.scores[name].score]))),
    ]),
  );
  const cases = groups(rows);
  const unstable = [...cases].flatMap(([key, of]) => (new Set(of.map((row) => passes(row, threshold))).size > 1 ? [key] : []));
  const success = counted === 0 ? 0 : passed / counted;
  const errors = rows.length === 0 ? 0 : failed / rows.length;
  const msP95 = quantile(
    rows.map((row) => row.ms),
    0.95,
  );
  const usdMean = mean(rows.map((row) => row.costUsd));
  const made: Partial<Record<Metric, Grade>> = {
    success: graded(success, thresholds.success, true),
    ...(scored ? { score: graded(mean(scores), thresholds.score, true) } : {}),
    errors: graded(errors, thresholds.errors, false),
    ...(targets.ms === undefined ? {} : { time: graded(msP95 / targets.ms, thresholds.time, false) }),
    ...(targets.usd === undefined ? {} : { cost: graded(usdMean / targets.usd, thresholds.cost, false) }),
  };
  return {
    cases: cases.size,
    runs: rows.length,
    passed,
    failed,
    unscored: rows.filter((row) => row.unscored !== undefined).length,
    success,
    successInterval: wilsonInterval(passed, counted),
    score: scored ? mean(scores) : undefined,
    byScorer,
    errors,
    msMedian: quantile(
      rows.map((row) => row.ms),
      0.5,
    ),
    msP95,
    usdMean,
    usdTotal: rows.reduce((sum, row) => sum + row.costUsd, 0),
    judgeUsd: rows.reduce((sum, row) => sum + row.judgeUsd, 0),
    unstable,
    grades: made,
    grade: worst(made, ignored),
  };
}

function worst(made: Summary["grades"], ignored: readonly Metric[]): Grade {
  const counted = (Object.entries(made) as [Metric, Grade][]).filter(([metric]) => !ignored.includes(metric));
  return grades[Math.max(...counted.map(([, grade]) => grades.indexOf(grade)))] ?? "poor";
}

function groups(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const out = new Map<string, Row[]>();
  for (const row of rows) {
    const found = out.get(row.case);
    if (found === undefined) out.set(row.case, [row]);
    else found.push(row);
  }
  return out;
}

export interface Difference {
  readonly metric: Metric;
  readonly before: number;
  readonly now: number;
  /** After the correction for looking at several. */
  readonly p: number;
  readonly test: string;
  readonly verdict: "worse" | "better" | "same";
}

export interface Comparison {
  readonly paired: number;
  readonly differences: readonly Difference[];
  readonly regression: boolean;
  /** Why no verdict can be had. */
  readonly note: string | undefined;
}

/** How likely a difference by chance may be at most. */
export const ALPHA = 0.05;
/** Smaller differences are no regression, however sure they are: points, points, points, ratio, ratio. */
const LEAST: Readonly<Record<Metric, number>> = { success: 0.01, score: 0.01, errors: 0.01, time: 0.1, cost: 0.05 };
/** Milliseconds: a busy machine adds as much to every case, and no test of chance knows of it. */
const LEAST_MS = 50;

type PerCase = ReadonlyMap<string, number>;

function perCase(rows: readonly Row[], of: (row: Row) => number | undefined): PerCase {
  const out = new Map<string, number>();
  for (const [key, all] of groups(rows)) {
    const values = all.map(of).filter((value) => value !== undefined);
    if (values.length > 0) out.set(key, mean(values));
  }
  return out;
}

const share = (yes: boolean | undefined): number | undefined => (yes === undefined ? undefined : Number(yes));
/** Times and costs are compared as ratios, so their logarithms are; nothing is the same as next to nothing. */
const log = (value: number): number => Math.log(Math.max(value, 1e-9));

/** Compares with an earlier evaluation: by case where both have it. What `ignored` names is compared, but is no regression. */
export function compare(
  before: readonly Row[],
  now: readonly Row[],
  threshold: number,
  seed: number,
  ignored: readonly Metric[] = [],
): Comparison {
  const shared = [...groups(now).keys()].filter((key) => groups(before).has(key));
  const isPaired = shared.length > 0 && shared.length * 2 >= Math.min(groups(now).size, groups(before).size);
  const once = [before, now].every((rows) => [...groups(rows).values()].every((of) => of.length === 1));
  const scored = [before, now].every((rows) => rows.some((row) => Object.keys(row.scores).length > 0));
  const measures: readonly {
    readonly metric: Metric;
    readonly of: (row: Row) => number | undefined;
    readonly shown: (rows: readonly Row[]) => number;
    readonly binary: boolean;
  }[] = [
    {
      metric: "success",
      of: (row) => share(passes(row, threshold)),
      shown: (rows) => summarize(rows, threshold, {}).success,
      binary: true,
    },
    ...(scored
      ? [
          {
            metric: "score" as const,
            of: scoreOfRow,
            shown: (rows: readonly Row[]) => summarize(rows, threshold, {}).score ?? 0,
            binary: false,
          },
        ]
      : []),
    {
      metric: "errors",
      of: (row) => Number(row.failure !== undefined),
      shown: (rows) => summarize(rows, threshold, {}).errors,
      binary: true,
    },
    { metric: "time", of: (row) => log(row.ms), shown: (rows) => Math.exp(mean(rows.map((row) => log(row.ms)))), binary: false },
    ...(now.some((row) => row.costUsd > 0) && before.some((row) => row.costUsd > 0)
      ? [
          {
            metric: "cost" as const,
            of: (row: Row) => log(row.costUsd),
            shown: (rows: readonly Row[]) => mean(rows.map((row) => row.costUsd)),
            binary: false,
          },
        ]
      : []),
  ];
  const tested = measures.map(({ metric, of, shown, binary }) => {
    const [a, b] = [perCase(before, of), perCase(now, of)];
    const within = isPaired ? shared.filter((key) => a.has(key) && b.has(key)) : [];
    const only = (rows: readonly Row[]): readonly Row[] => (isPaired ? rows.filter((row) => within.includes(row.case)) : rows);
    const differences = within.map((key) => (b.get(key) ?? 0) - (a.get(key) ?? 0));
    const [p, test]: readonly [number, string] = isPaired
      ? binary && once
        ? [mcnemar(differences.filter((each) => each > 0).length, differences.filter((each) => each < 0).length), "McNemar"]
        : [pairedPermutation(differences, seed), "paired permutation"]
      : binary
        ? [fisherOf(before, now, of), "Fisher"]
        : [permutation([...a.values()], [...b.values()], seed), "permutation"];
    return { metric, before: shown(only(before)), now: shown(only(now)), p, test };
  });
  const corrected = holm(tested.map(({ p }) => p));
  const differences = tested.map((each, i): Difference => {
    const p = corrected[i] ?? 1;
    const isRatio = each.metric === "time" || each.metric === "cost";
    const size = isRatio ? each.now / Math.max(each.before, 1e-12) - 1 : each.now - each.before;
    const worse = each.metric === "success" || each.metric === "score" ? size < 0 : size > 0;
    const isLarge = Math.abs(size) >= LEAST[each.metric] && (each.metric !== "time" || Math.abs(each.now - each.before) >= LEAST_MS);
    const counts = p < ALPHA && isLarge;
    return { ...each, p, verdict: counts ? (worse ? "worse" : "better") : "same" };
  });
  return {
    paired: isPaired ? shared.length : 0,
    differences,
    regression: differences.some(({ verdict, metric }) => verdict === "worse" && !ignored.includes(metric)),
    note: isPaired && shared.length < 6 ? `${shared.length} common cases are too few for any difference to be more than chance` : undefined,
  };
}

function fisherOf(before: readonly Row[], now: readonly Row[], of: (row: Row) => number | undefined): number {
  const count = (rows: readonly Row[]): readonly [number, number] => {
    const known = rows.map(of).filter((value) => value !== undefined);
    return [known.filter((value) => value === 1).length, known.length];
  };
  return fisher(...count(before), ...count(now));
}
