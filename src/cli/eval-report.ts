/** How an evaluation is shown: figures with their grades, what failed, the comparison, and what to try. */
import type { Evaluation } from "../host/store/evaluations.js";
import { recommend } from "../runtime/evals/findings.js";
import {
  type Comparison,
  type Grade,
  type Metric,
  passes,
  type Row,
  type Summary,
  scoreOfRow,
  type Targets,
} from "../runtime/evals/results.js";
import { counted, money, seconds } from "./figures.js";
import { bold, dim, green, red, type Terminal, yellow } from "./terminal.js";

export interface Told {
  readonly id: string;
  readonly mode: "real" | "sim" | "replay";
  readonly file: string;
  readonly flow: string;
  readonly data: string;
  readonly rows: readonly Row[];
  readonly summary: Summary;
  readonly comparison: Comparison | undefined;
  readonly baseline: Evaluation | undefined;
  /** Runs that were not made. */
  readonly left: number;
  readonly threshold: number;
  readonly targets: Targets;
}

const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 1 ? 1 : 0)} %`;
const colors: Readonly<Record<Grade, (text: string, on: boolean) => string>> = { excellent: green, good: green, fair: yellow, poor: red };

/** The text for people. */
export function report(told: Told, to: Terminal): string {
  const { summary, rows, comparison, baseline } = told;
  const on = to.outColor;
  const grade = (metric: Metric): string => {
    const of = summary.grades[metric];
    return of === undefined ? "" : colors[of](of, on);
  };
  const lines = [
    `${bold(`${told.file} ${told.flow}`, on)} on ${told.data}: ${counted(summary.cases, "case")}, ${counted(summary.runs, "run")}${told.mode === "sim" ? yellow(" (simulated)", on) : told.mode === "replay" ? " (replayed)" : ""}`,
    "",
  ];
  const [low, high] = summary.successInterval;
  const table: [string, string, string][] = [
    ["success", `${percent(summary.success)}  (95 %: ${percent(low)} to ${percent(high)})`, grade("success")],
    ...(summary.score === undefined ? [] : [["score", summary.score.toFixed(3), grade("score")] as [string, string, string]]),
    ...(Object.keys(summary.byScorer).length > 1
      ? Object.entries(summary.byScorer).map(([name, score]): [string, string, string] => [`  ${name}`, score.toFixed(3), ""])
      : []),
    ["errors", `${percent(summary.errors)}  (${counted(summary.failed, "run")})`, grade("errors")],
    ["time", `${seconds(summary.msMedian)} in the median, ${seconds(summary.msP95)} for 95 %`, grade("time")],
    [
      "cost",
      `${money(summary.usdMean)} a run, ${money(summary.usdTotal)} in all${summary.judgeUsd > 0 ? `, ${money(summary.judgeUsd)} for judges` : ""}`,
      grade("cost"),
    ],
  ];
  const width = Math.max(...table.map(([, value]) => value.length));
  for (const [name, value, of] of table) lines.push(`  ${name.padEnd(9)} ${value.padEnd(width)}  ${of}`.trimEnd());
  lines.push(`  ${"grade".padEnd(9)} ${bold(colors[summary.grade](summary.grade, on), on)}`);
  if (summary.unscored > 0)
    lines.push(
      yellow(
        `  ${counted(summary.unscored, "run")} without a score: ${rows.find((row) => row.unscored !== undefined)?.unscored ?? ""}`,
        on,
      ),
    );
  if (told.left > 0) lines.push(yellow(`  ${counted(told.left, "run")} not made`, on));
  lines.push(...notPassed(told, on));
  if (comparison !== undefined && baseline !== undefined) lines.push("", ...compared(comparison, baseline, on));
  const advice = recommend(rows, summary.unstable);
  if (advice.length > 0) lines.push("", "What to try", ...advice.map(({ text }) => `  - ${text}`));
  return `${lines.join("\n")}\n${dim(`evaluation ${told.id}`, on)}\n`;
}

function notPassed({ rows, threshold }: Told, on: boolean): string[] {
  const worst = rows.filter((row) => passes(row, threshold) === false).sort((a, b) => (scoreOfRow(a) ?? 0) - (scoreOfRow(b) ?? 0));
  if (worst.length === 0) return [];
  const shown = worst.slice(0, 5).map((row) => {
    const why =
      row.failure === undefined
        ? Object.entries(row.scores)
            .filter(([, { score }]) => score < threshold)
            .map(([name, { score, reason }]) => `${name} ${score.toFixed(2)}${reason === undefined ? "" : `: ${reason}`}`)
            .join("; ")
        : `${row.failure.kind} in ${row.failure.call}: ${row.failure.message.split("\n")[0] ?? ""}`;
    return `  ${red("✗", on)} ${row.case}${row.repeat > 1 ? ` (run ${row.repeat})` : ""}  ${why}`;
  });
  return [
    "",
    "What did not pass",
    ...shown,
    ...(worst.length > shown.length ? [`  and ${worst.length - shown.length} more; --json has all`] : []),
  ];
}

function compared({ differences, paired, note, regression }: Comparison, baseline: Evaluation, on: boolean): string[] {
  const shown = (metric: Metric, value: number): string =>
    metric === "time" ? seconds(value) : metric === "cost" ? money(value) : metric === "score" ? value.toFixed(3) : percent(value);
  const lines = [
    `Compared with ${baseline.id} of ${new Date(baseline.startedAt).toISOString().slice(0, 16).replace("T", " ")}${paired > 0 ? `, case by case (${paired})` : ", no common cases"}`,
  ];
  for (const { metric, before, now, p, test, verdict } of differences) {
    const mark =
      verdict === "worse" ? red("worse", on) : verdict === "better" ? green("better", on) : dim("no difference that is sure", on);
    lines.push(
      `  ${metric.padEnd(9)} ${shown(metric, before)} → ${shown(metric, now)}  ${mark}  ${dim(`p ${p < 0.001 ? "< 0.001" : p.toFixed(3)}, ${test}`, on)}`,
    );
  }
  if (note !== undefined) lines.push(dim(`  ${note}`, on));
  if (regression) lines.push(red("  This is a regression.", on));
  return lines;
}

/** The object that `--json` prints. */
export function reportJson(told: Told): unknown {
  const { summary, comparison, baseline } = told;
  return {
    version: 1,
    evaluation: told.id,
    file: told.file,
    flow: told.flow,
    data: told.data,
    simulated: told.mode === "sim",
    replayed: told.mode === "replay",
    cases: summary.cases,
    runs: summary.runs,
    not_made: told.left,
    passed: summary.passed,
    failed: summary.failed,
    unscored: summary.unscored,
    success: summary.success,
    success_interval: summary.successInterval,
    score: summary.score ?? null,
    scores: summary.byScorer,
    errors: summary.errors,
    time_ms: { median: summary.msMedian, p95: summary.msP95 },
    cost_usd: { mean: summary.usdMean, total: summary.usdTotal, judges: summary.judgeUsd },
    grades: summary.grades,
    grade: summary.grade,
    unstable: summary.unstable,
    baseline: baseline?.id ?? null,
    comparison:
      comparison === undefined
        ? null
        : {
            paired: comparison.paired,
            differences: comparison.differences,
            note: comparison.note ?? null,
            regression: comparison.regression,
          },
    recommendations: recommend(told.rows, summary.unstable),
    rows: told.rows.map(({ calls: _, costUsd, judgeUsd, failure, unscored, ...row }) => ({
      ...row,
      failure: failure ?? null,
      unscored: unscored ?? null,
      cost_usd: costUsd,
      judge_usd: judgeUsd,
    })),
  };
}

/** The evaluations that are kept. */
export function listed(all: readonly Evaluation[], json: boolean, to: Terminal): string {
  if (json)
    return `${JSON.stringify(all.map(({ id, file, flow, data, startedAt, status, grade, rows }) => ({ evaluation: id, file, flow, data, started: new Date(startedAt).toISOString(), status, grade: grade ?? null, runs: rows })))}\n`;
  return all
    .map(({ id, file, flow, data, startedAt, status, grade, rows }) => {
      const when = dim(new Date(startedAt).toISOString().slice(0, 19).replace("T", " "), to.outColor);
      return `${id}  ${status.padEnd(9)}  ${(grade ?? "").padEnd(9)}  ${when}  ${file} ${flow} on ${data}  ${counted(rows, "run")}\n`;
    })
    .join("");
}
