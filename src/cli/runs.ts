/** History and control of stored runs: `weave runs`, `show`, `pause`, `cancel`, `answer`, `doctor`. */
import { existsSync } from "node:fs";
import { hasEnded, lookAt, openStore, takeOver } from "../host/store/open.js";
import { findStore } from "../host/store/place.js";
import { resumeKept } from "../runtime/durable.js";
import { intendedMerges } from "../runtime/isolate.js";
import { evolve, initialState } from "../runtime/state.js";
import { type RunSummary, type Store, type StoredRun, StoreError } from "../runtime/store.js";
import { differences, why } from "../runtime/why.js";
import { counted, money, seconds } from "./figures.js";
import { chooseRun, keepingIn, readJson, storeOf, withStore } from "./kept.js";
import { hostOf } from "./resume.js";
import { bold, dim, EXIT, type ExitCode, green, red, type Terminal, yellow } from "./terminal.js";
import { noParts, partsJson, tokensText, withParts } from "./tokens.js";

export interface StoreOptions {
  readonly store?: string;
  readonly json?: boolean;
}

async function inStore(
  options: StoreOptions,
  to: Terminal,
  work: (store: Store) => ExitCode | Promise<ExitCode>,
  open = openStore,
): Promise<ExitCode> {
  const store = storeOf(undefined, options.store, to, open);
  return store === undefined ? EXIT.usage : ((await withStore(store, to, () => work(store))) ?? EXIT.failed);
}

export interface PruneOptions {
  readonly olderThan?: number;
  readonly keep?: number;
  /** True: from now on, whenever a run ends. */
  readonly always?: boolean;
  readonly never?: boolean;
}

/** As `inStore`, also for a store that may not be written. */
const looking = (options: StoreOptions, to: Terminal, work: (store: Store) => ExitCode): Promise<ExitCode> =>
  inStore(options, to, work, lookAt);

/** Lists runs, newest first, or deletes old ones. */
export function runs(
  action: string | undefined,
  options: StoreOptions & PruneOptions & { readonly limit?: number },
  to: Terminal,
): Promise<ExitCode> {
  if (action !== undefined && action !== "prune") {
    to.err(`error: \`weave runs\` lists runs and \`weave runs prune\` deletes old ones; \`weave show ${action}\` shows one\n`);
    return Promise.resolve(EXIT.usage);
  }
  if (action === "prune") return inStore(options, to, (store) => prune(store, options.store ?? findStore("."), options, to));
  return looking(options, to, (store) => {
    const all = store.list(options.limit ?? 20);
    if (options.json) to.out(`${JSON.stringify(all.map(summaryJson))}\n`);
    else for (const run of all) to.out(`${line(run, to)}\n`);
    return EXIT.done;
  });
}

async function prune(
  store: Store,
  file: string | undefined,
  { olderThan: days = 30, keep = 0, always, never }: PruneOptions,
  to: Terminal,
): Promise<ExitCode> {
  if (never) {
    store.retain(undefined);
    to.err("From now on nothing is deleted unless you say so.\n");
    return EXIT.done;
  }
  const before = Date.now() - days * 86_400_000;
  const count = store.prune(before, keep);
  const evaluated = file === undefined ? 0 : await pruneEvaluations(file, before, keep);
  if (always) store.retain({ days, keep });
  const from = `runs that ended more than ${counted(days, "day")} ago${keep > 0 ? `, but never the newest ${keep}` : ""}`;
  to.err(
    `${counted(count, "run")}${evaluated > 0 ? ` and ${counted(evaluated, "evaluation")}` : ""} deleted.${always ? ` From now on each run that ends deletes ${from}.` : ""}\n`,
  );
  return EXIT.done;
}

async function pruneEvaluations(file: string, before: number, keep: number): Promise<number> {
  const { evaluationsIn } = await import("../host/store/evaluations.js");
  const evaluations = evaluationsIn(file);
  try {
    return evaluations.prune(before, keep);
  } finally {
    evaluations.close();
  }
}

const MARKS = { completed: green, failed: red, cancelled: yellow, running: bold, waiting: yellow, paused: yellow } as const;

function line(run: RunSummary, to: Terminal): string {
  const took = run.endedAt === undefined ? "" : seconds(run.endedAt - run.startedAt);
  const when = new Date(run.startedAt).toISOString().replace("T", " ").slice(0, 19);
  return [
    run.run,
    MARKS[run.status](run.status.padEnd(9), to.outColor),
    dim(when, to.outColor),
    `${run.file} ${run.flow}`,
    money(run.costUsd),
    took,
  ]
    .join("  ")
    .trimEnd();
}

function summaryJson({ run, file, flow, status, startedAt, endedAt, costUsd, calls }: RunSummary): unknown {
  const ended = endedAt === undefined ? null : new Date(endedAt).toISOString();
  return { run, file, flow, status, started: new Date(startedAt).toISOString(), ended, cost_usd: costUsd, calls };
}

/** Shows what happened in a run: each call with its time, its cost, what it waited for and how it ended. */
export function show(named: string | undefined, options: StoreOptions & { readonly events?: boolean }, to: Terminal): Promise<ExitCode> {
  return looking(options, to, (store) => {
    const stored = chooseRun(store, named, () => true, "there is no run yet", to);
    if (stored === undefined) return EXIT.usage;
    if (options.events) {
      for (const event of stored.events) to.out(`${JSON.stringify(event)}\n`);
      return EXIT.done;
    }
    if (options.json) to.out(`${JSON.stringify(shownJson(stored))}\n`);
    else to.out(shownText(stored, to));
    return EXIT.done;
  });
}

/** How a run ended last, and what it had spent then; undefined for one that has not. */
function endOf(events: StoredRun["events"]) {
  const last = events.findLast((event) => event.kind.startsWith("run.") && "spend" in event);
  return { last, spend: last !== undefined && "spend" in last ? last.spend : undefined };
}

function shownJson({ start, status, events }: StoredRun): unknown {
  const { last, spend } = endOf(events);
  return {
    run: start.run,
    status,
    value: last?.kind === "run.completed" ? last.value : null,
    failure: last?.kind === "run.failed" ? { kind: last.failure.kind, message: last.failure.message, call: last.failure.call } : null,
    partial: last?.kind === "run.failed" ? (last.partial ?? null) : null,
    spend:
      spend === undefined
        ? null
        : {
            cost_usd: spend.costUsd,
            input_tokens: spend.inputTokens,
            output_tokens: spend.outputTokens,
            ...partsJson(events.reduce(withParts, noParts)),
            calls: spend.calls,
            tool_calls: spend.toolCalls,
            reused: spend.reused,
          },
    elapsed_ms: Math.round(events.at(-1)?.at ?? 0),
    simulated: events.some((event) => event.kind === "run.started" && event.simulated),
    replayed: events.some((event) => event.kind === "run.started" && event.replayed === true),
  };
}

function shownText({ start, status, events, damaged }: StoredRun, to: Terminal): string {
  const color = to.outColor;
  const state = events.reduce(evolve, initialState);
  const lines = [
    `${bold(start.run, color)}  ${start.file} ${start.flow}  ${MARKS[status](status, color)}  ${new Date(start.startedAt).toISOString()}`,
    `inputs ${JSON.stringify(events.find((event) => event.kind === "run.started")?.inputs ?? {})}`,
  ];
  for (const event of events) if (event.kind === "run.resumed") lines.push(dim(`resumed ${new Date(event.time).toISOString()}`, color));
  for (const call of state.calls.values()) {
    if (call.of === "flow") continue;
    const sign = { running: "…", completed: green("✓", color), failed: red("✗", color), reused: dim("↺", color) }[call.status];
    const facts = [
      call.elapsedMs === undefined ? "" : seconds(call.elapsedMs),
      call.costUsd > 0 ? money(call.costUsd) : "",
      call.attempts > 1 ? `${call.attempts} attempts` : "",
    ];
    lines.push(`${seconds(call.startedAt).padStart(8)} ${sign} ${[call.path, ...facts.filter((fact) => fact !== "")].join("  ")}`);
    if (call.failure !== undefined) lines.push(`           ${red(call.failure.kind, color)}: ${call.failure.message}`);
    for (const note of call.notes) lines.push(dim(`           ${note}`, color));
  }
  const { spend } = endOf(events);
  if (spend !== undefined && spend.inputTokens + spend.outputTokens > 0)
    lines.push(dim(`${tokensText(spend, events.reduce(withParts, noParts))} · ${money(spend.costUsd)}`, color));
  for (const [path, text] of openQuestions(events)) lines.push(yellow(`? ${path}: ${text}`, color));
  if (state.failure !== undefined && status === "failed")
    lines.push(`${red(state.failure.kind, color)} in ${state.failure.call}: ${state.failure.message}`);
  if (status === "completed") lines.push(typeof state.value === "string" ? state.value : JSON.stringify(state.value, null, 2));
  if (damaged !== undefined) lines.push(red(damaged, color));
  return `${lines.join("\n")}\n`;
}

function openQuestions(events: StoredRun["events"]): ReadonlyMap<string, string> {
  const open = new Map<string, string>();
  for (const event of events) {
    if (event.kind === "question.asked") open.set(event.path, `${event.question} (${event.answer})`);
    if (event.kind === "question.answered" || event.kind === "question.expired") open.delete(event.path);
  }
  return open;
}

/** Says why calls of a run ran, ran again or were reused; all that did not simply run, unless one is named. */
export function whyRan(named: string, path: string | undefined, options: StoreOptions, to: Terminal): Promise<ExitCode> {
  return looking(options, to, (store) => {
    const stored = chooseRun(store, named, () => true, "", to);
    if (stored === undefined) return EXIT.usage;
    const { events } = stored;
    const paths = [...new Set(events.flatMap((event) => ("path" in event && event.path !== "" ? [event.path] : [])))];
    const wanted = path === undefined ? paths : paths.filter((each) => each === path || each.endsWith(`/${path}`));
    if (wanted.length === 0) {
      to.err(`error: nothing of the run ${stored.start.run} is at ${path ?? ""}\n`);
      return EXIT.usage;
    }
    for (const each of wanted) {
      const told = why(events, each);
      // Without a name, what ran once and completed needs no explanation.
      if (path === undefined && told.every((text) => /^It (?:ran because nothing|completed after 1 )/.test(text))) continue;
      to.out(
        `${bold(each, to.outColor)}\n${collapsed(told)
          .map((text) => `  ${text}\n`)
          .join("")}`,
      );
    }
    return EXIT.done;
  });
}

/** Sentences that follow themselves stand once, with their count. */
function collapsed(told: readonly string[]): readonly string[] {
  const out: { text: string; times: number }[] = [];
  for (const text of told) {
    const before = out.at(-1);
    if (before?.text === text) before.times++;
    else out.push({ text, times: 1 });
  }
  return out.map(({ text, times }) => (times === 1 ? text : `${text.replace(/\.$/, "")}, ${times} times.`));
}

/** Compares two runs, call by call. */
export function diff(first: string, second: string, options: StoreOptions, to: Terminal): Promise<ExitCode> {
  return looking(options, to, (store) => {
    const a = chooseRun(store, first, () => true, "", to);
    const b = a === undefined ? undefined : chooseRun(store, second, () => true, "", to);
    if (a === undefined || b === undefined) return EXIT.usage;
    const found = differences({ graph: a.start.graph, events: a.events }, { graph: b.start.graph, events: b.events });
    if (options.json) to.out(`${JSON.stringify(found)}\n`);
    else for (const { path, what } of found) to.out(`${bold(path, to.outColor)}  ${what}\n`);
    if (found.length === 0) to.err("Both made the same calls with the same results.\n");
    return EXIT.done;
  });
}

/** Answers a question of a run; the only open one when none is named. */
export function answer(
  named: string,
  words: readonly string[],
  options: StoreOptions & { readonly value?: string },
  to: Terminal,
): Promise<ExitCode> {
  return inStore(options, to, async (store) => {
    const stored = chooseRun(store, named, () => true, "", to);
    if (stored === undefined) return EXIT.usage;
    const open = openQuestions(stored.events);
    const [first = "", second] = words;
    const path = second === undefined && open.size === 1 ? [...open.keys()][0] : first;
    const text = second ?? first;
    const question = path === undefined ? undefined : open.get(path);
    if (path === undefined || question === undefined) {
      to.err(
        open.size === 0
          ? `error: the run ${stored.start.run} asks nothing\n`
          : `error: which question? It asks:\n${[...open].map(([at, asked]) => `  ${at}: ${asked}\n`).join("")}`,
      );
      return EXIT.usage;
    }
    const outcome = question.endsWith("(whether it happened)");
    if (outcome && text !== "yes" && text !== "no") {
      to.err("error: answer `yes` or `no`; with `yes`, `--value` is what the call gave, as JSON\n");
      return EXIT.usage;
    }
    const value = outcome
      ? { happened: text === "yes", value: options.value === undefined ? null : readJson(options.value) }
      : text === "yes" || text === "no"
        ? yesOrNo(question, text)
        : readJson(text);
    const { misfit } = await import("../runtime/misfit.js");
    const why = misfit(stored.events, stored.start.graph.types, path, value);
    if (why !== undefined) {
      to.err(`error: the answer does not fit: ${why}\n`);
      return EXIT.usage;
    }
    store.answer(stored.start.run, path, value);
    to.err(`Answered. \`weave resume ${stored.start.run}\` goes on, where the run does not by itself.\n`);
    return EXIT.done;
  });
}

const yesOrNo = (question: string, text: string): unknown => (question.endsWith("(bool)") ? text === "yes" : text);

/** Asks whoever carries a run out to let what runs end, and stop. */
export function pause(named: string | undefined, options: StoreOptions, to: Terminal): Promise<ExitCode> {
  return inStore(options, to, (store) => {
    const stored = chooseRun(store, named, (run) => run.status === "running", "no run is going on", to);
    if (stored === undefined) return EXIT.usage;
    const { run } = stored.start;
    if (!store.request(run, "pause")) {
      to.err(`error: the run ${run} is ${stored.status}\n`);
      return EXIT.usage;
    }
    to.err(`Asked ${run} to pause; \`weave resume ${run}\` goes on.\n`);
    return EXIT.done;
  });
}

/** Ends a run for good: what it did under @compensate is undone. */
export function cancel(named: string | undefined, options: StoreOptions, to: Terminal): Promise<ExitCode> {
  return inStore(options, to, async (store) => {
    const unfinished = (run: RunSummary): boolean => run.status !== "completed" && run.status !== "cancelled";
    const stored = chooseRun(store, named, unfinished, "no run is unfinished", to);
    if (stored === undefined) return EXIT.usage;
    const { run } = stored.start;
    if (stored.status === "completed" || (stored.status === "cancelled" && remainsOf(stored).length === 0)) {
      to.err(`error: the run ${run} is ${stored.status}\n`);
      return EXIT.usage;
    }
    const lease = takeOver(store, run, 15_000);
    if (lease.kind === "taken") {
      store.request(run, "cancel");
      to.err(`Asked ${lease.owner} to cancel ${run}.\n`);
      return EXIT.done;
    }
    // Nobody carries it out: what is finished is looked at again, nothing is started, and what is to be undone is undone.
    const host = hostOf(stored);
    if (host === undefined) return EXIT.usage;
    const result = await resumeKept(stored, { ...host, replayOnly: "cancelled by a person" }, keepingIn(store), { fence: lease.fence })
      .result;
    const left = result.failure?.message.includes("not undone") === true;
    to.err(
      `The run ${run} is ${result.status}.${left ? ` ${result.failure.message}. \`weave cancel ${run}\` tries to undo it again.` : ""}\n`,
    );
    for (const path of result.questions) to.err(`  ${path} waits for an answer: weave answer ${run} ${path} …, then weave cancel ${run}\n`);
    return result.status === "waiting" ? EXIT.waiting : left ? EXIT.failed : EXIT.done;
  });
}

/** What a cancelled run could not undo. */
function remainsOf({ events }: StoredRun): readonly string[] {
  const from = events.findLastIndex((event) => event.kind === "run.resumed");
  return events.slice(Math.max(0, from)).flatMap((event) => (event.kind === "undo.completed" ? event.remaining : []));
}

/** Says what is wrong with the store, or repairs it. */
export async function doctor(options: StoreOptions & { readonly repair?: boolean }, to: Terminal): Promise<ExitCode> {
  const file = options.store ?? findStore(".");
  if (file === undefined || !existsSync(file)) {
    to.err("There is no store of runs here.\n");
    return EXIT.done;
  }
  if (options.repair) return repair(file, to);
  const code = examine(file, to);
  if (code === EXIT.done) await tidy(file, to);
  return code;
}

/** Takes away the worktrees that dead runs left; a merge that one of them had begun is finished first. */
async function tidy(file: string, to: Terminal): Promise<void> {
  const { gitWorktrees, leftovers } = await import("../host/worktree/worktrees.js");
  const left = await leftovers(".");
  if (left.length === 0) return;
  const store = openStore(file);
  try {
    const known = new Map(store.list(1e9).map((each) => [each.run, each.status]));
    for (const run of left) {
      const status = known.get(run);
      if (status === "waiting" || status === "paused") {
        to.err(`${dim(`  the worktrees of ${run} are kept: it is ${status}, and \`weave resume ${run}\` goes on in them`, to.color)}\n`);
        continue;
      }
      const lease = status === undefined ? undefined : takeOver(store, run, 15_000);
      if (lease?.kind === "taken") continue;
      const kept = await gitWorktrees(".").sweep(run, intendedMerges(store.load(run)?.events ?? []));
      if (lease !== undefined) store.release(run, lease.fence);
      to.out(
        kept > 0
          ? `${yellow("!", to.outColor)} ${counted(kept, "worktree")} of ${run} ${kept === 1 ? "waits" : "wait"} to be merged: \`weave resume ${run}\` does it\n`
          : `${yellow("!", to.outColor)} removed the worktrees of ${run}, which did not come to its end\n`,
      );
    }
  } finally {
    store.close();
  }
}

function examine(file: string, to: Terminal): ExitCode {
  let store: Store | undefined;
  let found: readonly string[];
  let count = 0;
  try {
    store = lookAt(file);
    found = store.check();
    if (found.length === 0) count = store.list(1e9).length;
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown;
    found = [thrown.message];
    if (thrown.reason !== "corrupt") {
      to.err(`error: ${thrown.message}\n`);
      return EXIT.failed;
    }
  } finally {
    store?.close();
  }
  for (const problem of found) to.out(`${red("✗", to.outColor)} ${problem}\n`);
  to.err(
    found.length === 0
      ? `${green("✓", to.color)} ${file}: ${counted(count, "run")}, all readable\n`
      : "Runs that are not named are whole, and what stands before a damaged record can be shown and resumed. `weave doctor --repair` copies what can be read into a new file and keeps this one.\n",
  );
  return found.length === 0 ? EXIT.done : EXIT.failed;
}

async function repair(file: string, to: Terminal): Promise<ExitCode> {
  const { salvage } = await import("../host/store/salvage.js");
  try {
    const { runs: count, cut, lost, evaluations, aside } = salvage(file, (owner) => !hasEnded(owner), Date.now());
    for (const run of cut)
      to.out(`${yellow("!", to.outColor)} ${run} lost what stood behind a damaged record; \`weave resume\` goes on from before it\n`);
    for (const id of evaluations)
      to.out(`${yellow("!", to.outColor)} the evaluation ${id} lost runs; \`weave eval … --resume ${id}\` makes them again\n`);
    for (const run of lost) to.out(`${red("✗", to.outColor)} ${run} could not be read\n`);
    to.err(
      `${green("✓", to.color)} ${file}: ${counted(count, "run")} saved${lost.length > 0 ? `, ${lost.length} lost` : ""}. The damaged file is ${aside}.\n`,
    );
    return EXIT.done;
  } catch (thrown) {
    if (!(thrown instanceof StoreError)) throw thrown;
    to.err(`error: ${thrown.message}\n`);
    return EXIT.failed;
  }
}
