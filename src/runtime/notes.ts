/** What a scope notes as to be undone when it fails or loses: calls under `@compensate` that succeeded. */
import type { Graph } from "../plan/ir.js";
import type { CallSite, CompiledCallable, Context, Run, Step } from "./machine.js";
import { somewhere } from "./reach.js";

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
  context.saga?.notes.push({ path, name, unknown, order: order > 0 ? order : ++run.orders, undo, value, context });
}

/** Hands what a scope noted to the one around it, since it succeeded. */
export function passOn(from: Context, to: Context): void {
  if (from.saga !== undefined && from.saga !== to.saga) to.saga?.notes.push(...from.saga.notes.splice(0));
}
