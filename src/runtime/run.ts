/**
 * A run from its inputs to its result. `prepare` finds everything that would stand in the way before anything is spent;
 * `run` prepares, carries the flow out and tells what happens as events. Outside things (time, tools, models, the
 * environment) come in through the options.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problem, problems } from "../diagnostics/problems.js";
import type { CalleeRef, FlowIR, Graph, ModelIR } from "../plan/ir.js";
import { admission } from "./admission.js";
import { pump } from "./body.js";
import { startCall, withDefaults } from "./call.js";
import type { Clock } from "./clock.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import type { NewEvent, RunEvent, SpendReport } from "./events.js";
import { type CallFailure, causes, failure, failureValue, thrownMessage } from "./failure.js";
import { eventFeed } from "./feed.js";
import { layout, newFrame } from "./frame.js";
import { hash53 } from "./hash.js";
import { account, dollars } from "./ledger.js";
import type { Context, Intercept, KnownResult, Program, Run, Totals } from "./machine.js";
import { normalPriority } from "./policy.js";
import { program } from "./program.js";
import type { Provider } from "./provider.js";
import { reach } from "./reach.js";
import { cancelled, running, type Scope, stop } from "./scope.js";
import { shapes } from "./shape.js";
import type { ToolFunction, ToolHost } from "./tool.js";
import { typeProse } from "./type-prose.js";
import { unsupported } from "./unsupported.js";
import { type Fields, shown } from "./values.js";

export interface Models {
  /** The provider of a model, or why there is none. */
  readonly provider: (
    model: ModelIR,
  ) =>
    | Provider
    | { readonly missing: "key"; readonly variable: string }
    | { readonly missing: "address"; readonly variable: string }
    | { readonly missing: "provider"; readonly known: readonly string[] };
}

export interface RunOptions {
  readonly clock: Clock;
  readonly tools: ToolHost;
  readonly models: Models;
  readonly environment: (name: string) => string | undefined;
  readonly id?: string;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  /** Makes everything told so far safe, then goes on: what a journal plugs in. */
  readonly commit?: (then: () => void) => void;
  /** Results of an earlier run by path and guard. */
  readonly known?: (path: string, guard: string) => KnownResult | undefined;
  /** Told every result with its guard, for `known` of a later run. */
  readonly remember?: (path: string, result: KnownResult) => void;
  readonly intercept?: Intercept;
  readonly hook?: (name: string, args: readonly unknown[]) => unknown;
  /** How long an aborted pure call may take to end; 1 second. */
  readonly graceMs?: number;
}

export type RunStatus = "completed" | "failed" | "cancelled";

export interface RunResult {
  readonly run: string;
  readonly status: RunStatus;
  readonly value: unknown;
  readonly failure: CallFailure | undefined;
  readonly partial: unknown;
  readonly spend: SpendReport;
  readonly elapsedMs: number;
  readonly simulated: boolean;
  /** Why the run was not started at all. */
  readonly problems: readonly Problem[];
}

export interface RunHandle {
  readonly id: string;
  readonly events: AsyncIterable<RunEvent>;
  readonly result: Promise<RunResult>;
  readonly cancel: (reason?: string) => void;
}

/** Starts a flow. The result never rejects; what stood in the way of starting is in its `problems`. */
export function run(graph: Graph, flowName: string, inputs: Fields, options: RunOptions): RunHandle {
  const { clock } = options;
  const startedAt = clock.now();
  const id = options.id ?? runId(clock, options.seed ?? 0);
  const feed = eventFeed(options.onEvent, () => clock.now() - startedAt);
  const root: Scope = newScope();
  const cancel = (reason = "the run was cancelled"): void => stop(root, cancelled, failure("cancelled", reason));
  const { signal } = options;
  const onAbort = (): void => cancel();
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });

  const flow = graph.flows[graph.entries[flowName] ?? flowName];
  if (flow === undefined) throw new Error(`the program has no flow ${flowName}`);
  const result = prepare(graph, flow, inputs, options).then(async (prepared): Promise<RunResult> => {
    if (prepared.problems.length > 0) return refused(id, prepared.problems);
    const machine = machineOf(prepared, id, options, feed.emit);
    const outcome = await carryOut(machine, flow, prepared, root, options);
    return concluded(machine, outcome, prepared.simulated, clock.now() - startedAt);
  });
  const ended = result.finally(() => {
    signal?.removeEventListener("abort", onAbort);
    feed.end();
  });
  return { id, events: feed.events, result: ended, cancel };
}

function runId(clock: Clock, seed: number): string {
  return `r${clock.wall().toString(36)}${(hash53(`${seed} ${clock.now()} ${Math.random()}`, 1) % 36 ** 4).toString(36).padStart(4, "0")}`;
}

export function newScope(): Scope {
  return {
    position: 0,
    parentScope: undefined,
    firstChild: undefined,
    nextSibling: undefined,
    previousSibling: undefined,
    halt: running,
    cause: undefined,
    sealed: false,
    onStop: undefined,
  };
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
    problems: found,
  };
}

export interface Prepared {
  readonly graph: Graph;
  readonly globals: ReadonlyMap<string, unknown>;
  readonly tools: Map<string, ToolFunction>;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly simulated: boolean;
  readonly problems: readonly Problem[];
}

/** Checks and loads everything that a run of this flow needs, its inputs first. */
export async function prepare(
  graph: Graph,
  flow: FlowIR,
  inputs: Fields,
  options: RunOptions,
): Promise<Prepared & { readonly inputs: Fields }> {
  const found = problems();
  const checked = await checkInputs(graph, flow, inputs, found);
  const prepared = await prepareProgram(graph, [{ kind: "flow", id: flow.id }], options);
  return { ...prepared, inputs: checked, problems: [...prepared.problems, ...found.list()] };
}

/** Checks and loads everything that calling these needs. */
export async function prepareProgram(graph: Graph, roots: readonly CalleeRef[], options: RunOptions): Promise<Prepared> {
  const found = problems();
  const stubbed = isStubbed(graph, options);
  const [first] = unsupported(graph, roots, stubbed);
  if (first !== undefined) found.report(d.unsupportedConstruct, first.span, { construct: first.construct });
  const globals = readGlobals(graph, options, found);
  const { callables, models } = found.hasErrors() ? { callables: [], models: [] } : reach(graph, roots, stubbed);
  const tools = await loadTools(graph, callables, options, stubbed, found);
  const providers = findProviders(graph, models, options.models, found);
  const simulated = [...providers.values()].some((provider) => provider.simulated);
  return { graph, globals, tools, providers, simulated, problems: found.list().filter((problem) => problem.severity === "error") };
}

/** Stubs need neither their module nor a provider. */
function isStubbed(graph: Graph, options: RunOptions): (ref: CalleeRef) => boolean {
  const { intercept } = options;
  if (intercept === undefined) return () => false;
  const bare = program({ graph, shapes: shapes(graph.types), context: bareContext(graph, new Map()), intercept: undefined });
  return (ref) => intercept(bare.callable(ref)) !== undefined;
}

type Sink = ReturnType<typeof problems>;

/** In a test whatever a secret could reach is stubbed, so it need not be set there. */
function readGlobals(graph: Graph, { environment, intercept }: RunOptions, found: Sink): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const global of graph.globals) {
    if (global.kind === "value") {
      const scope = layout(undefined);
      values.set(global.id, compileExpr(global.value, scope, bareContext(graph, values))(newFrame(scope, undefined)));
      continue;
    }
    const value = environment(global.name) ?? (global.kind === "env" ? global.default : undefined);
    const needed = global.kind === "env" || intercept === undefined;
    if (value === undefined && needed)
      found.report(d.missingEnvironment, global.span, { name: global.name, secret: global.kind === "secret" });
    values.set(global.id, value ?? "");
  }
  return values;
}

function bareContext(graph: Graph, globals: ReadonlyMap<string, unknown>): EvalContext {
  const { cut } = shapes(graph.types);
  return { globals, cut, cast: () => (value) => value };
}

/** Inputs as the flow declares them: defaults filled in, cut to their types; what does not fit is reported. */
export async function checkInputs(graph: Graph, flow: FlowIR, inputs: Fields, found: Sink): Promise<Fields> {
  const { exactly } = shapes(graph.types);
  const out: Record<string, unknown> = {};
  const known = flow.params.map((param) => param.name);
  for (const name of Object.keys(inputs)) {
    if (!known.includes(name)) found.report(d.unknownArgument, flow.span, { flow: flow.name, name, known });
  }
  for (const param of flow.params) {
    const value = inputs[param.name];
    if (value === undefined) {
      if (param.default !== undefined) continue;
      if (exactly(param.type)(null)) out[param.name] = null;
      else found.report(d.missingArgument, flow.span, { flow: flow.name, name: param.name, type: typeProse(param.type) });
    } else if (exactly(param.type)(value)) out[param.name] = value;
    else {
      const { validate } = await import("./schema.js");
      const checked = validate(param.type, value, graph.types);
      if (checked.ok) out[param.name] = checked.value;
      else found.report(d.wrongArgument, flow.span, { flow: flow.name, name: param.name, reason: checked.message });
    }
  }
  return out;
}

async function loadTools(
  graph: Graph,
  callables: readonly CalleeRef[],
  options: RunOptions,
  stubbed: (ref: CalleeRef) => boolean,
  found: Sink,
): Promise<Map<string, ToolFunction>> {
  const functions = new Map<string, ToolFunction>();
  await Promise.all(
    callables.map(async (ref) => {
      const tool = ref.kind === "tool" ? graph.tools[ref.id] : undefined;
      if (tool === undefined || tool.binding.kind !== "module" || stubbed(ref)) return;
      try {
        functions.set(ref.id, await options.tools.load(tool));
      } catch (thrown) {
        found.report(d.toolNotLoaded, tool.span, { tool: tool.name, reason: thrownMessage(thrown) });
      }
    }),
  );
  return functions;
}

function findProviders(graph: Graph, models: readonly string[], from: Models, found: Sink): ReadonlyMap<string, Provider> {
  const providers = new Map<string, Provider>();
  for (const id of models) {
    const model = graph.models[id];
    if (model === undefined || model.fallback !== undefined || model.balance !== undefined) continue;
    const provider = from.provider(model);
    if (!("missing" in provider)) providers.set(id, provider);
    else if (provider.missing === "key")
      found.report(d.missingKey, model.span, { model: model.name, provider: model.provider ?? "", variable: provider.variable });
    else if (provider.missing === "address") found.report(d.missingAddress, model.span, { model: model.name, variable: provider.variable });
    else found.report(d.providerNotHere, model.span, { model: model.name, provider: model.provider ?? "", known: provider.known });
  }
  return providers;
}

function noTotals(): Totals {
  return { cost: 0, inputTokens: 0, outputTokens: 0, calls: 0, toolCalls: 0, reused: 0 };
}

function report(totals: Totals): SpendReport {
  return {
    costUsd: dollars(totals.cost),
    inputTokens: totals.inputTokens,
    outputTokens: totals.outputTokens,
    calls: totals.calls,
    toolCalls: totals.toolCalls,
    reused: totals.reused,
  };
}

/** Everything that one run shares. */
export function machineOf(prepared: Prepared, id: string, options: RunOptions, emit: (event: NewEvent) => void): Run {
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
    clock: options.clock,
    globals,
    emit,
    commit: options.commit,
    known: options.known,
    remember: options.remember,
    guards: options.known !== undefined || options.commit !== undefined || options.remember !== undefined,
    intercept: options.intercept,
    tools: options.tools,
    toolFunctions: prepared.tools,
    provider: (model) => {
      const provider = prepared.providers.get(model.id);
      if (provider === undefined) throw failure("unavailable", `the model ${model.name} has no provider`);
      return provider;
    },
    admission: admission(),
    breakers: new Map(),
    rates: new Map(),
    locks: new Map(),
    cache: new Map(),
    models: new Map(),
    totals: noTotals(),
    root: account("run", undefined, {}),
    grace: options.graceMs ?? 1000,
    queue: [],
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

interface Outcome {
  readonly failed: CallFailure | undefined;
  readonly value: unknown;
}

export function rootContext(machine: Run): Context {
  return { account: machine.root, gates: undefined, priority: normalPriority, votes: "" };
}

async function carryOut(
  machine: Run,
  flow: FlowIR,
  prepared: Prepared & { readonly inputs: Fields },
  root: Scope,
  options: RunOptions,
): Promise<Outcome> {
  const callee = machine.program.callable({ kind: "flow", id: flow.id });
  const args = withDefaults(callee, prepared.inputs);
  machine.emit({
    kind: "run.started",
    flow: flow.name,
    inputs: callee.redact.args?.(args) ?? args,
    simulated: prepared.simulated,
    seed: machine.seed,
  });
  if (options.commit !== undefined) await new Promise<void>((resolve) => options.commit?.(resolve));
  if (root.halt !== running) return { failed: root.cause, value: null };
  return new Promise((resolve) => {
    const frame = { slots: [], parent: undefined };
    startCall(
      { run: machine, scope: root, context: rootContext(machine), site: callee.site, frame, args, path: flow.name, rank: 0 },
      (failed, value) => resolve({ failed, value }),
    );
    pump(machine);
  });
}

function concluded(machine: Run, { failed, value }: Outcome, simulated: boolean, elapsedMs: number): RunResult {
  const spend = report(machine.totals);
  const base = { run: machine.id, spend, elapsedMs, simulated, problems: [] };
  if (failed === undefined) {
    machine.emit({ kind: "run.completed", value, spend, elapsedMs });
    return { ...base, status: "completed", value, failure: undefined, partial: null };
  }
  const partial = failed.partial ?? null;
  if (failed.kind === "cancelled") {
    machine.emit({ kind: "run.cancelled", reason: failed.message, spend, elapsedMs });
    return { ...base, status: "cancelled", value: null, failure: failed, partial };
  }
  const chain = causes(failed).slice(1).map(failureValue);
  machine.emit({ kind: "run.failed", failure: failureValue(failed), causes: chain, partial, spend, elapsedMs });
  return { ...base, status: "failed", value: null, failure: failed, partial };
}
