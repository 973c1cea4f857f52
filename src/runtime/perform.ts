/**
 * What happens inside a call of a flow or a tool: a flow's body, a tool's function. In a journaled run an effect is
 * carried out only when the intent is durable. A cancelled pure call is aborted; an effect is awaited.
 */
import { begin, instanceOf, pump } from "./body.js";
import { checkArgs, checkResult } from "./call.js";
import { type CallFailure, toFailure } from "./failure.js";
import type { Attempt, CompiledCallable, Done, Step } from "./machine.js";
import { withSaga } from "./notes.js";
import { closing } from "./saga.js";
import { cancelled, stopping } from "./scope.js";
import { abort, rootOf, stopped } from "./step.js";
import type { Tape, TapedOutcome } from "./tape.js";
import { signalOf } from "./tool-context.js";

/** Carries out a flow: its body, with the arguments in its frame. */
export function performFlow(step: Step, done: Done): void {
  const site = step.site;
  if (site === undefined || site.callee.ir.kind !== "flow") throw new Error("a flow is expected here");
  const root = rootOf(step);
  root.attempts++;
  const flow = site.callee.ir;
  const context = withSaga(step.run, step.context);
  const body = step.run.program.flowBody(flow);
  const instance = instanceOf({
    run: step.run,
    body,
    frame: undefined,
    scope: step,
    context,
    path: root.attempts > 1 ? `${step.path}~${root.attempts}` : step.path,
    rank: step.rank,
    done: closing(step.run, context, step.context, done),
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
    const { commit, tape } = step.run;
    const carryOut = tape === undefined || tape.leaves(callee) ? carryOutNow : throughTape(tape);
    if (!effect || commit === undefined) carryOut(step, callee, invoke, args, effect, done);
    else {
      commit(() => {
        if (step.halt === cancelled) done({ ...stopped(step), committed: "no" }, null);
        else carryOut(step, callee, invoke, args, effect, done);
        pump(step.run);
      });
    }
  });
}

type CarryOut = (
  step: Step,
  callee: CompiledCallable,
  invoke: Invoke,
  args: Readonly<Record<string, unknown>>,
  effect: boolean,
  done: Done,
) => void;

/** The tape says how the call ends, or has it made. */
function throughTape(tape: Tape): CarryOut {
  return (step, callee, invoke, args, effect, done) => {
    const { run } = step;
    step.onStop = (level) => {
      if (level === cancelled && !effect) abort(step);
    };
    const live = (): Promise<TapedOutcome> =>
      new Promise((resolve) => carryOutNow(step, callee, invoke, args, effect, (failed, value) => resolve({ failed, value })));
    const call = {
      callee,
      args,
      path: step.path,
      attempt: rootOf(step).attempts,
      signal: signalOf(step),
      clock: run.clock,
      abandoned: () => stopping(step),
    };
    tape.call(call, live).then(
      ({ failed, value }) => {
        step.onStop = undefined;
        if (failed !== undefined) done(step.halt === cancelled && !effect ? stopped(step) : failed, null);
        else checkResult(step, callee, value, done);
        pump(run);
      },
      (thrown: unknown) => {
        step.onStop = undefined;
        done(toFailure(thrown, "tool_error", effect), null);
        pump(run);
      },
    );
  };
}

function carryOutNow(
  step: Step,
  callee: CompiledCallable,
  invoke: Invoke,
  args: Readonly<Record<string, unknown>>,
  effect: boolean,
  done: Done,
): void {
  let result: unknown;
  try {
    result = invoke(step, args);
  } catch (thrown) {
    done(told(step, thrown, effect), null);
    return;
  }
  if (isThenable(result)) awaitTool(step, callee, result, effect, done);
  else checkResult(step, callee, result, done);
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
      end(step.halt === cancelled && !effect ? stopped(step) : told(step, thrown, effect), null);
    },
  );
}

/** What a tool failed with, without the keys that it may hold. */
function told(step: Step, thrown: unknown, effect: boolean): CallFailure {
  const failed = toFailure(thrown, "tool_error", effect);
  const message = step.run.scrub.text(failed.message);
  return message === failed.message ? failed : { ...failed, message };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
