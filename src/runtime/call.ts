/**
 * Calls: from arguments to a result that is checked, counted and told. Whatever a call does (a flow's body, a tool's
 * function, an agent's turns) happens inside `site.attempt`, under its policies. A finished call is made safe before
 * anything that depends on it starts.
 */
import { begin, inside, instanceOf, nodeDone, pump } from "./body.js";
import type { Bill } from "./events.js";
import { type CallFailure, failure, failureValue, located, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { canonical, contentHash } from "./hash.js";
import { dollars } from "./ledger.js";
import type { Attempt, CallSite, CompiledCallable, CompiledNode, Context, Done, Instance, Run, Step, StepBill } from "./machine.js";
import { attach, cancelled, detach, running, type Scope } from "./scope.js";
import { copy, setField } from "./values.js";

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

const noArgs: Readonly<Record<string, unknown>> = {};

/** A step for a node or call, placed in the tree of scopes. */
export function stepOf(calling: Calling): Step {
  const made: Step = {
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

/** Fills in defaults of parameters that were left out. */
export function withDefaults(callee: CompiledCallable, args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (callee.ir.params.every((param) => args[param.name] !== undefined)) return args;
  const frame = newFrame(callee.params, undefined);
  const out: Record<string, unknown> = {};
  for (const [i, param] of callee.ir.params.entries()) {
    if (args[param.name] !== undefined) frame.slots[i] = args[param.name];
  }
  for (const [i, param] of callee.ir.params.entries()) {
    if (args[param.name] === undefined) frame.slots[i] = callee.defaults[i]?.(frame) ?? null;
    setField(out, param.name, frame.slots[i]);
  }
  return out;
}

/** Carries out a call node. */
export function executeCall(site: CallSite, names: readonly string[], values: readonly ((frame: Frame) => unknown)[], complete: boolean) {
  return (instance: Instance, node: CompiledNode): void => {
    const given: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) setField(given, names[i] ?? "", values[i]?.(instance) ?? null);
    const args = names.length === 0 && complete ? noArgs : complete ? given : withDefaults(site.callee, given);
    startCall(
      {
        run: instance.run,
        scope: instance,
        context: instance.context,
        site,
        frame: instance,
        args,
        path: inside(instance.path, node.ir.segment),
        rank: instance.rank + node.rank,
        position: node.index,
      },
      (failed, value) => nodeDone(instance, node, failed, value),
    );
  };
}

/** Starts a call and tells how it ended; used by call nodes, agents with tools, fallbacks, tests and the run itself. */
export function startCall(calling: Calling & { readonly site: CallSite }, done: Done): Step {
  const step = stepOf(calling);
  const { run, site } = calling;
  const { ref, ir } = site.callee;
  const guard = run.guards ? guardOf(site.callee, step) : undefined;
  if (guard !== undefined && run.known !== undefined) {
    const known = run.known(step.path, guard);
    if (known !== undefined) {
      run.totals.reused++;
      run.emit({ kind: "call.reused", path: step.path, callee: ir.name, of: ref.kind, value: redactedResult(site.callee, known.value) });
      detach(step);
      done(undefined, known.value);
      return step;
    }
  }
  const started = {
    kind: "call.started",
    path: step.path,
    callee: ir.name,
    of: ref.kind,
    args: redactedArgs(site.callee, step.args),
  } as const;
  run.emit(guard === undefined ? started : { ...started, guard });
  site.attempt(step, (failed, value) => finishCall(step, site, failed, value, guard, done));
  return step;
}

function finishCall(
  step: Step,
  site: CallSite,
  failed: CallFailure | undefined,
  value: unknown,
  guard: string | undefined,
  done: Done,
): void {
  const { run } = step;
  const { ref, ir } = site.callee;
  const attempts = step.attempts;
  const ended = failed === undefined ? undefined : located(failed, step.path, attempts);
  detach(step);
  const elapsedMs = run.clock.now() - step.startedAt;
  const bill = billReport(step);
  if (ended === undefined) {
    const completed = {
      kind: "call.completed",
      path: step.path,
      callee: ir.name,
      of: ref.kind,
      value: redactedResult(site.callee, value),
      attempts,
      elapsedMs,
    } as const;
    if (guard !== undefined) run.remember?.(step.path, { guard, value });
    run.emit(bill === undefined ? completed : { ...completed, bill });
  } else {
    const told = {
      kind: "call.failed",
      path: step.path,
      callee: ir.name,
      of: ref.kind,
      failure: failureValue(ended),
      attempts,
      elapsedMs,
    } as const;
    run.emit(bill === undefined ? told : { ...told, bill });
  }
  if (run.commit === undefined) done(ended, value);
  else {
    run.commit(() => {
      done(ended, value);
      pump(run);
    });
  }
}

function billReport(step: Step): Bill | undefined {
  const bill = step.bill;
  if (bill === undefined) return undefined;
  return { costUsd: dollars(bill.cost), inputTokens: bill.inputTokens, outputTokens: bill.outputTokens, requests: bill.requests };
}

/** Guards the reuse of a result: the definition of the callee and its inputs. */
export function guardOf(callee: CompiledCallable, step: Step): string {
  return contentHash(`${callee.ir.hash}\n${canonical(step.args)}`);
}

function redactedArgs(callee: CompiledCallable, args: Readonly<Record<string, unknown>>): unknown {
  return callee.redact.args === undefined ? args : callee.redact.args(args);
}

function redactedResult(callee: CompiledCallable, value: unknown): unknown {
  return callee.redact.result === undefined ? value : callee.redact.result(value);
}

/** Carries out a flow: its body, with the arguments in its frame. */
export function performFlow(step: Step, done: Done): void {
  const site = step.site;
  if (site === undefined || site.callee.ir.kind !== "flow") throw new Error("a flow is expected here");
  const root = rootOf(step);
  root.attempts++;
  const flow = site.callee.ir;
  const body = step.run.program.flowBody(flow);
  const instance = instanceOf({
    run: step.run,
    body,
    frame: undefined,
    scope: step,
    context: step.context,
    path: root.attempts > 1 ? `${step.path}~${root.attempts}` : step.path,
    rank: step.rank,
    done,
  });
  for (let i = 0; i < flow.params.length; i++) instance.slots[i] = step.args[flow.params[i]?.name ?? ""] ?? null;
  begin(instance);
}

/** How a tool is carried out once its arguments are checked. */
export type Invoke = (step: Step, args: Readonly<Record<string, unknown>>) => unknown;

/** Carries out a tool, with checked arguments, and a checked result. */
export function performTool(callee: CompiledCallable, invoke: Invoke): Attempt {
  return (step, done) => invokeTool(step, callee, invoke, done);
}

function invokeTool(step: Step, callee: CompiledCallable, invoke: Invoke, done: Done): void {
  const effect = callee.effect === "effect";
  checkArgs(step, callee, (failed, args) => {
    if (failed !== undefined) {
      done(failed, null);
      return;
    }
    if (step.halt === cancelled) {
      done(stopped(step), null);
      return;
    }
    let result: unknown;
    try {
      result = invoke(step, args);
    } catch (thrown) {
      done(toFailure(thrown, "tool_error", effect), null);
      return;
    }
    if (!isThenable(result)) {
      checkResult(step, callee, result, done);
      return;
    }
    awaitTool(step, callee, result, effect, done);
  });
}

function awaitTool(step: Step, callee: CompiledCallable, result: PromiseLike<unknown>, effect: boolean, done: Done): void {
  const { run } = step;
  let ended = false;
  let held = true;
  run.clock.hold();
  const release = (): void => {
    if (held) run.clock.release();
    held = false;
  };
  let cancelGrace: (() => void) | undefined;
  const end: Done = (failed, value) => {
    if (ended) return;
    ended = true;
    release();
    cancelGrace?.();
    step.onStop = undefined;
    done(failed, value);
    pump(run);
  };
  // An effect is never aborted by a cancellation; a pure call that ignores the signal is left behind after a while.
  step.onStop = (level) => {
    if (level !== cancelled || effect) return;
    abort(step);
    release();
    cancelGrace = run.clock.after(run.grace, () => end(stopped(step), null));
  };
  result.then(
    (value) => {
      if (!ended) checkResult(step, callee, value, end);
    },
    (thrown: unknown) => {
      if (ended) return;
      end(step.halt === cancelled && !effect ? stopped(step) : toFailure(thrown, "tool_error", effect), null);
    },
  );
}

/** Tells a tool or provider that its result is no longer wanted. */
export function abort(step: Step): void {
  step.controller?.abort(new DOMException(step.cause?.message ?? "cancelled", "AbortError"));
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Arguments as the callee declares them: cut to their types, in an object of its own. */
export function checkArgs(
  step: Step,
  callee: CompiledCallable,
  then: (failed: CallFailure | undefined, args: Readonly<Record<string, unknown>>) => void,
): void {
  const { params } = callee.ir;
  const out: Record<string, unknown> = {};
  let exact = true;
  for (let i = 0; i < params.length; i++) {
    const name = params[i]?.name ?? "";
    const value = step.args[name] ?? null;
    if (callee.argTests[i]?.(value) !== true) {
      exact = false;
      break;
    }
    setField(out, name, typeof value === "object" && value !== null ? copy(value) : value);
  }
  if (exact) {
    then(undefined, out);
    return;
  }
  withSchemas(step.run, (schemas) => {
    const types = step.run.program.graph.types;
    for (const param of params) {
      const checked = schemas.validate(param.type, step.args[param.name] ?? null, types);
      if (!checked.ok) {
        then(failure("assertion", `${callee.ir.name} cannot take this \`${param.name}\`: ${checked.message}`), {});
        return;
      }
      setField(out, param.name, checked.value);
    }
    then(undefined, out);
  });
}

/** A result as the callee declares it. */
export function checkResult(step: Step, callee: CompiledCallable, found: unknown, done: Done): void {
  const value = found === undefined ? null : found;
  if (callee.resultTest(value)) {
    done(undefined, typeof value === "object" && value !== null ? copy(value) : value);
    return;
  }
  const cut = callee.resultCut(value);
  if (callee.resultTest(cut)) {
    done(undefined, cut);
    return;
  }
  withSchemas(step.run, (schemas) => {
    const checked = schemas.validate(callee.ir.result, value, step.run.program.graph.types);
    if (checked.ok) done(undefined, checked.value);
    else {
      const committed = callee.effect === "effect" ? "yes" : "no";
      done(failure("invalid_output", `${callee.ir.name} gave something else than it declares: ${checked.message}`, { committed }), null);
    }
  });
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
