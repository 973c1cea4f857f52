/**
 * Weave inside a program of one's own: compile a file, run a flow with functions as tools, follow its events. A program
 * with mistakes is a `CompileError` with all of them; a run that does not complete is a `RunError` with what it has.
 */
import { compile as compileFile } from "./compile.js";
import { type JsonDiagnostic, renderProblems, toJson } from "./diagnostics/render.js";
import { nearest } from "./diagnostics/suggest.js";
import { realClock } from "./host/clock.js";
import { fileHost, shown } from "./host/files.js";
import { models } from "./host/providers/models.js";
import type { HostRecording, RecordingMode } from "./host/recording/taped.js";
import { ownerHere, takeOver } from "./host/store/open.js";
import { toolHost } from "./host/tools/host.js";
import type { Graph } from "./plan/ir.js";
import type { Asker } from "./runtime/ask.js";
import { type Keeping, resumeKept, runKept } from "./runtime/durable.js";
import { vanished } from "./runtime/edited.js";
import type { RunEvent, SpendReport } from "./runtime/events.js";
import type { FailureValue } from "./runtime/failure.js";
import { failureValue } from "./runtime/failure.js";
import type { RunOptions as RuntimeOptions } from "./runtime/options.js";
import type { Provider } from "./runtime/provider.js";
import { reusing } from "./runtime/reuse.js";
import { type RunHandle, type RunResult, run as runGraph } from "./runtime/run.js";
import type { Store, StoredRun } from "./runtime/store.js";
import type { ToolFunction } from "./runtime/tool.js";
import type { SourceFile } from "./source/source.js";

export type { JsonDiagnostic } from "./diagnostics/render.js";
export type { RecordingMode } from "./host/recording/taped.js";
export { memoryStore } from "./host/store/memory.js";
export { openStore } from "./host/store/open.js";
export type { Graph } from "./plan/ir.js";
export type { Asker, Question } from "./runtime/ask.js";
export type { RunEvent, SpendReport } from "./runtime/events.js";
export type { FailureKind, FailureValue } from "./runtime/failure.js";
export type { Provider } from "./runtime/provider.js";
export type { Store } from "./runtime/store.js";
export type { Conflict, ToolContext, ToolFunction } from "./runtime/tool.js";

/** The program has errors; its message is what `weave check` prints. */
export class CompileError extends Error {
  override readonly name = "CompileError";
  readonly diagnostics: readonly JsonDiagnostic[];
  constructor(message: string, diagnostics: readonly JsonDiagnostic[]) {
    super(message);
    this.diagnostics = diagnostics;
  }
}

/** The run did not start, failed or was cancelled. */
export class RunError extends Error {
  override readonly name = "RunError";
  readonly status: "refused" | "failed" | "cancelled" | "waiting" | "paused";
  /** Paths of the questions it waits for. */
  readonly questions: readonly string[];
  readonly runId: string;
  readonly failure: FailureValue | undefined;
  /** What a failed fan-out still has. */
  readonly partial: unknown;
  readonly spend: SpendReport;
  /** Why it was refused. */
  readonly diagnostics: readonly JsonDiagnostic[];
  constructor(result: RunResult, files: ReadonlyMap<string, SourceFile>) {
    const { failure, problems } = result;
    super(
      problems.length > 0 ? renderProblems(problems, files) : failure === undefined ? result.status : `${failure.kind}: ${failure.message}`,
    );
    this.status = problems.length > 0 ? "refused" : result.status === "completed" ? "failed" : result.status;
    this.questions = result.questions;
    this.runId = result.run;
    this.failure = failure === undefined ? undefined : failureValue(failure);
    this.partial = result.partial;
    this.spend = result.spend;
    this.diagnostics = toJson(problems, files);
  }
}

/** Functions that were registered for every run, by the tool's name. */
const registered = new Map<string, ToolFunction>();

/**
 * Supplies a tool to every run of this process: one that a program declares with `module("host:…")`, or any other, in the
 * place of its module. Arguments and results are checked by the declared signature. Gives a function that takes it back.
 * Throws a `TypeError` where the name is taken.
 */
export function registerTool(name: string, tool: ToolFunction): () => void {
  if (registered.has(name)) throw new TypeError(`there is a tool ${name} already`);
  registered.set(name, tool);
  return () => {
    if (registered.get(name) === tool) registered.delete(name);
  };
}

export interface Flow {
  readonly name: string;
  readonly graph: Graph;
  readonly files: ReadonlyMap<string, SourceFile>;
  /** What was given to `compile`. */
  readonly tools: Readonly<Record<string, ToolFunction>>;
}

export interface Program {
  readonly graph: Graph;
  /** Warnings and notes; a program with errors is not returned. */
  readonly diagnostics: readonly JsonDiagnostic[];
  readonly flows: readonly string[];
  /** A flow by its name; throws when the program has none of that name. */
  readonly flow: (name: string) => Flow;
}

export interface CompileOptions {
  /** Texts that stand in for files, by path. */
  readonly sources?: Readonly<Record<string, string>>;
  /** Functions for tools of the program, for all of its runs; those given to `run` come first. */
  readonly tools?: Readonly<Record<string, ToolFunction>>;
}

/**
 * Compiles a program; rejects with a `CompileError` when it has errors, and with a `TypeError` where `tools` names one
 * that it does not declare.
 */
export async function compile(path: string, { sources = {}, tools = {} }: CompileOptions = {}): Promise<Program> {
  const host = fileHost(new Map(Object.entries(sources)));
  const { problems, files, graph } = compileFile(Object.hasOwn(sources, path) ? path : shown(path), host);
  const diagnostics = toJson(problems, files);
  if (graph === undefined) throw new CompileError(renderProblems(problems, files), diagnostics);
  checkNames(graph, tools);
  const flows = Object.keys(graph.entries);
  return {
    graph,
    diagnostics,
    flows,
    flow: (name) => {
      if (!flows.includes(name)) throw new TypeError(`the program has no flow ${name}; it has ${flows.join(", ") || "none"}`);
      return { name, graph, files, tools };
    },
  };
}

/** A function for a tool that is not there would never be called. */
function checkNames(graph: Graph, tools: Readonly<Record<string, ToolFunction>>): void {
  const names = new Set(Object.values(graph.tools).map((tool) => tool.name));
  const unknown = Object.keys(tools).find((name) => !names.has(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, names);
  throw new TypeError(`the program declares no tool ${unknown}${near === undefined ? "" : `; did you mean ${near}?`}`);
}

export interface RunOptions {
  /**
   * Functions of tools by the tool's name: those that the program declares with `module("host:…")`, and others in the
   * place of their modules. What they take and give is checked by the declared signature.
   */
  readonly tools?: Readonly<Record<string, ToolFunction>>;
  /** Providers of models, by name. */
  readonly providers?: Readonly<Record<string, Provider>>;
  /** Answers every agent from the simulator. */
  readonly simulate?: boolean;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  /** Where relative paths of tools start; the working directory by default. */
  readonly directory?: string;
  /** Paths outside it that file tools may use. */
  readonly allowPaths?: readonly string[];
  /** Hosts that are not of the public internet and may be asked for images and documents: `name` or `name:port`. */
  readonly allowHosts?: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where the run is kept, so that it can be resumed. */
  readonly store?: Store;
  /** A run in the store whose results are used where definition and inputs are the same. */
  readonly reuse?: string;
  /** Answers from a recording, or writes one; see `openRecording`. */
  readonly recording?: Recording;
  /** Asks a person; without it a run with a question ends waiting, to be resumed with an answer in the store. */
  readonly ask?: Asker;
}

export interface Completed {
  readonly runId: string;
  readonly value: unknown;
  readonly spend: SpendReport;
  readonly elapsedMs: number;
  readonly simulated: boolean;
}

export interface Run {
  readonly runId: string;
  readonly events: AsyncIterable<RunEvent>;
  /** Rejects with a `RunError` when the run does not complete. */
  readonly result: Promise<Completed>;
  readonly cancel: (reason?: string) => void;
  /** Lets what runs end and stops, to be resumed. */
  readonly pause: (reason?: string) => void;
  /** Answers a question that the run waits for; false when it does not. */
  readonly answer: (path: string, value: unknown) => boolean;
}

/** What models, tools and people answer, in a file. */
export interface Recording {
  readonly file: string;
  readonly mode: RecordingMode;
  /** Writes what was recorded so far, as a run does by itself when it ends; says whether anything was new. */
  readonly save: () => boolean;
}

/** What stands behind the recordings that were opened here. */
const opened = new WeakMap<Recording, HostRecording>();

/**
 * Opens a recording for runs: with `replay` (the default) they need no key, no network and no module of a tool, and take no time;
 * with `record` everything is asked for and written down; with `fill` only what the file does not have. Keys and secrets
 * are not written. Rejects with an `Error` when the file is not there or cannot be read.
 */
export async function openRecording(file: string, { mode = "replay" }: { readonly mode?: RecordingMode } = {}): Promise<Recording> {
  const { hostRecording } = await import("./host/recording/taped.js");
  const host = hostRecording(file, mode);
  const recording: Recording = { file, mode, save: host.save };
  opened.set(recording, host);
  return recording;
}

/** The outside of a run, with its recording. Throws a `TypeError` for one that was not opened by `openRecording`. */
function outsideOf(options: RunOptions, graph: Graph, before: readonly RunEvent[] = []): RuntimeOptions {
  const { recording } = options;
  const host = outside(options);
  if (recording === undefined) return host;
  const behind = opened.get(recording);
  if (behind === undefined) throw new TypeError("a recording is opened with `openRecording`");
  const files = { directory: options.directory ?? process.cwd(), allowed: options.allowPaths ?? [] };
  return behind.options(host, graph, files, before);
}

/** The outside of a run, by its options. */
function outside(options: RunOptions): RuntimeOptions {
  const variables = options.environment ?? process.env;
  const environment = (name: string): string | undefined => variables[name];
  const { providers, seed, signal, onEvent, ask } = options;
  const tools = { ...Object.fromEntries(registered), ...options.tools };
  return {
    clock: realClock(),
    environment,
    tools: toolHost({
      directory: options.directory ?? process.cwd(),
      allowed: options.allowPaths ?? [],
      functions: tools,
    }),
    models: models({
      directory: options.directory ?? process.cwd(),
      allowed: options.allowPaths ?? [],
      hosts: options.allowHosts ?? [],
      simulateAll: options.simulate === true,
      environment,
      ...(providers === undefined ? {} : { providers }),
    }),
    ...(seed === undefined ? {} : { seed }),
    ...(signal === undefined ? {} : { signal }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(ask === undefined ? {} : { ask }),
  };
}

const keeping = (store: Store): Keeping => ({ store, owner: ownerHere(), soon: setImmediate });

function running(handle: RunHandle, files: ReadonlyMap<string, SourceFile>, recording: Recording | undefined): Run {
  const result = handle.result.then((ended): Completed => {
    recording?.save();
    if (ended.status !== "completed") throw new RunError(ended, files);
    return { runId: ended.run, value: ended.value, spend: ended.spend, elapsedMs: ended.elapsedMs, simulated: ended.simulated };
  });
  // Whoever only reads the events has no use for the rejection.
  result.catch(() => undefined);
  const { id, events, cancel, pause, answer } = handle;
  return { runId: id, events, result, cancel, pause, answer };
}

/** Starts a flow. Throws a `TypeError` where `tools` names one that the program does not declare. */
export function run(flow: Flow, inputs: Readonly<Record<string, unknown>> = {}, options: RunOptions = {}): Run {
  const { store, reuse } = options;
  checkNames(flow.graph, options.tools ?? {});
  const host = outsideOf({ ...options, tools: { ...flow.tools, ...options.tools } }, flow.graph);
  if (store === undefined) return running(runGraph(flow.graph, flow.name, inputs, host), flow.files, options.recording);
  const known = reuse === undefined ? {} : reusing(storedIn(store, reuse), flow.graph);
  const about = { file: flow.graph.file, options: { directory: options.directory ?? process.cwd() } };
  return running(runKept(flow.graph, flow.name, inputs, { ...host, ...known }, keeping(store), about), flow.files, options.recording);
}

function storedIn(store: Store, runId: string): StoredRun {
  const stored = store.load(runId);
  if (stored === undefined) throw new Error(`the run ${runId} is not in the store`);
  return stored;
}

export interface ResumeOptions extends RunOptions {
  readonly store: Store;
  /** The flow as it is now, after an edit: what changed runs again, the rest is reused. */
  readonly flow?: Flow;
  /** Paths of effects that changed or went away: go on with what they gave. */
  readonly keep?: readonly string[];
  /** Paths of effects that changed: carry them out again. */
  readonly again?: readonly string[];
}

/** Carries on a run that a store keeps; nothing that is finished is done again. Throws where that cannot be done. */
export function resume(runId: string, options: ResumeOptions): Run {
  const { store, flow, keep = [], again = [] } = options;
  const stored = storedIn(store, runId);
  if (stored.status === "completed" || stored.status === "cancelled") throw new Error(`the run ${runId} is ${stored.status}`);
  const gone = flow === undefined ? [] : vanished(stored, flow.graph).filter((path) => !keep.includes(path));
  if (gone.length > 0) throw new Error(`these effects were carried out and have no place in the program any more: ${gone.join(", ")}`);
  const host = outsideOf(options, flow?.graph ?? stored.start.graph, stored.events);
  const lease = takeOver(store, runId, 15_000);
  if (lease.kind === "taken") throw new Error(`the run ${runId} is being carried out by ${lease.owner}`);
  const choices = new Map([...keep.map((path) => [path, "keep"] as const), ...again.map((path) => [path, "again"] as const)]);
  const handle = resumeKept(stored, { ...host, choices }, keeping(store), { fence: lease.fence, graph: flow?.graph });
  return running(handle, flow?.files ?? new Map(), options.recording);
}

/** Asks whoever carries a run out to let what runs end, and to stop; false when nobody does. */
export function pause(runId: string, store: Store): boolean {
  return store.request(runId, "pause");
}

/** Answers a question of a run, by its path; a run that ended waiting goes on with `resume`. */
export function answer(runId: string, store: Store, path: string, value: unknown): void {
  store.answer(runId, path, value);
}

/**
 * Ends a run for good and undoes what can be undone: asks its owner to, or does it here where nobody carries it out.
 * Gives how the run stands then, or `asked`.
 */
export async function cancel(runId: string, options: RunOptions & { readonly store: Store }): Promise<"asked" | RunResult["status"]> {
  const { store } = options;
  const stored = storedIn(store, runId);
  if (stored.status === "completed") throw new Error(`the run ${runId} is completed`);
  const lease = takeOver(store, runId, 15_000);
  if (lease.kind === "taken") {
    store.request(runId, "cancel");
    return "asked";
  }
  const host = { ...outside(options), replayOnly: "cancelled from elsewhere" };
  return (await resumeKept(stored, host, keeping(store), { fence: lease.fence }).result).status;
}
