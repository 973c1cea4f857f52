/**
 * Sagas. A call under `@compensate` that succeeded is noted in the scope around it: a flow, the expression of a `try`, an
 * item that may be dropped, a branch of a race, a run of a vote. When the scope fails or loses, what it noted is undone,
 * newest first, by calls like any other: journaled, retried by their own policies, resumable. One that fails does not
 * stop the others. What may have been carried out is undone where its undo may be made in vain, that is, where it is
 * idempotent and takes `null`; otherwise a person is asked what it gave. When a flow succeeds its notes pass to its caller; what a finished run noted is dropped.
 */
import { giveBack } from "./admission.js";
import { askToUndo } from "./ask.js";
import { pump } from "./body.js";
import { startCall } from "./call.js";
import type { CallFailure } from "./failure.js";
import type { CompiledCallable, Context, Done, Run } from "./machine.js";
import { type Note, passOn } from "./notes.js";
import { detach, newScope } from "./scope.js";
import { type Calling, stepOf } from "./step.js";
import { isFields } from "./values.js";

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
    const ended = (failed: CallFailure | undefined): void => {
      giveBack(run, at.claim);
      if (failed !== undefined) remaining.push({ path: at.path, failure: failed });
      next(index + 1);
    };
    if (at.unknown && !mayBeInVain(at.undo)) undoUnknown(run, at, ended);
    else undoOne(run, at, at.value, ended);
  };
  next(0);
}

const mayBeInVain = ({ site, ir, argTests }: CompiledCallable): boolean =>
  site.idempotent !== undefined && (ir.params.length === 0 || argTests[0]?.(null) === true);

function undoing(run: Run, at: Note): Calling {
  const context = { ...at.context, claim: at.claim, worker: undefined, gates: undefined, saga: undefined, replay: false };
  const frame = { slots: [], parent: undefined };
  return { run, scope: newScope(), context, site: undefined, frame, args: {}, path: `${at.path}/undo`, rank: 0 };
}

function undoOne(run: Run, at: Note, value: unknown, ended: (failed: CallFailure | undefined) => void): void {
  const param = at.undo.ir.params[0]?.name;
  startCall({ ...undoing(run, at), site: at.undo.site, args: param === undefined ? {} : { [param]: value } }, ended);
  pump(run);
}

/** A person says whether it happened, and what it gave. */
function undoUnknown(run: Run, at: Note, ended: (failed: CallFailure | undefined) => void): void {
  const step = stepOf(undoing(run, at));
  askToUndo(step, at.name, (answer) => {
    detach(step);
    if (answer.kind === "failed") ended(answer.failure);
    else if (answer.kind === "value" && isFields(answer.value) && answer.value["happened"] === true)
      undoOne(run, at, answer.value["value"] ?? null, ended);
    else ended(undefined);
  });
  pump(run);
}
