/**
 * A run from its inputs to its result. `prepare` finds everything that would stand in the way before anything is spent;
 * `run` prepares, carries the flow out and tells what happens as events. Outside things (time, tools, models, the
 * environment) come in through the options.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problem, problems } from "../diagnostics/problems.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import { admission } from "./admission.js";
import { asked, asksPeople } from "./ask.js";
import { pump } from "./body.js";
import { startCall, withDefaults } from "./call.js";
import { inMicros } from "./clock.js";
import type { EvalContext } from "./evaluate.js";
import type { NewEvent, RunEvent, SpendReport } from "./events.js";
import { type CallFailure, causes, failure, failureValue } from "./failure.js";
import { eventFeed } from "./feed.js";
import { runId } from "./hash.js";
import { leaveNothing } from "./isolate.js";
import type { Journal } from "./journal.js";
import { account, dollars } from "./ledger.js";
import type { Context, Program, Run, Totals } from "./machine.js";
import { hasSagas } from "./notes.js";
import type { RunOptions } from "./options.js";
import { moves } from "./past-places.js";
import { normalPriority } from "./policy.js";
import { type Prepared, prepare } from "./prepare.js";
import { program } from "./program.js";
import { cancellation, cancelled, newScope, running, type Scope, stop } from "./scope.js";
import { scrubOf } from "./scrub.js";
import { shapes } from "./shape.js";
import type { StoreError } from "./store.js";
import { type Suspense, type Suspension, suspense } from "./suspend.js";
import { settled, tallies } from "./tally.js";
import { type Miss, spanOf } from "./tape.js";
import { typeProse } from "./type-prose.js";
import { type Fields, shown } from "./values.js";

export type { Models, RunOptions } from "./options.js";

export type RunStatus = "completed" | "failed" | "cancelled" | "waiting" | "paused";

export interface RunResult {
  readonly run: string;
  readonly status: RunStatus;
  readonly value: unknown;
  readonly failure: CallFailure | undefined;
  readonly partial: unknown;
  readonly spend: SpendReport;
  readonly elapsedMs: number;
  readonly simulated: boolean;
  /** Answers came from a recording; what they cost was paid when it was made. */
  readonly replayed: boolean;
  /** Why the run was not started, or could not be kept. */
  readonly problems: readonly Problem[];
  /** Paths of the questions it waits for. */
  readonly questions: readonly string[];
}

export interface RunHandle {
  readonly id: string;
  readonly events: AsyncIterable<RunEvent>;
  readonly result: Promise<RunResult>;
  /** Ends it for good: pure calls are aborted, effects awaited and undone. */
  readonly cancel: (reason?: string) => void;
  /** Lets what runs end and stops, to be resumed. */
  readonly pause: (reason?: string) => void;
  /** Aborts pure calls, awaits effects and stops, to be resumed; nothing is undone. */
  readonly interrupt: (reason?: string) => void;
  /** Answers a question that the run waits for; false when it does not. */
  readonly answer: (path: string, value: unknown) => boolean;
  /** Of a kept run: gives it up where it is, since the process ends now; whoever comes next need not wait. */
  readonly letGo: () => void;
}

type Ending = Suspension | { readonly kind: "broken"; readonly error: StoreError };

/** Starts a flow. The result never rejects; what stood in the way of starting is in its `problems`. */
export function run(graph: Graph, flowName: string, inputs: Fields, options: RunOptions): RunHandle {
  const { clock } = options;
  const startedAt = clock.now();
  const id = options.id ?? runId(clock, options.seed ?? 0);
  const { past } = options;
  const root: Scope = newScope();
  let end: (how: Ending) => void = () => undefined;
  const ending = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  let machine: Run | undefined;
  const waits = options.journal === undefined && !asksPeople(graph) ? undefined : suspense(clock, (how) => end(how));
  const kept = options.journal?.(waits?.clock ?? clock, (error) => {
    stop(root, cancelled, failure("cancelled", error.message));
    end({ kind: "broken", error });
  });
  const listener = options.onEvent;
  const listen =
    kept === undefined
      ? listener
      : (event: RunEvent): void => {
          kept.record(event);
          listener?.(event);
        };
  const elapsed = (): number => inMicros(clock.now() - startedAt + (past?.elapsedMs ?? 0));
  const feed = eventFeed(listen, elapsed, past?.nextSeq);
  const emit =
    past === undefined
      ? feed.emit
      : (event: NewEvent): void => {
          if (moves(event)) past.places().moved(event.path);
          if (past.told(event)) options.onRetold?.(event);
          else feed.emit(event);
        };
  const halt = (reason: string): void => stop(root, cancelled, failure("cancelled", reason));
  const cancel = (reason = "the run was cancelled"): void => {
    // A process that dies while it undoes must not have forgotten that it was to.
    if (root.halt !== cancelled && kept !== undefined && machine !== undefined) feed.emit({ kind: "run.cancelling", reason });
    halt(reason);
  };
  const interrupt = (reason = "the run was interrupted"): void => {
    if (machine !== undefined) machine.interrupted = true;
    halt(reason);
  };
  const { signal } = options;
  const onAbort = (): void => cancel();
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });

  // Everything that is missing at this moment is told, then the run is stopped: nothing may cope with a miss.
  options.tape?.onMiss(() => clock.after(0, () => interrupt(NOT_RECORDED)));

  const flow = graph.flows[graph.entries[flowName] ?? flowName];
  if (flow === undefined) throw new Error(`the program has no flow ${flowName}`);
  const result = prepare(graph, flow, inputs, options).then(async (prepared): Promise<RunResult> => {
    if (prepared.problems.length > 0) return refused(id, prepared.problems);
    const made = machineOf(prepared, id, options, emit, waits, kept, feed.isRead);
    machine = made;
    const outcome = await Promise.race([carryOut(made, flow, prepared, root, options), ending]);
    const misses = options.tape?.takeMisses() ?? [];
    const ended = misses.length === 0 ? outcome : missed(misses);
    if (misses.length > 0) made.interrupted = false;
    const concludedAs = concluded(made, ended, prepared.simulated, elapsed());
    const result = misses.length === 0 ? concludedAs : { ...concludedAs, problems: notRecorded(misses, graph, options.tape?.remedy ?? "") };
    // Nothing goes on after the end of a run, whatever still comes back.
    made.dead = true;
    const lost = kept?.failed() ?? kept?.settle(result.status, settled(result.spend, made.tallies));
    return lost === undefined ? result : notKept(result, graph, lost);
  });
  const ended = result.finally(async () => {
    signal?.removeEventListener("abort", onAbort);
    await leaveNothing(options.tools, id, past !== undefined, (await result).status);
    feed.end();
  });
  return {
    id,
    events: feed.events,
    result: ended,
    cancel,
    interrupt,
    pause: (reason = "a pause was asked for") => waits?.pause(reason),
    answer: (path, value) => {
      const answered = waits?.waiting.get(path);
      answered?.(value);
      return answered !== undefined;
    },
    letGo: () => undefined,
  };
}

const NOT_RECORDED = "the recording has no answer";

/** A run that asked for what is not in its recording failed, whatever it made of that. */
function missed(misses: readonly Miss[]): Outcome {
  const [first] = misses;
  const more = misses.length > 1 ? `, and ${misses.length - 1} more` : "";
  return {
    kind: "ended",
    failed: failure("denied", `${NOT_RECORDED} for ${first?.path ?? ""}${more}`, { path: first?.path ?? "" }),
    value: null,
  };
}

function notRecorded(misses: readonly Miss[], graph: Graph, remedy: string): readonly Problem[] {
  const found = problems();
  for (const miss of misses) {
    const others = misses.filter((each) => each.of === miss.of && each.name === miss.name).length - 1;
    const { of, name, path, reason } = miss;
    found.report(d.notRecorded, spanOf(miss, graph), { of, name, path, reason, others, remedy });
  }
  return found.list();
}

function notKept(result: RunResult, graph: Graph, lost: StoreError): RunResult {
  const found = problems();
  found.report(d.storeFailed, { file: graph.file, start: 0, end: 0 }, { reason: lost.message });
  return { ...result, status: "failed", value: null, failure: failure("unavailable", lost.message), problems: found.list() };
}

function refused(id: string, found: readonly Problem[]): RunResult {
  return {
    run: id,
    status: "failed",
    value: null,
    failure: undefined,
    partial: null,
    spend: report(noTotals()),
    elapsedMs: 0,
    simulated: false,
    replayed: false,
    problems: found,
    questions: [],
  };
}

function noTotals(): Totals {
  return { cost: 0, inputTokens: 0, outputTokens: 0, calls: 0, toolCalls: 0, reused: 0, overran: 0 };
}

function report({ cost, overran, ...totals }: Totals): SpendReport {
  return { costUsd: dollars(cost), ...totals, ...(overran > 0 ? { overran } : {}) };
}

/** Everything that one run shares. */
export function machineOf(
  prepared: Prepared,
  id: string,
  options: RunOptions,
  emit: (event: NewEvent) => void,
  waits?: Suspense,
  kept?: Journal,
  isRead: () => boolean = () => false,
): Run {
  const { past } = options;
  const commit = kept?.commit ?? options.commit;
  const remember: Run["remember"] =
    kept === undefined
      ? options.remember
      : (path, result, shown) => {
          // What an event shows in full is kept with the event.
          if (!shown) kept.remember(path, result);
          options.remember?.(path, result, shown);
        };
  const { graph, globals } = prepared;
  const made = shapes(graph.types);
  let machine: Run | undefined;
  const context: EvalContext = {
    globals,
    cut: made.cut,
    cast: (type) => {
      const exactly = made.exactly(type);
      const cut = made.cut(type);
      return (value) => {
        if (exactly(value)) return value;
        const rest = cut(value);
        if (exactly(rest)) return rest;
        const checked = machine?.schemas?.validate(type, value, graph.types);
        throw failure("assertion", checked?.ok === false ? checked.message : `expected ${typeProse(type)}, found ${shown(value)}`);
      };
    },
    hook: options.hook,
  };
  const compiled: Program = program({ graph, shapes: made, context, intercept: options.intercept });
  machine = {
    id,
    seed: options.seed ?? 1,
    program: compiled,
    clock: waits?.clock ?? options.clock,
    globals,
    emit,
    isWatched: () => options.onEvent !== undefined || isRead(),
    scrub: scrubOf(graph, globals),
    commit,
    known: options.known,
    earlier: options.earlier,
    orphans: options.orphans,
    shared: sharedBy(options, kept),
    remember,
    guards: options.known !== undefined || commit !== undefined || remember !== undefined || past !== undefined,
    past,
    choices: options.choices ?? new Map(),
    suspense: waits,
    ask: options.ask,
    answers: options.answers,
    stubbed: options.stubbed,
    asked: asked(waits?.clock ?? options.clock),
    sagas: hasSagas(graph),
    orders: past?.finished ?? 0,
    interrupted: false,
    intercept: options.intercept,
    tape: options.tape,
    tools: options.tools,
    toolFunctions: prepared.tools,
    provider: (model) => {
      const provider = prepared.providers.get(model.id);
      if (provider === undefined) throw failure("unavailable", `the model ${model.name} has no provider`);
      return provider;
    },
    admission: admission(),
    experiences: options.experiences,
    tallies: options.learn === false || kept === undefined ? undefined : tallies(() => prepared.simulated),
    breakers: new Map(),
    rates: new Map(),
    locks: new Map(),
    sharedLocks: kept,
    isolations: new Map(),
    cache: new Map(),
    models: new Map(),
    totals: { ...noTotals(), ...past?.totals },
    root: account("run", undefined, options.capUsd === undefined ? {} : { cost: Math.floor(options.capUsd * 1e9) }),
    grace: options.graceMs ?? 1000,
    queue: [],
    arrivals: past === undefined ? undefined : [],
    pumping: false,
    dead: false,
    schemas: undefined,
    loadSchemas: async () => {
      const schemas = await import("./schema.js");
      if (machine !== undefined) machine.schemas = schemas;
      return schemas;
    },
  };
  return machine;
}

function sharedBy({ shared }: RunOptions, kept: Journal | undefined): Run["shared"] {
  if (shared === undefined || kept === undefined) return undefined;
  const at = (key: string): string => `${shared.place} ${key}`;
  return { find: (key) => shared.find(at(key)), keep: (result) => kept.cache({ ...result, key: at(result.key) }) };
}

interface Outcome {
  readonly kind: "ended";
  readonly failed: CallFailure | undefined;
  readonly value: unknown;
}

export function rootContext(machine: Run): Context {
  return {
    account: machine.root,
    claim: undefined,
    worker: undefined,
    gates: undefined,
    priority: normalPriority,
    votes: "",
    saga: undefined,
    replay: false,
  };
}

async function carryOut(
  machine: Run,
  flow: FlowIR,
  prepared: Prepared & { readonly inputs: Fields },
  root: Scope,
  { replayOnly, damaged }: Pick<RunOptions, "replayOnly" | "damaged">,
): Promise<Outcome> {
  const { past, commit } = machine;
  const callee = machine.program.callable({ kind: "flow", id: flow.id });
  const args = withDefaults(callee, prepared.inputs);
  if (past !== undefined) {
    machine.emit({ kind: "run.resumed", time: machine.clock.wall(), finished: past.finished, costUsd: dollars(past.totals.cost) });
    if (damaged !== undefined) machine.emit({ kind: "run.mended", reason: damaged });
    // A cancellation that came before there was a run to be told of it.
    const cancelling = replayOnly ?? cancellation(root, machine.interrupted);
    if (cancelling !== undefined && past.cancelling === undefined) machine.emit({ kind: "run.cancelling", reason: cancelling });
  } else
    machine.emit({
      kind: "run.started",
      flow: flow.name,
      inputs: machine.scrub.value(callee.redact.args?.(args) ?? args),
      simulated: prepared.simulated,
      seed: machine.seed,
      ...(machine.tape?.replays === true ? { replayed: true } : {}),
    });
  if (commit !== undefined) await new Promise<void>((resolve) => commit(resolve));
  // What an earlier part of the run did is undone, however soon this part is cancelled.
  const undoing = replayOnly ?? (past === undefined ? undefined : cancellation(root, machine.interrupted));
  if (root.halt !== running && undoing === undefined) return { kind: "ended", failed: root.cause, value: null };
  return new Promise((resolve) => {
    const frame = { slots: [], parent: undefined };
    startCall(
      {
        run: machine,
        scope: root.halt === running ? root : newScope(),
        context: { ...rootContext(machine), replay: undoing !== undefined },
        site: callee.site,
        frame,
        args,
        path: flow.name,
        rank: 0,
      },
      (failed, value) =>
        resolve({ kind: "ended", failed: undoing === undefined ? failed : failure("cancelled", remaining(undoing, failed)), value }),
    );
    pump(machine);
  });
}

/** Why it was cancelled, and what could not be undone. */
function remaining(reason: string, failed: CallFailure | undefined): string {
  const at = failed?.message.indexOf("; not undone: ") ?? -1;
  return at < 0 ? reason : `${reason}${failed?.message.slice(at) ?? ""}`;
}

function concluded(machine: Run, outcome: Outcome | Ending, simulated: boolean, elapsedMs: number): RunResult {
  const spend = report(machine.totals);
  const base = {
    run: machine.id,
    spend,
    elapsedMs,
    simulated,
    replayed: machine.tape?.replays === true,
    problems: [],
    questions: [],
    value: null,
    failure: undefined,
    partial: null,
  };
  if (outcome.kind === "broken") return { ...base, status: "failed" };
  if (outcome.kind === "waiting") {
    machine.emit({ kind: "run.waiting", questions: [...outcome.questions], spend, elapsedMs });
    return { ...base, status: "waiting", questions: outcome.questions };
  }
  if (outcome.kind === "paused" || (machine.interrupted && outcome.failed?.kind === "cancelled")) {
    const reason = outcome.kind === "paused" ? outcome.reason : (outcome.failed?.message ?? "interrupted");
    machine.emit({ kind: "run.paused", reason, spend, elapsedMs });
    return { ...base, status: "paused" };
  }
  const { failed, value } = outcome;
  if (failed === undefined) {
    machine.emit({ kind: "run.completed", value: machine.scrub.value(value), spend, elapsedMs });
    return { ...base, status: "completed", value, failure: undefined, partial: null };
  }
  const partial = failed.partial ?? null;
  if (failed.kind === "cancelled") {
    machine.emit({ kind: "run.cancelled", reason: failed.message, spend, elapsedMs });
    return { ...base, status: "cancelled", value: null, failure: failed, partial };
  }
  const chain = causes(failed).slice(1).map(failureValue);
  machine.emit({
    kind: "run.failed",
    failure: failureValue(failed),
    causes: chain,
    partial: machine.scrub.value(partial),
    spend,
    elapsedMs,
  });
  return { ...base, status: "failed", value: null, failure: failed, partial };
}
