/**
 * The data of a run while it runs: the compiled program, bodies being evaluated (instances), nodes being carried out
 * (steps) and the run itself. Only shapes are here; `body.ts` moves values along, `call.ts` makes calls, the region
 * files start bodies, `policy.ts` puts policies around an attempt.
 */
import type { AgentIR, Body, CalleeRef, CapabilityIR, EffectKind, ExprIR, FlowIR, Graph, ModelIR, NodeIR, ToolIR } from "../plan/ir.js";
import type { Admission, Worker } from "./admission.js";
import type { Asked, Asker } from "./ask.js";
import type { Breakers } from "./breaker.js";
import type { ResultCache, SharedCache } from "./cache.js";
import type { Experiences } from "./choose.js";
import type { Clock } from "./clock.js";
import type { NewEvent } from "./events.js";
import type { CallFailure, KeptFailure } from "./failure.js";
import type { Eval, Frame, Layout } from "./frame.js";
import type { Gate } from "./gate.js";
import type { Account, Claim } from "./ledger.js";
import type { Locks, SharedLocks } from "./lock.js";
import type { Isolations } from "./merge-order.js";
import type { ModelLoads } from "./model.js";
import type { Analysis, Keep } from "./needs.js";
import type { Saga } from "./notes.js";
import type { Past } from "./past.js";
import type { Provider } from "./provider.js";
import type { Rates } from "./rate.js";
import type { Earlier, Orphans } from "./reuse.js";
import type { SchemaModule } from "./schema-module.js";
import type { Scope } from "./scope.js";
import type { Scrub } from "./scrub.js";
import type { Cut, Shapes, Test } from "./shape.js";
import type { Suspense } from "./suspend.js";
import type { Tallies } from "./tally.js";
import type { Tape } from "./tape.js";
import type { ToolFunction, ToolHost } from "./tool.js";

/** Ends with a failure, or without one and with a value. */
export type Done = (failure: CallFailure | undefined, value: unknown) => void;
/** One way to carry out a step; policies wrap one attempt in another. */
export type Attempt = (step: Step, done: Done) => void;

export interface CompiledBody {
  readonly ir: Body;
  readonly layout: Layout;
  readonly nodes: readonly CompiledNode[];
  /** Nodes that wait for nothing. */
  readonly roots: readonly number[];
  readonly pending: readonly number[];
  readonly result: Eval;
  /** What budgets keep back for it. */
  readonly keep: Keep;
}

export interface CompiledNode {
  readonly ir: NodeIR;
  readonly index: number;
  readonly slot: number;
  readonly dependents: readonly number[];
  /** Calls on the longest way from here to the end of the body. */
  readonly rank: number;
  readonly execute: (instance: Instance, node: CompiledNode) => void;
}

export interface CompiledCallable {
  readonly ref: CalleeRef;
  readonly ir: FlowIR | AgentIR | ToolIR | CapabilityIR;
  readonly effect: EffectKind;
  /** Layout of a frame that holds the parameters; declared policies, prompts and defaults are read in it. */
  readonly params: Layout;
  readonly defaults: readonly (Eval | undefined)[];
  /** Whether arguments and result need no cutting; undefined where nothing is checked at run time. */
  readonly argTests: readonly Test[];
  readonly resultTest: Test;
  readonly resultCut: Cut;
  /** Takes secret and redacted parts out of what is told; undefined where there are none. */
  readonly redact: {
    readonly args: ((args: Readonly<Record<string, unknown>>) => unknown) | undefined;
    readonly result: ((value: unknown) => unknown) | undefined;
  };
  /** Guards the reuse of a result, by the canonical text of the arguments. */
  readonly guard: (args: string) => string;
  /** The callable with only the policies of its declaration. */
  readonly site: CallSite;
}

/** A callable as one place calls it. */
export interface CallSite {
  readonly callee: CompiledCallable;
  readonly attempt: Attempt;
  readonly rank: number;
  readonly idempotent: ((step: Step) => unknown) | undefined;
  readonly cost: ((step: Step) => unknown) | undefined;
  /** What undoes a call that succeeded. */
  readonly compensate: (() => CompiledCallable) | undefined;
}

export interface Program {
  readonly graph: Graph;
  readonly shapes: Shapes;
  readonly callable: (ref: CalleeRef) => CompiledCallable;
  readonly flowBody: (flow: FlowIR) => CompiledBody;
  /** Compiles a body or expression that stands outside of any flow, as in tests. */
  readonly body: (body: Body, outer: Layout | undefined, ids?: readonly string[]) => CompiledBody;
  readonly expr: (expr: ExprIR, scope: Layout) => Eval;
  readonly analysis: Analysis;
}

/** What holds for everything inside a region, shared until something changes it. */
export interface Context {
  readonly account: Account;
  /** What is kept back for this work alone, in this account; undefined where no budget is around. */
  readonly claim: Claim | undefined;
  /** Stands for the attempt around where budgets count who goes on. */
  readonly worker: Worker | undefined;
  /** Limits of the regions around, innermost first, that a call must pass. */
  readonly gates: GateChain | undefined;
  readonly priority: number;
  /** Numbers of the vote runs around: part of cache keys and seeds. */
  readonly votes: string;
  /** Where calls that can be undone are noted. */
  readonly saga: Saga | undefined;
  /** Only what was done before is looked at again; nothing new is started. */
  readonly replay: boolean;
  /** The worktree that tools inside work in. */
  readonly directory?: string;
  /** The worktree is a new one: what was done in another is not there, and is done again. */
  readonly fresh?: boolean;
}

export interface GateChain {
  readonly gate: Gate;
  readonly outer: GateChain | undefined;
}

/** What is kept back for the nodes of a body, by their place. */
export interface Keeping {
  readonly claims: (Claim | undefined)[];
  readonly ended: boolean[];
}

/** One evaluation of a body. */
export interface Instance extends Frame, Scope {
  readonly body: CompiledBody;
  readonly run: Run;
  readonly context: Context;
  /** Prefix of the paths of its nodes. */
  readonly path: string;
  readonly pending: number[];
  readonly rank: number;
  /** What is kept back for nodes that have not ended, and which have; undefined where nothing is. */
  keeping: Keeping | undefined;
  /** Nodes that have no value yet. */
  left: number;
  /** Nodes that were started and have not ended. */
  active: number;
  failure: CallFailure | undefined;
  /** A loop's `stop when` held. */
  stopped: boolean;
  ended: boolean;
  readonly done: Done;
}

/** What a call used. */
export interface StepBill {
  cost: number;
  inputTokens: number;
  outputTokens: number;
  requests: number;
}

/** One execution of a node or of a call from elsewhere (an agent's tool, a fallback). */
export interface Step extends Scope {
  readonly run: Run;
  /** Frame of the place that calls. */
  readonly frame: Frame;
  readonly path: string;
  readonly rank: number;
  context: Context;
  readonly site: CallSite | undefined;
  /** The step that this is one attempt of; undefined for the step itself. */
  readonly root: Step | undefined;
  readonly args: Readonly<Record<string, unknown>>;
  /** Frame with the parameters, made when something reads it. */
  params: Frame | undefined;
  attempts: number;
  bill: StepBill | undefined;
  /** What is kept back for undoing it. */
  undoing: Claim | undefined;
  /** Made when somebody asks for its signal. */
  controller: AbortController | undefined;
  readonly startedAt: number;
}

export interface Totals {
  cost: number;
  inputTokens: number;
  outputTokens: number;
  calls: number;
  toolCalls: number;
  reused: number;
  /** Requests that used more than they had reserved. */
  overran: number;
}

/** A finished call, to be used again. */
export interface KnownResult {
  readonly guard: string;
  readonly value: unknown;
  /** It ended with this failure. */
  readonly failed?: KeptFailure;
  /** The run that it comes from, where that is another. */
  readonly run?: string;
}

/** Replaces a callable in tests; undefined where it is not stubbed. */
export type Intercept = (callee: CompiledCallable) => Attempt | undefined;

/** Something that goes on again, in the order in which it was begun. */
export interface Arrival {
  readonly order: number;
  readonly go: () => void;
}

export interface Run {
  readonly id: string;
  readonly seed: number;
  readonly program: Program;
  readonly clock: Clock;
  /** Values of the program's constants, by id. */
  readonly globals: ReadonlyMap<string, unknown>;
  readonly emit: (event: NewEvent) => void;
  /** Whether somebody looks on, so that what is only to be looked at is worth its while. */
  readonly isWatched: () => boolean;
  /** Takes keys and secrets out of what is told. */
  readonly scrub: Scrub;
  /** Waits until what was emitted is safe, then goes on; undefined where nothing is journaled. */
  readonly commit: ((then: () => void) => void) | undefined;
  readonly known: ((path: string, guard: string, callee: CompiledCallable) => KnownResult | undefined) | undefined;
  /** How calls were made before an edit, to say what changed. */
  readonly earlier: Earlier | undefined;
  /** Results whose place is gone. */
  readonly orphans: Orphans | undefined;
  /** Results under `@cache` that runs share. */
  readonly shared: SharedCache | undefined;
  /** Told every result; `shown` where its event shows it in full. */
  readonly remember: ((path: string, result: KnownResult, shown: boolean) => void) | undefined;
  /** What an earlier part of this run left behind. */
  readonly past: Past | undefined;
  /** Committed effects that differ from what the edited program wants: what the user chose. */
  readonly choices: ReadonlyMap<string, "keep" | "again">;
  readonly experiences: Experiences | undefined;
  readonly tallies: Tallies | undefined;
  readonly suspense: Suspense | undefined;
  readonly ask: Asker | undefined;
  /** Answers that were given before, by the path of the question. */
  readonly answers: ReadonlyMap<string, unknown> | undefined;
  /** Stands in for a person in tests. */
  readonly stubbed: ((what: "ask" | "approve") => Attempt | undefined) | undefined;
  /** The time that was spent waiting for people. */
  readonly asked: Asked;
  /** Whether anything in the program is to be undone. */
  readonly sagas: boolean;
  /** Counts what was done, for undoing newest first. */
  orders: number;
  /** Somebody stopped the process: nothing is undone, since the run will be resumed. */
  interrupted: boolean;
  readonly guards: boolean;
  readonly intercept: Intercept | undefined;
  readonly tape: Tape | undefined;
  readonly tools: ToolHost;
  readonly toolFunctions: Map<string, ToolFunction>;
  readonly provider: (model: ModelIR) => Provider;
  readonly admission: Admission;
  readonly breakers: Breakers;
  readonly rates: Rates;
  readonly locks: Locks;
  /** Locks that runs share; undefined where the run is not kept. */
  readonly sharedLocks: SharedLocks | undefined;
  readonly isolations: Isolations;
  readonly cache: ResultCache;
  readonly models: ModelLoads;
  readonly totals: Totals;
  readonly root: Account;
  /** Milliseconds that an aborted pure call has to end before it is left behind. */
  readonly grace: number;
  readonly queue: unknown[];
  /** Of a run that is carried on: what goes on again, until all that is known has been taken from what is known. */
  arrivals: Arrival[] | undefined;
  pumping: boolean;
  /** Nothing goes on any more: a test crashed it. */
  dead: boolean;
  schemas: SchemaModule | undefined;
  readonly loadSchemas: () => Promise<SchemaModule>;
}
