/**
 * The runs of an evaluation: what has no row yet is run, so many at once, within the budget of all, and kept as soon as
 * it is scored. A run gets a cap that the budget can pay, so no interleaving spends more.
 */
import type { Evaluations } from "../host/store/evaluations.js";
import { bounds } from "../plan/bounds.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import { callStats } from "../runtime/evals/findings.js";
import type { Row, Targets } from "../runtime/evals/results.js";
import { judged, type Score, type Scorer, scoreOf } from "../runtime/evals/scorers.js";
import type { RunEvent } from "../runtime/events.js";
import { hash53 } from "../runtime/hash.js";
import { redactor } from "../runtime/redact.js";
import { type RunResult, type RunOptions as RuntimeOptions, run } from "../runtime/run.js";
import { scrubber } from "../runtime/scrub.js";
import type { Case } from "./dataset.js";
import { money } from "./figures.js";
import type { Judge, NamedType } from "./judge.js";
import { dim, EXIT, type Terminal } from "./terminal.js";

/** What an evaluation is, besides its cases. */
export interface Plan {
  readonly graph: Graph;
  readonly flow: FlowIR;
  readonly scorers: readonly Scorer[];
  readonly judges: ReadonlyMap<string, Judge>;
  /** Types that scorers name. */
  readonly named: ReadonlyMap<string, NamedType>;
  readonly repeat: number;
  readonly threshold: number;
  readonly parallel: number;
  readonly budget: number | undefined;
  readonly targets: Targets;
  readonly seed: number;
}

interface Ended {
  readonly problems: RunResult["problems"];
  readonly interrupted: boolean;
}

/** Runs what has no row yet, so many at once, within the budget. */
export async function carryOut(
  plan: Plan,
  cases: readonly Case[],
  store: Evaluations,
  evaluation: { readonly id: string },
  host: RuntimeOptions,
  tapeFor: (prefix: string) => Partial<RuntimeOptions>,
  to: Terminal,
): Promise<Ended> {
  const done = new Set(store.rows(evaluation.id).map((row) => `${row.case} ${row.repeat}`));
  const todo = Array.from({ length: plan.repeat }, (_, i) => cases.map((of) => ({ of, repeat: i + 1 })))
    .flat()
    .filter(({ of, repeat }) => !done.has(`${of.key} ${repeat}`));
  if (done.size > 0) to.err(`${done.size} runs are done, ${todo.length} are left.\n`);
  let spent = store.rows(evaluation.id).reduce((sum, row) => sum + row.costUsd + row.judgeUsd, 0);
  let held = 0;
  const { secretsOf } = await import("../host/recording/file.js");
  const scrub = scrubber(secretsOf(plan.graph, (name) => process.env[name]));
  let found: RunResult["problems"] = [];
  let short = false;
  let finished = 0;
  const abort = new AbortController();
  const onSignal = (): void => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted);
    to.err("\nStopping; `--resume` goes on with what is left. Ctrl-C again stops at once.\n");
    abort.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  let free: (() => void)[] = [];

  /** What a run may spend: its bound, or all that is left when that is less and nothing else runs. */
  const allot = async (inputs: Readonly<Record<string, unknown>>): Promise<number | undefined> => {
    if (plan.budget === undefined) return Number.POSITIVE_INFINITY;
    const need = plan.scorers.some(({ kind }) => kind === "judge") ? Number.POSITIVE_INFINITY : mostOf(plan, inputs);
    while (!short && !abort.signal.aborted) {
      const left = plan.budget - spent - held;
      if (need <= left || (held === 0 && left > 0)) {
        const share = Math.min(need, left);
        held += share;
        return share;
      }
      if (held === 0) break;
      await new Promise<void>((wake) => free.push(wake));
    }
    short = true;
    return undefined;
  };

  const one = async ({ of, repeat }: (typeof todo)[number]): Promise<void> => {
    const share = await allot(of.inputs);
    if (share === undefined) return;
    const result = await runCase(plan, of, repeat, share, { ...host, signal: abort.signal }, tapeFor);
    if (Number.isFinite(share)) held -= share;
    spent += "row" in result ? result.row.costUsd + result.row.judgeUsd : result.spent;
    for (const wake of free.splice(0)) wake();
    if ("problems" in result) found = result.problems;
    else if ("short" in result) short = true;
    else if ("row" in result && !abort.signal.aborted) {
      store.add(evaluation.id, scrub.value(result.row) as Row);
      finished++;
      if (to.interactive || finished % 10 === 0 || finished === todo.length)
        to.err(dim(`${finished} of ${todo.length} runs · ${money(spent)}\n`, to.color));
    }
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = todo[next++]; at !== undefined && found.length === 0 && !short && !abort.signal.aborted; at = todo[next++]) await one(at);
    free = free.splice(0);
  };
  await Promise.all(Array.from({ length: Math.min(plan.parallel, todo.length) }, worker));
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
  if (short) to.err("The budget is used up: what was not run is left out, and `--resume` goes on with it.\n");
  return { problems: found, interrupted: abort.signal.aborted };
}

function mostOf({ graph, flow }: Plan, inputs: Readonly<Record<string, unknown>>): number {
  const { cost } = bounds(graph, inputs).of(flow).bound.most;
  return typeof cost === "number" ? cost / 1e9 : Number.POSITIVE_INFINITY;
}

type CaseResult =
  | { readonly row: Row }
  | { readonly problems: RunResult["problems"]; readonly spent: number }
  | { readonly short: true; readonly spent: number };

/** One run of a case and what its scorers say. */
async function runCase(
  plan: Plan,
  of: Case,
  repeat: number,
  capUsd: number,
  host: RuntimeOptions,
  tapeFor: (prefix: string) => Partial<RuntimeOptions>,
): Promise<CaseResult> {
  const { graph, flow, scorers } = plan;
  const seed = hash53(`${of.key} ${repeat}`, plan.seed) % 2 ** 31;
  const events: RunEvent[] = [];
  const place = `${of.key}#${repeat}/`;
  const caps = (usd: number): Partial<RuntimeOptions> => (Number.isFinite(usd) ? { capUsd: usd } : {});
  const result = await run(graph, flow.name, of.inputs, {
    ...host,
    ...tapeFor(place),
    ...caps(capUsd),
    seed,
    onEvent: (event) => events.push(event),
  }).result;
  if (result.problems.length > 0) return { problems: result.problems, spent: result.spend.costUsd };
  if (Number.isFinite(capUsd) && ofTheCap(result)) return { short: true, spent: result.spend.costUsd };
  const failure =
    result.status === "completed"
      ? undefined
      : result.failure === undefined
        ? { kind: "denied", message: "it waits for a person", call: result.questions[0] ?? "" }
        : { kind: result.failure.kind, message: result.failure.message, call: result.failure.path };
  const scores: Record<string, Score> = {};
  let judgeUsd = 0;
  let unscored: string | undefined;
  for (const scorer of failure === undefined ? scorers : []) {
    if (scorer.kind !== "judge") {
      scores[scorer.name] = scoreOf(scorer, result.value, of.expected, await fitting(plan, scorer));
      continue;
    }
    const judge = plan.judges.get(scorer.argument);
    if (judge === undefined) continue;
    const all: Readonly<Record<string, unknown>> = { ...of.inputs, output: result.value, expected: of.expected ?? null };
    const inputs = Object.fromEntries(Object.entries(all).filter(([name]) => judge.wants.has(name)));
    const left = capUsd - result.spend.costUsd - judgeUsd;
    const said = await run(graph, judge.flow.name, inputs, { ...host, ...tapeFor(`${place}${scorer.name}/`), ...caps(left), seed }).result;
    judgeUsd += said.spend.costUsd;
    if (said.problems.length > 0) return { problems: said.problems, spent: result.spend.costUsd + judgeUsd };
    if (Number.isFinite(left) && ofTheCap(said)) return { short: true, spent: result.spend.costUsd + judgeUsd };
    const score = said.status === "completed" ? judged(said.value) : `the judge failed: ${said.failure?.message ?? said.status}`;
    if (typeof score === "string") unscored = score;
    else scores[scorer.name] = score;
  }
  const hide = redactor(flow.params, flow.result, graph.types).result;
  const isPure = (name: string): boolean =>
    (Object.values(graph.tools).find((each) => each.name === name) ?? Object.values(graph.agents).find((each) => each.name === name))
      ?.effect === "none";
  return {
    row: {
      case: of.key,
      repeat,
      value: hide === undefined ? result.value : hide(result.value),
      failure,
      scores,
      unscored,
      costUsd: result.spend.costUsd,
      judgeUsd,
      tokens: result.spend.inputTokens + result.spend.outputTokens,
      ms: Math.round(result.elapsedMs),
      calls: callStats(events, isPure),
    },
  };
}

/** Whether it was the cap around the run, and no budget of the program, that refused. */
function ofTheCap({ failure }: RunResult): boolean {
  const account = failure?.kind === "budget_exceeded" ? failure.account : undefined;
  return account !== undefined && "path" in account && account.path === "run";
}

async function fitting({ named }: Plan, scorer: Scorer): Promise<(value: unknown) => string | undefined> {
  const of = scorer.kind === "schema" ? named.get(scorer.argument) : undefined;
  if (of === undefined) return () => undefined;
  const { validate } = await import("../runtime/schema.js");
  return (value) => {
    const checked = validate(of.type, value ?? null, of.types);
    return checked.ok ? undefined : checked.message;
  };
}
