/**
 * What a scope notes as to be undone when it fails or loses: calls under `@compensate` that succeeded. What undoing one
 * costs is kept back from when the call starts.
 */
import { shapeOfType } from "../plan/bounds.js";
import type { Graph } from "../plan/ir.js";
import { enter, giveBack, tryEnter } from "./admission.js";
import { type Amount, type Claim, release } from "./ledger.js";
import type { Attempt, CallSite, CompiledCallable, Context, Run, Step } from "./machine.js";
import { somewhere } from "./reach.js";
import { stopped } from "./step.js";

export interface Note {
  readonly path: string;
  /** The callable that was called. */
  readonly name: string;
  /** Nobody knows whether it was carried out; there is no value. */
  readonly unknown: boolean;
  /** Place among all that was done. */
  readonly order: number;
  readonly undo: CompiledCallable;
  readonly value: unknown;
  readonly context: Context;
  /** What is kept back for it. */
  readonly claim: Claim | undefined;
}

export interface Saga {
  readonly notes: Note[];
}

/** Whether anything in a program is to be undone. */
export function hasSagas(graph: Graph): boolean {
  return somewhere(graph, (_, policies) => policies.compensate !== undefined);
}

/** The same context with a scope of its own for what is to be undone. */
export function withSaga(run: Run, context: Context): Context {
  return run.sagas ? { ...context, saga: { notes: [] } } : context;
}

/**
 * Notes a call that succeeded, or one whose outcome nobody knows. `order` is where it stood in an earlier part of the run;
 * 0 for a new one.
 */
export function note(step: Step, site: CallSite, value: unknown, order: number, unknown = false): void {
  const undo = site.compensate?.();
  if (undo === undefined) return;
  const { run, context, path } = step;
  const { name } = site.callee.ir;
  const { account } = context;
  // What was done in an earlier part of the run has to be paid for again, as far as there is room.
  const claim =
    step.undoing ?? (account.limited ? tryEnter(run, account, undoNeeds(run, site.callee, undo), step.context.claim) : undefined);
  context.saga?.notes.push({ path, name, unknown, order: order > 0 ? order : ++run.orders, undo, value, context, claim });
}

function undoNeeds(run: Run, callee: CompiledCallable, undo: CompiledCallable): Amount {
  const [param] = undo.ir.params;
  const { graph, analysis } = run.program;
  return analysis.sized(undo.ref, param === undefined ? new Map() : new Map([[param.name, shapeOfType(callee.ir.result, graph.types)]]));
}

/** Keeps back what undoing a call needs, from before it starts. */
export function withUndo(undo: () => CompiledCallable, next: Attempt): Attempt {
  return (step, done) => {
    const { run, path, site, root } = step;
    const { account, claim } = step.context;
    if (!account.limited || site === undefined) {
      next(step, done);
      return;
    }
    const takeBack = enter(run, { account, claim, path }, undoNeeds(run, site.callee, undo()), (refused, own) => {
      step.onStop = undefined;
      if (refused !== undefined) {
        done(refused, null);
        return;
      }
      const of = root ?? step;
      of.undoing = own;
      next(step, (failed, value) => {
        if (failed !== undefined && failed.committed !== "unknown") {
          of.undoing = undefined;
          giveBack(run, own);
        }
        done(failed, value);
      });
    });
    if (takeBack === undefined) return;
    step.onStop = () => {
      step.onStop = undefined;
      takeBack();
      done(stopped(step), null);
    };
  };
}

/** Hands what a scope noted to the one around it, since it succeeded. */
export function passOn(from: Context, to: Context): void {
  if (from.saga === undefined || from.saga === to.saga) return;
  const notes = from.saga.notes.splice(0);
  if (to.saga !== undefined) to.saga.notes.push(...notes);
  else for (const { claim } of notes) if (claim !== undefined) release(claim);
}
