/**
 * Sagas. A call under `@compensate` that succeeded is noted in the scope around it: a flow, the expression of a `try`, an
 * item that may be dropped, a branch of a race, a run of a vote. When the scope fails or loses, what it noted is undone,
 * newest first, by calls like any other: journaled, retried by their own policies, resumable. One that fails does not
 * stop the others. When a flow succeeds its notes pass to its caller; what a finished run noted is dropped.
 */
import { pump } from "./body.js";
import { startCall } from "./call.js";
import type { CallFailure } from "./failure.js";
import type { Context, Done, Run } from "./machine.js";
import { passOn } from "./notes.js";
import { running, type Scope } from "./scope.js";

/** Ends a scope: with success its notes pass to the scope around it, with a failure they are undone first. */
export function closing(run: Run, inner: Context, outer: Context, done: Done): Done {
  const { saga } = inner;
  if (saga === undefined || saga === outer.saga) return done;
  return (failed, value) => {
    if (failed === undefined) {
      passOn(inner, outer);
      done(undefined, value);
    } else undo(run, [inner], (remaining) => done(withRemaining(failed, remaining), value));
  };
}

interface Remaining {
  readonly path: string;
  readonly failure: CallFailure;
}

function withRemaining(failed: CallFailure, remaining: readonly Remaining[]): CallFailure {
  if (remaining.length === 0) return failed;
  const list = remaining.map(({ path, failure }) => `${path} (${failure.kind}: ${failure.message})`).join(", ");
  return { ...failed, message: `${failed.message}; not undone: ${list}` };
}

/** Undoes what some scopes noted, newest first. */
export function undo(run: Run, scopes: readonly Context[], then: (remaining: readonly Remaining[]) => void): void {
  const notes = scopes.flatMap((scope) => scope.saga?.notes.splice(0) ?? []).sort((a, b) => b.order - a.order);
  const [first] = notes;
  // An interrupted run goes on later from where it is.
  if (first === undefined || run.interrupted || run.dead) {
    then([]);
    return;
  }
  const remaining: Remaining[] = [];
  run.emit({ kind: "undo.started", path: first.path, size: notes.length });
  const next = (index: number): void => {
    const at = notes[index];
    if (at === undefined) {
      run.emit({
        kind: "undo.completed",
        path: first.path,
        undone: notes.length - remaining.length,
        remaining: remaining.map((each) => each.path),
      });
      then(remaining);
      return;
    }
    const param = at.undo.ir.params[0]?.name;
    startCall(
      {
        run,
        scope: freshScope(),
        context: { ...at.context, gates: undefined, saga: undefined, replay: false },
        site: at.undo.site,
        frame: { slots: [], parent: undefined },
        args: param === undefined ? {} : { [param]: at.value },
        path: `${at.path}/undo`,
        rank: 0,
      },
      (failed) => {
        if (failed !== undefined) remaining.push({ path: at.path, failure: failed });
        next(index + 1);
      },
    );
    pump(run);
  };
  next(0);
}

/** Undoing goes on when what it undoes is cancelled. */
function freshScope(): Scope {
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
