/**
 * `weave run`: a flow with its inputs, from here to its result. The value goes to standard output; how the run goes,
 * what it cost and what went wrong to standard error. The run is kept in the store, so that Ctrl-C, a
 * failure or a crash is not its end: `weave resume` goes on.
 */
import { resolve } from "node:path";
import { virtualClock } from "../host/clock.js";
import type { Inputs } from "../plan/bounds.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import type { Clock } from "../runtime/clock.js";
import { runKept } from "../runtime/durable.js";
import type { RunEvent } from "../runtime/events.js";
import { type CallFailure, causes, type PartialResult } from "../runtime/failure.js";
import { historyOf } from "../runtime/history.js";
import { reach } from "../runtime/reach.js";
import { reusing } from "../runtime/reuse.js";
import { type RunHandle, type RunResult, type RunOptions as RuntimeOptions, run } from "../runtime/run.js";
import type { Store } from "../runtime/store.js";
import type { SourceFile } from "../source/source.js";
import { begin } from "./begin.js";
import type { RunOptions } from "./commands.js";
import { envelopes } from "./envelope.js";
import { counted, money, seconds } from "./figures.js";
import { inputsOf } from "./inputs.js";
import { askerAt, chooseRun, keepingIn, stopOnInterrupt, storeOf, tidy, withStore } from "./kept.js";
import { showProblems } from "./problems.js";
import type { Program } from "./program.js";
import { progress } from "./progress.js";
import { agreed, comparedText, type Figures, figuresOf } from "./spending.js";
import { onStray } from "./strays.js";
import type { TapeWishes, Taping } from "./taping.js";
import { dim, EXIT, type ExitCode, green, red, type Terminal, yellow } from "./terminal.js";
import { noParts, partsJson, type TokenParts, tokensText, withParts } from "./tokens.js";

/** Runs a flow of a file. */
export async function runFlow(
  file: string,
  name: string | undefined,
  args: readonly string[],
  options: RunOptions,
  to: Terminal,
): Promise<ExitCode> {
  const begun = begin(file, name, options, to);
  if (typeof begun === "number") return begun;
  const { program, graph, flow, host } = begun;
  const inputs = await inputsOf(program, flow, args, options.input, to);
  if (inputs === undefined) return EXIT.usage;
  const taping = await tapingOf(file, options, graph, to);
  if (taping === "unusable") return EXIT.usage;
  const store = options.store === false ? undefined : storeOf(file, options.store, to);
  if (options.store !== false && store === undefined) return EXIT.failed;
  const work = (): Promise<ExitCode> => started({ program, file, graph, flow, inputs, host, taping, store }, options, to);
  return store === undefined ? work() : ((await withStore(store, to, work)) ?? EXIT.failed);
}

interface Started {
  readonly program: Program;
  readonly file: string;
  readonly graph: Graph;
  readonly flow: FlowIR;
  readonly inputs: Inputs;
  readonly host: RuntimeOptions;
  readonly taping: Taping | undefined;
  /** Undefined for a run that is not kept. */
  readonly store: Store | undefined;
}

/** Asks whether the run may cost what it may cost, and carries it out. */
async function started(
  { program, file, graph, flow, inputs, host, taping, store }: Started,
  options: RunOptions,
  to: Terminal,
): Promise<ExitCode> {
  const history = store === undefined ? undefined : historyOf(graph, store.history(), simulates(graph, flow, options.sim === true));
  const figures = figuresOf(graph, flow, inputs, history);
  const replayed = options.replay !== undefined && options.record === undefined;
  if (!replayed && !(await agreed(figures, options, to))) {
    to.err("Nothing was started, and nothing was spent.\n");
    return EXIT.interrupted;
  }
  const files = program.compiled.files;
  const ask = askerAt(to);
  // A replay takes no time: it is virtual, with the pauses that there were.
  const clock = replayed ? virtualClock(Date.now()) : host.clock;
  const asked: RuntimeOptions = {
    ...host,
    clock,
    seed: host.seed ?? (options.sim === true || options.replay !== undefined ? SIM_SEED : newSeed()),
    ...(history === undefined ? {} : { experiences: history.means }),
    // What another model or a recording takes tells nothing about the program's own.
    ...(options.model === undefined && options.replay === undefined ? {} : { learn: false }),
    ...(ask === undefined ? {} : { ask }),
  };
  const about = { title: `${file} · ${flow.name}`, files, clock, figures, ...(taping === undefined ? {} : { taping }) };
  if (store === undefined)
    return follow(
      (onEvent) => run(graph, flow.name, inputs, tapedBy(taping, { ...asked, onEvent })),
      { ...about, kept: false },
      options,
      to,
    );
  const reused = options.reuse === undefined ? undefined : chooseRun(store, options.reuse, () => true, "", to);
  if (options.reuse !== undefined && reused === undefined) return EXIT.usage;
  const known = reused === undefined ? {} : reusing(reused, graph);
  const ended = await follow(
    (onEvent) =>
      runKept(graph, flow.name, inputs, tapedBy(taping, { ...asked, ...known, onEvent }), keepingIn(store), {
        file,
        options: startOptions(options),
      }),
    { ...about, kept: true },
    options,
    to,
  );
  tidy(store);
  return ended;
}

/** Whether answers of the flow are made up: simulated runs and real ones tell nothing about each other. */
function simulates(graph: Graph, flow: FlowIR, all: boolean): boolean {
  return all || reach(graph, [{ kind: "flow", id: flow.id }]).models.some((id) => graph.models[id]?.provider === "sim");
}

/** The tape that the options ask for; `unusable` when there can be none, which is shown. */
export async function tapingOf(
  file: string,
  options: TapeWishes,
  graph: Graph,
  to: Terminal,
  carriedOn = false,
): Promise<Taping | undefined | "unusable"> {
  if (options.record === undefined && options.replay === undefined) return undefined;
  const { contradiction, taping } = await import("./taping.js");
  const wrong = contradiction(options);
  if (wrong !== undefined) to.err(`error: ${wrong}\n`);
  if (wrong !== undefined) return "unusable";
  return taping(file, options, graph, to, carriedOn) ?? "unusable";
}

/** The options of a run with its tape, if it has one. */
export const tapedBy = (taping: Taping | undefined, options: RuntimeOptions): RuntimeOptions => taping?.taped(options) ?? options;

/** Simulated runs are alike unless another seed is asked for. */
const SIM_SEED = 1;

const newSeed = (): number => Math.floor(Math.random() * 1e9);

/** What a resumed run has to know of how it was started. */
function startOptions(options: RunOptions): Readonly<Record<string, string | boolean>> {
  return {
    directory: process.cwd(),
    ...(options.sim === true ? { sim: true } : {}),
    ...(options.simFaults === undefined ? {} : { simFaults: options.simFaults }),
    ...(options.allowPath === undefined ? {} : { allowPath: options.allowPath.map((path) => resolve(path)).join("\n") }),
    ...(options.allowHost === undefined ? {} : { allowHost: options.allowHost.join("\n") }),
    ...(options.model === undefined ? {} : { model: options.model.join("\n") }),
    ...(options.record === undefined ? {} : { record: resolve(options.record) }),
    ...(options.replay === undefined ? {} : { replay: resolve(options.replay) }),
  };
}

export interface Followed {
  readonly title: string;
  readonly files: ReadonlyMap<string, SourceFile>;
  readonly kept: boolean;
  readonly clock: Clock;
  readonly taping?: Taping;
  /** What it was said to use before it began. */
  readonly figures?: Figures;
  /** What happened before, in a run that is carried on. */
  readonly before?: readonly RunEvent[];
}

/** Shows a run from its start to its end. */
export async function follow(
  start: (onEvent: (event: RunEvent) => void) => RunHandle,
  about: Followed,
  options: Pick<RunOptions, "json" | "events" | "grace">,
  to: Terminal,
): Promise<ExitCode> {
  const view = options.events ? undefined : progress(about.title, to, about.before);
  const wrap = { envelope: undefined as ReturnType<typeof envelopes> | undefined };
  const early: RunEvent[] = [];
  const write = (event: RunEvent): void => {
    if (wrap.envelope === undefined) early.push({ ...event });
    else to.out(`${JSON.stringify(wrap.envelope(event))}\n`);
  };
  let parts = (about.before ?? []).reduce(withParts, noParts);
  const handle = start((event) => {
    parts = withParts(parts, event);
    view?.event(event);
    if (options.events) write(event);
  });
  wrap.envelope = envelopes(handle.id, about.clock.wall);
  for (const event of early) write(event);
  let strayed = false;
  const endStrays = onStray((message) => {
    strayed = true;
    to.err(`weave: ${message}; it belongs to no call, so the run is stopped\n`);
    if (about.kept) handle.interrupt("an error that belongs to no call");
    else handle.cancel("an error that belongs to no call");
  });
  const release = stopOnInterrupt(handle, about.kept, options, to);
  const result = await handle.result;
  release();
  endStrays();
  view?.stop();
  // What was refused before it started leaves a recording as it is.
  if (result.problems.length === 0 || result.failure !== undefined) about.taping?.save(to);
  const code = conclude(result, parts, about, options, to);
  return strayed && result.status !== "completed" ? EXIT.failed : code;
}

/** The code of a question that a recording has no answer to. */
const NOT_RECORDED = "W0911";

function conclude(
  result: RunResult,
  parts: TokenParts,
  about: Followed,
  options: Pick<RunOptions, "json" | "events">,
  to: Terminal,
): ExitCode {
  if (result.problems.length > 0) {
    showProblems(result.problems, about.files, to);
    if (result.failure === undefined) return EXIT.diagnostics;
    if (options.json) to.out(`${JSON.stringify(resultJson(result, parts))}\n`);
    return result.problems.some(({ code }) => code === NOT_RECORDED) ? EXIT.unrecorded : EXIT.failed;
  }
  if (options.json) to.out(`${JSON.stringify(resultJson(result, parts))}\n`);
  else if (result.status === "completed" && !options.events) {
    to.out(typeof result.value === "string" ? `${result.value.replace(/\n?$/, "")}\n` : `${JSON.stringify(result.value, null, 2)}\n`);
  }
  to.err(summary(result, parts, about.figures, to));
  if (about.kept) to.err(whatNext(result, to));
  switch (result.status) {
    case "completed":
      return EXIT.done;
    case "cancelled":
    case "paused":
      return EXIT.interrupted;
    case "waiting":
      return EXIT.waiting;
    case "failed":
      return result.failure?.kind === "budget_exceeded" ? EXIT.budget : EXIT.failed;
  }
}

/** How the run goes on, for one that is not over. */
function whatNext(result: RunResult, to: Terminal): string {
  const { run: id, status } = result;
  const lines =
    status === "waiting"
      ? result.questions.map((path) => `  ${path} waits for an answer: weave answer ${id} ${path} …, then weave resume ${id}`)
      : status === "paused" || status === "failed"
        ? [`  weave resume ${id} goes on from here`]
        : [];
  return [...lines, `  run ${id}`].map((line) => `${dim(line, to.color)}\n`).join("");
}

/** The object that `--json` prints. */
function resultJson(result: RunResult, parts: TokenParts): Readonly<Record<string, unknown>> {
  const { spend, failure } = result;
  return {
    run: result.run,
    status: result.status,
    value: result.value ?? null,
    failure: failure === undefined ? null : { kind: failure.kind, message: failure.message, call: failure.path },
    partial: result.partial ?? null,
    spend: {
      cost_usd: spend.costUsd,
      input_tokens: spend.inputTokens,
      output_tokens: spend.outputTokens,
      ...partsJson(parts),
      calls: spend.calls,
      tool_calls: spend.toolCalls,
      reused: spend.reused,
    },
    elapsed_ms: Math.round(result.elapsedMs),
    simulated: result.simulated,
    replayed: result.replayed,
  };
}

function summary(result: RunResult, parts: TokenParts, figures: Figures | undefined, to: Terminal): string {
  const { spend } = result;
  const agentCalls = spend.calls - spend.toolCalls;
  const used = [
    ...(agentCalls > 0 ? [counted(agentCalls, "agent call")] : []),
    ...(spend.toolCalls > 0 ? [counted(spend.toolCalls, "tool call")] : []),
    ...(spend.inputTokens + spend.outputTokens > 0 ? [tokensText(spend, parts)] : []),
    ...(agentCalls > 0 || spend.costUsd > 0
      ? [result.simulated || result.replayed ? `${money(spend.costUsd)} if it were real` : money(spend.costUsd)]
      : []),
  ];
  const sign = {
    completed: green("✓", to.color),
    failed: red("✗", to.color),
    cancelled: yellow("!", to.color),
    waiting: yellow("?", to.color),
    paused: yellow("!", to.color),
  }[result.status];
  const lines = [`${sign} ${result.status} in ${seconds(result.elapsedMs)}${used.length > 0 ? ` · ${used.join(" · ")}` : ""}`];
  const compared = figures === undefined || spend.costUsd === 0 ? undefined : comparedText(spend.costUsd, figures);
  if (compared !== undefined) lines.push(dim(`  ${compared}`, to.color));
  if (result.failure !== undefined && result.status === "failed") lines.push(...reasons(result.failure, to));
  if (spend.overran !== undefined)
    lines.push(
      yellow(
        `  ${counted(spend.overran, "request")} used more than was reserved: prices or limits of models may be out of date.`,
        to.color,
      ),
    );
  if (result.simulated) lines.push(yellow("  The answers of agents are simulated: made up from their types, without a model.", to.color));
  if (result.replayed) lines.push(yellow("  What models, tools and people answered came from a recording.", to.color));
  return `${lines.join("\n")}\n`;
}

/** Why it failed: the failure, then each one that caused it, with where it happened. */
function reasons(failure: CallFailure, to: Terminal): string[] {
  const chain = [...causes(failure)];
  const lines = chain.map((each, i) => {
    const attempts = each.attempts > 1 ? ` (${each.attempts} attempts)` : "";
    return `  ${i === 0 ? "" : "because of "}${red(each.kind, to.color)}${each.path === "" ? "" : ` in ${each.path}`}${attempts}: ${each.message}`;
  });
  if (failure.partial !== undefined) lines.push(...itemLines(failure.partial, chain.at(-1), to));
  return lines;
}

/** How a fan-out went, each way to fail once with its count. */
function itemLines({ ok, failed }: PartialResult, cause: CallFailure | undefined, to: Terminal): string[] {
  const groups = new Map<string, string[]>();
  for (const { key, error } of failed) {
    const text = `${error.kind}: ${error.message.split("\n")[0] ?? ""}`;
    groups.set(text, [...(groups.get(text) ?? []), key]);
  }
  const head = dim(`  ${counted(ok.length, "item")} done, ${failed.length} failed; --json prints both`, to.color);
  // One failure that was told above needs no line of its own.
  const [only] = groups.keys();
  if (groups.size === 1 && failed.length === 1 && cause !== undefined && only === `${cause.kind}: ${cause.message.split("\n")[0] ?? ""}`)
    return [head];
  const shown = [...groups].slice(0, 5).map(([text, keys]) => {
    const some = keys.slice(0, 3).join(", ");
    return keys.length === 1 ? `  ${some}: ${text}` : `  ${counted(keys.length, "item")} (${some}${keys.length > 3 ? ", …" : ""}): ${text}`;
  });
  const more = groups.size - shown.length;
  return [head, ...shown, ...(more > 0 ? [`  and ${more} other ${more === 1 ? "failure" : "failures"}`] : [])];
}
