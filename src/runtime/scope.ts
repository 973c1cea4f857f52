/**
 * Structured concurrency. Every evaluation of a body and every execution of a node is a scope in one tree; a scope ends
 * only after everything inside it has ended. Stopping goes down the tree: `draining` means that nothing more is
 * started while what runs is awaited, `cancelled` that pure work is aborted too.
 */
import type { CallFailure } from "./failure.js";

export const running = 0;
export const draining = 1;
export const cancelled = 2;
export type Halt = typeof running | typeof draining | typeof cancelled;

export interface Scope {
  /** The evaluation of a body, the execution of a node, or of a call that has nothing but itself inside. */
  readonly part: "body" | "step" | "call";
  parentScope: Scope | undefined;
  /** Children as a linked list, so that starting and ending cost nothing. */
  firstChild: Scope | undefined;
  nextSibling: Scope | undefined;
  previousSibling: Scope | undefined;
  /** Its place among what its parent starts, in the order of the program. */
  readonly position: number;
  halt: Halt;
  cause: CallFailure | undefined;
  /** A call that was sent: draining lets it end, with all that it does inside. */
  sealed: boolean;
  /** Told once for each level, after the scopes inside. */
  onStop: ((level: Halt, cause: CallFailure, scope: Scope) => void) | undefined;
}

/** A scope that nothing is around. */
export function newScope(): Scope {
  return {
    part: "body",
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

export function attach(parent: Scope, child: Scope): void {
  child.parentScope = parent;
  const first = parent.firstChild;
  child.nextSibling = first;
  child.previousSibling = undefined;
  if (first !== undefined) first.previousSibling = child;
  parent.firstChild = child;
}

export function detach(child: Scope): void {
  const parent = child.parentScope;
  if (parent === undefined) return;
  if (child.previousSibling !== undefined) child.previousSibling.nextSibling = child.nextSibling;
  else if (parent.firstChild === child) parent.firstChild = child.nextSibling;
  if (child.nextSibling !== undefined) child.nextSibling.previousSibling = child.previousSibling;
  child.parentScope = undefined;
  child.nextSibling = undefined;
  child.previousSibling = undefined;
}

/** Whether a scope or one around it was stopped, also where what is sealed goes on to its end. */
export function stopping(scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parentScope) if (at.halt !== running) return true;
  return false;
}

/** Stops a scope and everything inside it; stopping again at the same level does nothing. */
export function stop(scope: Scope, level: Halt, cause: CallFailure): void {
  if (scope.halt >= level) return;
  scope.halt = level;
  scope.cause ??= cause;
  if (!(scope.sealed && level === draining)) stopChildren(scope, level, cause);
  scope.onStop?.(level, cause, scope);
}

/** Stops what is inside a scope, in the order it was started. */
export function stopChildren(scope: Scope, level: Halt, cause: CallFailure): void {
  if (scope.firstChild === undefined) return;
  const children: Scope[] = [];
  for (let at: Scope | undefined = scope.firstChild; at !== undefined; at = at.nextSibling) children.push(at);
  for (const child of children.reverse()) stop(child, level, cause);
}

/** Why a run was cancelled for good, if it was. */
export function cancellation(root: Scope, interrupted: boolean): string | undefined {
  return root.halt === cancelled && !interrupted ? (root.cause?.message ?? "cancelled") : undefined;
}
