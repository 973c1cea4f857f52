/**
 * `weave eval`: a flow over the cases of a dataset, several times if wanted, scored, graded and compared with an earlier
 * evaluation. Each finished run is kept at once, so that one that was stopped goes on with `--resume`. Exit code 1 when it
 * is worse than before or below the grade that is required.
 */

import { resolve } from "node:path";
import { virtualClock } from "../host/clock.js";
import { type Evaluation, type Evaluations, evaluationsIn } from "../host/store/evaluations.js";
import { findStore, storeFor } from "../host/store/place.js";
import type { FileOptions } from "../host/tools/files.js";
import type { FlowIR, Graph, TypeIR } from "../plan/ir.js";
import { compare, type Grade, grades, ignorable, type Metric, type Row, summarize, type Targets } from "../runtime/evals/results.js";
import { parseScorer, type Scorer } from "../runtime/evals/scorers.js";
import { canonical, contentHash, runId } from "../runtime/hash.js";
import type { RunOptions as RuntimeOptions } from "../runtime/run.js";
import type { Checked } from "../runtime/schema.js";
import { StoreError } from "../runtime/store.js";
import { isFields } from "../runtime/values.js";
import type { Typed } from "../semantics/check.js";
import { begin } from "./begin.js";
import type { RunOptions } from "./commands.js";
import { readDataset } from "./dataset.js";
import { listed, report, reportJson, type Told } from "./eval-report.js";
import { carryOut, type Plan } from "./eval-run.js";
import { resolveRef } from "./inputs.js";
import { type NamedType, typeIn, withJudges } from "./judge.js";
import { showProblems } from "./problems.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

export interface EvalOptions extends Omit<RunOptions, "store" | "reuse" | "events" | "input" | "confirmAbove"> {
  readonly data?: string;
  readonly score?: readonly string[];
  readonly repeat?: number;
  readonly threshold?: number;
  readonly parallel?: number;
  readonly budget?: number;
  readonly targetTime?: number;
  readonly targetCost?: number;
  readonly baseline?: string;
  readonly require?: string;
  readonly ignore?: readonly string[];
  readonly resume?: string | boolean;
  readonly store?: string;
}

/** Evaluates a flow, or lists the evaluations that are kept. */
export async function evaluate(file: string | undefined, name: string | undefined, options: EvalOptions, to: Terminal): Promise<ExitCode> {
  if (file === undefined) return listAll(options, to);
  const begun = begin(file, name, options, to);
  if (typeof begun === "number") return begun;
  const { program, typed, flow, host } = begun;
  const plan = planOf(file, begun.graph, flow, typed, options);
  if (typeof plan === "string") return wrong(plan, to);
  const { data } = options;
  if (data === undefined) return wrong("which cases? --data names a file of JSON Lines or CSV", to);
  const { validate } = await import("../runtime/schema.js");
  const needs = plan.scorers.some((scorer) => scorer.kind === "exact" || scorer.kind === "contains" || scorer.kind === "numeric");
  const wantsExpected = (expected: unknown): string | undefined => {
    for (const [name, judge] of plan.judges) {
      if (judge.expected === undefined) continue;
      const unfit = validate(judge.expected, expected ?? null, plan.graph.types);
      if (unfit.ok) continue;
      return expected === undefined
        ? `It has no \`expected\`, which the judge ${name} takes.`
        : `What is expected is nothing that the judge ${name} takes: ${unfit.message}.`;
    }
    if (expected === undefined) return needs ? "It has no `expected`, which the scorer compares with." : undefined;
    const whole = plan.scorers.length === 0 || plan.scorers.some((scorer) => scorer.kind === "exact" && scorer.path.length === 0);
    const misfit = whole ? cannotBe(expected, flow.result, plan.graph.types, validate) : undefined;
    return misfit === undefined ? undefined : `What is expected is nothing that the flow can give: ${misfit}.`;
  };
  const cases = await readDataset(data, flow, plan.graph.types, wantsExpected, filesOf(options), to);
  if (cases === undefined) return EXIT.usage;
  const scorers = plan.scorers.length === 0 && cases.every((each) => each.hasExpected) ? [parseScorer("exact") as Scorer] : plan.scorers;
  const { contradiction, openFor } = await import("./taping.js");
  const against = contradiction(options);
  if (against !== undefined) return wrong(against, to);
  const recordFile = options.record ?? options.replay;
  const open =
    recordFile === undefined
      ? undefined
      : openFor(
          recordFile,
          {
            fresh: options.record !== undefined && options.replay === undefined && options.resume === undefined,
            required: options.record === undefined,
            records: options.record !== undefined,
            command: `weave eval ${file} --record`,
          },
          to,
        );
  if (recordFile !== undefined && open === undefined) return EXIT.usage;

  const mode: Told["mode"] = options.sim === true ? "sim" : options.replay !== undefined ? "replay" : "real";
  const series = contentHash(canonical([file, flow.name, data, scorers.map((scorer) => scorer.name), plan.threshold, mode]));
  return withEvaluations(options.store ?? storeFor(file), to, async (store) => {
    const began = startOrGoOn(
      store,
      { series, file, flow: flow.name, data, options: { mode, repeat: plan.repeat, seed: plan.seed } },
      options,
      to,
    );
    if (began === undefined) return EXIT.usage;
    const baseline = baselineOf(store, began, options.baseline, to);
    if (baseline === "unknown") return EXIT.usage;
    const { secretsOf } = await import("../host/recording/file.js");
    const taken = new Set<unknown>();
    const tapeFor = (prefix: string): Partial<RuntimeOptions> =>
      open === undefined
        ? {}
        : {
            ...(options.record === undefined ? { clock: virtualClock(Date.now()) } : {}),
            tape: open.recording.tape({
              replay: options.replay !== undefined,
              record: options.record !== undefined,
              secrets: secretsOf(plan.graph, (variable) => process.env[variable]),
              prefix,
              taken,
              files: filesOf(options),
              remedy: `\`weave eval ${file} --data ${data} --replay ${recordFile} --record ${recordFile}\` asks for what is missing.`,
            }),
          };
    const ended = await carryOut({ ...plan, scorers }, cases, store, began, host, tapeFor, to);
    if (options.record !== undefined) open?.save();
    if (ended.problems.length > 0) {
      showProblems(ended.problems, program.compiled.files, to);
      return ended.problems.some(({ code }) => code === "W0911") ? EXIT.unrecorded : EXIT.diagnostics;
    }
    const rows = store.rows(began.id).filter((row) => cases.some((each) => each.key === row.case) && row.repeat <= plan.repeat);
    const before = baseline === undefined ? [] : store.rows(baseline.id);
    const targets = targetsOf(plan.targets, before);
    const ignored = (options.ignore ?? []) as readonly Metric[];
    const summary = summarize(rows, plan.threshold, targets, ignored);
    const comparison = baseline === undefined ? undefined : compare(before, rows, plan.threshold, plan.seed, ignored);
    const left = cases.length * plan.repeat - rows.length;
    if (left === 0) store.end(began.id, comparison?.regression === true ? "regressed" : "done", summary.grade);
    store.tidy();
    const told = {
      id: began.id,
      mode,
      rows,
      summary,
      comparison,
      baseline,
      left,
      threshold: plan.threshold,
      targets,
      file,
      flow: flow.name,
      data,
    };
    if (options.json) to.out(`${JSON.stringify(reportJson(told))}\n`);
    else to.out(report(told, to));
    if (left > 0) return ended.interrupted ? EXIT.interrupted : EXIT.budget;
    const required = options.require as Grade | undefined;
    const below = required !== undefined && grades.indexOf(summary.grade) > grades.indexOf(required);
    if (below) to.err(`The grade is ${summary.grade}, and ${required} is required.\n`);
    return comparison?.regression === true || below ? EXIT.failed : EXIT.done;
  });
}

/** Does something with the evaluations of a store; what the store cannot do is said in a sentence. */
async function withEvaluations(file: string, to: Terminal, work: (store: Evaluations) => ExitCode | Promise<ExitCode>): Promise<ExitCode> {
  let store: Evaluations | undefined;
  try {
    store = evaluationsIn(file);
    return await work(store);
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown;
    to.err(`error: ${thrown.message} (${file})\n`);
    return EXIT.failed;
  } finally {
    store?.close();
  }
}

const filesOf = (options: EvalOptions): FileOptions => ({ directory: process.cwd(), allowed: options.allowPath ?? [] });

/** Why a value cannot be what a type allows; of a record only the fields that are there are looked at. */
function cannotBe(
  expected: unknown,
  type: TypeIR,
  types: Graph["types"],
  validate: (type: TypeIR, value: unknown, types: Graph["types"]) => Checked,
): string | undefined {
  const of = resolveRef(type, types);
  if (of.kind === "record" && isFields(expected)) {
    for (const [name, value] of Object.entries(expected)) {
      const field = of.fields.find((each) => each.name === name);
      if (field === undefined) return `it has no field \`${name}\``;
      const inside = cannotBe(value, field.type, types, validate);
      if (inside !== undefined) return `\`${name}\`: ${inside}`;
    }
    return undefined;
  }
  const checked = validate(type, expected, types);
  return checked.ok ? undefined : checked.message;
}

function wrong(message: string, to: Terminal): ExitCode {
  to.err(`error: ${message}\n`);
  return EXIT.usage;
}

function planOf(file: string, graph: Graph, flow: FlowIR, typed: Typed, options: EvalOptions): Plan | string {
  const scorers: Scorer[] = [];
  const named = new Map<string, NamedType>();
  for (const text of options.score ?? []) {
    const scorer = parseScorer(text);
    if (typeof scorer === "string") return scorer;
    if (scorer.kind === "schema") {
      const type = typeIn(file, scorer.argument);
      if (type === undefined) return `the program has no type ${scorer.argument}`;
      named.set(scorer.argument, type);
    }
    scorers.push(scorer);
  }
  if (options.require !== undefined && !grades.some((grade) => grade === options.require))
    return `${options.require} is no grade; grades are ${grades.join(", ")}`;
  const unknown = options.ignore?.find((figure) => !ignorable.some((each) => each === figure));
  if (unknown !== undefined) return `--ignore takes ${ignorable.join(", ")}; ${unknown} is none of them`;
  const judging = withJudges(
    graph,
    flow,
    scorers.filter(({ kind }) => kind === "judge").map(({ argument }) => argument),
    typed,
  );
  if (typeof judging === "string") return judging;
  const count = (value: number | undefined, otherwise: number, what: string): number | string =>
    value === undefined ? otherwise : Number.isInteger(value) && value >= 1 ? value : `${what} is a whole number from 1`;
  const repeat = count(options.repeat, 1, "--repeat");
  const parallel = count(options.parallel, 4, "--parallel");
  if (typeof repeat === "string") return repeat;
  if (typeof parallel === "string") return parallel;
  return {
    ...judging,
    named,
    flow,
    scorers,
    repeat,
    parallel,
    threshold: options.threshold ?? 0.5,
    budget: options.budget,
    targets: {
      ...(options.targetTime === undefined ? {} : { ms: options.targetTime * 1000 }),
      ...(options.targetCost === undefined ? {} : { usd: options.targetCost }),
    },
    seed: options.seed ?? 1,
  };
}

/** Without a target, time and cost are measured by the median and the mean of the baseline. */
function targetsOf(given: Targets, before: readonly Row[]): Targets {
  if (before.length === 0) return given;
  const was = summarize(before, 0, {});
  return { ...(was.msP95 > 0 ? { ms: was.msP95 } : {}), ...(was.usdMean > 0 ? { usd: was.usdMean } : {}), ...given };
}

function startOrGoOn(
  store: Evaluations,
  about: Omit<Evaluation, "id" | "startedAt" | "status" | "grade" | "rows">,
  options: EvalOptions,
  to: Terminal,
): { readonly id: string; readonly series: string; readonly startedAt: number } | undefined {
  if (options.resume === undefined || options.resume === false) {
    const startedAt = Date.now();
    const id = runId({ wall: () => startedAt, now: () => performance.now() } as never, 0).replace(/^r/, "e");
    store.begin({ ...about, id, startedAt });
    return { id, series: about.series, startedAt };
  }
  const all = store.list();
  const wanted = options.resume;
  const found = all.find((each) => (wanted === true ? each.series === about.series && each.status === "running" : each.id === wanted));
  if (found === undefined)
    to.err(
      `error: ${wanted === true ? "no evaluation of this flow on these cases was stopped" : `there is no evaluation ${wanted}`}; \`weave eval\` lists them\n`,
    );
  else if (found.series !== about.series) {
    to.err(`error: the evaluation ${found.id} is one of ${found.file} ${found.flow} on ${found.data}, or with other scorers\n`);
    return undefined;
  }
  return found;
}

function baselineOf(
  store: Evaluations,
  now: { readonly id: string; readonly series: string },
  wanted: string | undefined,
  to: Terminal,
): Evaluation | undefined | "unknown" {
  if (wanted === "none") return undefined;
  const all = store.list().filter((each) => each.id !== now.id);
  // One that was worse than its own baseline is none: quality would slip away step by step.
  if (wanted === undefined || wanted === "last") return all.find((each) => each.series === now.series && each.status === "done");
  const found = all.find((each) => each.id === wanted);
  if (found !== undefined) return found;
  to.err(`error: there is no evaluation ${wanted}; \`weave eval\` lists them\n`);
  return "unknown";
}

async function listAll(options: EvalOptions, to: Terminal): Promise<ExitCode> {
  const file = options.store === undefined ? findStore(".") : resolve(options.store);
  if (file === undefined) {
    to.err("error: nothing was evaluated here: `weave eval FILE --data CASES` does\n");
    return EXIT.usage;
  }
  return withEvaluations(file, to, (store) => {
    to.out(listed(store.list(), options.json === true, to));
    return EXIT.done;
  });
}
