/** Steps: one execution of a node or call, and each of its attempts, placed in the tree of scopes. */
import type { TypeIR } from "../plan/ir.js";
import { pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { expiry } from "./ledger.js";
import type { CallSite, Context, Run, Step, StepBill } from "./machine.js";
import type { Checked } from "./schema.js";
import { attach, running, type Scope } from "./scope.js";

export interface Calling {
  readonly run: Run;
  readonly scope: Scope;
  readonly context: Context;
  readonly site: CallSite | undefined;
  readonly frame: Frame;
  readonly args: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly rank: number;
  /** Place in the body or among the calls of an agent. */
  readonly position?: number;
}

/** A step for a node or call, placed in the tree of scopes. */
export function stepOf(calling: Calling): Step {
  const kind = calling.site?.callee.ref.kind;
  const made: Step = {
    part: kind === "tool" || kind === "agent" ? "call" : "step",
    position: calling.position ?? 0,
    parentScope: undefined,
    firstChild: undefined,
    nextSibling: undefined,
    previousSibling: undefined,
    halt: running,
    cause: undefined,
    sealed: false,
    onStop: undefined,
    run: calling.run,
    frame: calling.frame,
    path: calling.path,
    rank: calling.rank,
    context: calling.context,
    site: calling.site,
    root: undefined,
    args: calling.args,
    params: undefined,
    attempts: 0,
    bill: undefined,
    undoing: undefined,
    controller: undefined,
    startedAt: calling.run.clock.now(),
  };
  attach(calling.scope, made);
  return made;
}

/** One attempt of a step as a scope of its own, so that it can be stopped without the others. */
export function attemptOf(step: Step): Step {
  const root = rootOf(step);
  const made: Step = {
    part: step.part,
    position: step.position,
    parentScope: undefined,
    firstChild: undefined,
    nextSibling: undefined,
    previousSibling: undefined,
    halt: running,
    cause: undefined,
    sealed: step.sealed,
    onStop: undefined,
    run: step.run,
    frame: step.frame,
    path: step.path,
    rank: step.rank,
    context: step.context,
    site: step.site,
    root,
    args: step.args,
    params: step.params,
    attempts: 0,
    bill: undefined,
    undoing: undefined,
    controller: undefined,
    startedAt: step.startedAt,
  };
  attach(step, made);
  return made;
}

export function rootOf(step: Step): Step {
  return step.root ?? step;
}

/** What a call has used so far, to be added to. */
export function billOf(step: Step): StepBill {
  const root = rootOf(step);
  root.bill ??= { cost: 0, inputTokens: 0, outputTokens: 0, requests: 0 };
  return root.bill;
}

/** A failure that says that this step was stopped. */
export function stopped(step: Step): CallFailure {
  const cause = step.cause;
  return failure("cancelled", cause?.message ?? "cancelled", { path: step.path, ...(cause === undefined ? {} : { cause }) });
}

/**
 * A failure as its step tells it: what was aborted because the time of a budget is over fails with that, so that what is
 * around ends as it does when a budget is short.
 */
export function asBudget(step: Step, failed: CallFailure): CallFailure {
  const { cause } = failed;
  return failed.kind === "cancelled" && cause !== undefined && expiry(step.context.account) === cause ? cause : failed;
}

/** The frame with the parameters of the callable, for what its declaration says about them. */
export function paramsOf(step: Step): Frame {
  if (step.params !== undefined) return step.params;
  const callee = step.site?.callee;
  if (callee === undefined) return step.frame;
  const frame = newFrame(callee.params, undefined);
  for (const [i, param] of callee.ir.params.entries()) frame.slots[i] = step.args[param.name] ?? null;
  step.params = frame;
  return frame;
}

/** Since when a step waits: what waited before a crash has kept its place. */
export function waitingSince({ run, path }: Step, what: "parallel" | "rate"): number {
  const now = run.clock.now();
  const since = run.past?.places().since(path, what);
  return since === undefined ? now : Math.min(now, since + now - run.clock.wall());
}

/** Tells a tool or provider that its result is no longer wanted. */
export function abort(step: Step): void {
  step.controller?.abort(new DOMException(step.cause?.message ?? "cancelled", "AbortError"));
}

/** Goes on with the explaining half of validation, at once where it is loaded. */
export function withSchemas(run: Run, then: (schemas: NonNullable<Run["schemas"]>) => void): void {
  if (run.schemas !== undefined) {
    then(run.schemas);
    return;
  }
  run.clock.hold();
  void run.loadSchemas().then((schemas) => {
    run.clock.release();
    then(schemas);
    pump(run);
  });
}

/** A value as a type wants it; what explains a misfit is loaded when there is one. */
export async function fitted(run: Run, type: TypeIR, value: unknown): Promise<Checked> {
  const { exactly, cut } = run.program.shapes;
  const fits = exactly(type);
  if (fits(value)) return { ok: true, value };
  const rest = cut(type)(value);
  if (fits(rest)) return { ok: true, value: rest };
  const schemas = await new Promise<NonNullable<Run["schemas"]>>((resolve) => withSchemas(run, resolve));
  return schemas.validate(type, value, run.program.graph.types);
}
