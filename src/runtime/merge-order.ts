/**
 * In which order worktrees are merged into a tree: one at a time, in the order of the program, whichever ended first.
 * One that holds a lock which an earlier one needs goes before it, and so does one that holds a lock of several runs while
 * an earlier one waits for another run: merges and locks never wait for each other.
 */
import type { Run, Step } from "./machine.js";
import type { Scope } from "./scope.js";

export interface Isolation {
  readonly step: Step;
  readonly order: readonly number[];
  /** Merges; undefined while the attempt is still working. */
  go: (() => void) | undefined;
  merging: boolean;
}

/** The isolations that are open, by the tree that they were made from, in the order of the program. */
export type Isolations = Map<string, Isolation[]>;

export function enter(run: Run, from: string, step: Step): Isolation {
  const made: Isolation = { step, order: orderOf(step), go: undefined, merging: false };
  const open = run.isolations.get(from) ?? [];
  const at = open.findIndex((other) => compare(made.order, other.order) < 0);
  open.splice(at < 0 ? open.length : at, 0, made);
  run.isolations.set(from, open);
  return made;
}

export function leave(run: Run, from: string, entry: Isolation): void {
  const open = run.isolations.get(from);
  if (open === undefined) return;
  open.splice(open.indexOf(entry), 1);
  if (open.length === 0) run.isolations.delete(from);
  else advance(run, from);
}

/** Merges who is done, where nobody that it must wait for can still go on without it. */
export function advance(run: Run, from: string): void {
  const open = run.isolations.get(from) ?? [];
  const next = open.find(
    (entry, i) => entry.go !== undefined && open.every((other, j) => !(j < i || other.merging) || waitsFor(run, other.step, entry)),
  );
  if (next === undefined) return;
  const { go } = next;
  next.go = undefined;
  go?.();
}

/** Looks at every tree again: somebody has begun to wait for a lock. */
export function advanceAll(run: Run): void {
  for (const from of [...run.isolations.keys()]) advance(run, from);
}

/** Whether something inside `scope` waits, for a lock or through others, for the end of an isolation that is done. */
function waitsFor(run: Run, scope: Scope, entry: Isolation, seen: Set<Scope> = new Set()): boolean {
  if (seen.has(scope)) return false;
  seen.add(scope);
  if (inside(entry.step, scope)) return true;
  for (const lock of run.locks.values()) {
    if (!lock.waiting.some((wish) => inside(wish.step, scope))) continue;
    // What another run has may wait for what this one shares with it.
    if (lock.holder === undefined ? keepsOthers(run, entry) : waitsFor(run, lock.holder, entry, seen)) return true;
  }
  for (const open of run.isolations.values())
    for (const [i, other] of open.entries())
      if (other.go !== undefined && inside(other.step, scope) && open.slice(0, i).some(({ step }) => waitsFor(run, step, entry, seen)))
        return true;
  return false;
}

/** Whether an isolation is inside of a lock that runs share. */
const keepsOthers = (run: Run, { step }: Isolation): boolean =>
  [...run.locks.values()].some(({ scope, holder }) => scope === "global" && holder !== undefined && inside(step, holder));

export function inside(inner: Scope, outer: Scope): boolean {
  for (let at: Scope | undefined = inner; at !== undefined; at = at.parentScope) if (at === outer) return true;
  return false;
}

/** Places from the outermost scope to the step. */
function orderOf(step: Step): readonly number[] {
  const places: number[] = [];
  for (let at: Scope | undefined = step; at !== undefined; at = at.parentScope) places.push(at.position);
  return places.reverse();
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
