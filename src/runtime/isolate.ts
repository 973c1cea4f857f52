/**
 * `@isolate`: each attempt in a worktree of its own, the working directory of every tool inside. Only a success is merged,
 * one at a time for a tree, in the order of the program whatever ended first. The intent to merge is journaled with the
 * value, so that a run that was cut off finishes the merge and makes nothing inside again.
 */
import { pump } from "./body.js";
import { startCall } from "./call.js";
import { type CallFailure, toFailure } from "./failure.js";
import type { Attempt, CompiledCallable, Done, Run, Step } from "./machine.js";
import { cancelled, type Scope } from "./scope.js";
import { rootOf, stopped } from "./step.js";
import type { Conflict, ToolHost, Worktree, WorktreeAsked } from "./tool.js";

interface Isolation {
  readonly order: readonly number[];
  /** Merges; undefined while the attempt is still working. */
  go: (() => void) | undefined;
  merging: boolean;
}

/** The isolations that are open, by the tree that they were made from. */
export type Isolations = Map<string, Isolation[]>;

/** Under which the value of a merge that was intended is kept. */
export const mergeKey = (path: string): string => `${path} merge`;

export function withIsolation(resolver: (() => CompiledCallable) | undefined, next: Attempt): Attempt {
  return (step, done) => {
    const { run, path } = step;
    const outer = step.context;
    const from = outer.directory ?? run.tools.directory;
    const { worktrees } = run.tools;
    const asked: WorktreeAsked = {
      run: run.id,
      key: `${path} ${rootOf(step).attempts + 1}`,
      from,
      keep: run.past !== undefined && step.site?.callee.ir.kind !== "tool",
    };
    const merged = run.past?.merges.get(path);
    if (merged !== undefined) {
      settle(
        step,
        worktrees.finish({ ...asked, key: merged.key }),
        () => done(undefined, merged.value),
        (failed) => done(failed, null),
      );
      return;
    }
    if (outer.replay) {
      next(step, done);
      return;
    }
    const entry = enter(run, from, step);
    const end: Done = (failed, value) => {
      // Who is told first may stop the others, before the next of them is merged.
      done(failed, value);
      leave(run, from, entry);
    };
    settle(
      step,
      worktrees.open(asked),
      (tree) => work(step, tree, entry, asked.key, resolver, next, end),
      (failed) => end(failed, null),
    );
  };
}

function work(
  step: Step,
  tree: Worktree,
  entry: Isolation,
  key: string,
  resolver: (() => CompiledCallable) | undefined,
  next: Attempt,
  end: Done,
): void {
  const { run } = step;
  const outer = step.context;
  const discard = (failed: CallFailure): void => {
    // A run that is to be resumed goes on in what is there.
    if (run.interrupted || run.dead) end(failed, null);
    else {
      // What was done went with the worktree, so the attempt may be made again.
      const ended = (): void => end({ ...failed, committed: "no" }, null);
      settle(
        step,
        closed(step, tree).then(() => tree.discard()),
        ended,
        ended,
      );
    }
  };
  if (step.halt === cancelled) {
    discard(stopped(step));
    return;
  }
  step.context = { ...outer, directory: tree.directory, fresh: !tree.found };
  next(step, (failed, value) => {
    step.context = outer;
    if (failed !== undefined) {
      discard(failed);
      return;
    }
    entry.go = () => {
      step.onStop = undefined;
      entry.merging = true;
      const resolve = resolver === undefined ? undefined : resolving(step, resolver());
      const intend = (files: number): Promise<void> => intended(step, key, value, files);
      settle(
        step,
        closed(step, tree).then(() => tree.merge(resolve, intend)),
        (files) => {
          run.emit({ kind: "worktree.merged", path: step.path, files });
          end(undefined, value);
        },
        discard,
      );
    };
    step.onStop = (level) => {
      if (level !== cancelled || entry.merging) return;
      step.onStop = undefined;
      entry.go = undefined;
      discard(stopped(step));
    };
    if (step.halt === cancelled) {
      step.onStop = undefined;
      entry.go = undefined;
      discard(stopped(step));
    } else advance(run, step.context.directory ?? run.tools.directory);
  });
}

/** Connections of servers that work in the tree end before it is looked at. */
const closed = (step: Step, tree: Worktree): Promise<void> => step.run.tools.close(step.run.id, tree.directory);

/** Makes the intent to merge durable, with the value that goes on afterwards. */
function intended({ run, path }: Step, key: string, value: unknown, files: number): Promise<void> {
  run.remember?.(mergeKey(path), { guard: key, value }, false);
  run.emit({ kind: "worktree.merging", path, key, files });
  const { commit } = run;
  return commit === undefined ? Promise.resolve() : new Promise((go) => commit(go));
}

function resolving(step: Step, callee: CompiledCallable): (conflict: Conflict) => Promise<string> {
  const { run, context, frame, rank } = step;
  const param = callee.ir.params[0]?.name ?? "conflict";
  return (conflict) =>
    new Promise((resolve, reject) => {
      const path = `${step.path}/${callee.ir.name}[${conflict.path}]`;
      startCall({ run, scope: step, context, site: callee.site, frame, args: { [param]: conflict }, path, rank }, (failed, value) => {
        if (failed === undefined) resolve(String(value));
        else reject(failed);
      });
      pump(run);
    });
}

/** Waits for the host, on the run's clock. */
function settle<T>({ run }: Step, promise: Promise<T>, then: (value: T) => void, failing: (failed: CallFailure) => void): void {
  run.clock.hold();
  const go = (next: () => void): void => {
    run.clock.release();
    next();
    pump(run);
  };
  promise.then(
    (value) => go(() => then(value)),
    (thrown: unknown) => go(() => failing(toFailure(thrown, "tool_error", true))),
  );
}

function enter(run: Run, from: string, step: Step): Isolation {
  const made: Isolation = { order: orderOf(step), go: undefined, merging: false };
  const open = run.isolations.get(from) ?? [];
  const at = open.findIndex((other) => compare(made.order, other.order) < 0);
  open.splice(at < 0 ? open.length : at, 0, made);
  run.isolations.set(from, open);
  return made;
}

function leave(run: Run, from: string, entry: Isolation): void {
  const open = run.isolations.get(from);
  if (open === undefined) return;
  open.splice(open.indexOf(entry), 1);
  if (open.length === 0) run.isolations.delete(from);
  else advance(run, from);
}

/** The first in the order of the program may merge, once it is done. */
function advance(run: Run, from: string): void {
  const [first] = run.isolations.get(from) ?? [];
  if (first === undefined || first.merging) return;
  const { go } = first;
  first.go = undefined;
  go?.();
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

/** Ends what a run keeps open; an earlier part of one that is over may have left worktrees that nothing came back to. */
export async function leaveNothing(tools: ToolHost, run: string, resumed: boolean, status: string): Promise<void> {
  await tools.close(run);
  if (resumed && status !== "waiting" && status !== "paused") await tools.worktrees.sweep(run);
}
