/**
 * `@isolate`: each attempt in a worktree of its own, the working directory of every tool inside. Only a success is merged,
 * one at a time for a tree, in the order of `merge-order.ts`. The intent to merge is journaled with the value, so that a
 * run that was cut off finishes the merge and makes nothing inside again.
 */
import { pump } from "./body.js";
import { startCall } from "./call.js";
import type { RunEvent } from "./events.js";
import { type CallFailure, toFailure } from "./failure.js";
import type { Attempt, CompiledCallable, Done, Step } from "./machine.js";
import { advance, enter, type Isolation, leave } from "./merge-order.js";
import { cancelled } from "./scope.js";
import { rootOf, stopped } from "./step.js";
import type { Conflict, ToolHost, Worktree, WorktreeAsked } from "./tool.js";

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
        worktrees.finish({ ...asked, key: merged.key }, resolver === undefined ? undefined : resolving(step, resolver())),
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

/** Keys of the worktrees whose merge a run intended, which it did not come to the end of. */
export function intendedMerges(events: readonly RunEvent[]): ReadonlySet<string> {
  const open = new Map<string, string>();
  for (const event of events) {
    if (event.kind === "worktree.merging") open.set(event.path, event.key);
    else if ("path" in event && typeof event.path === "string" && endings.has(event.kind)) open.delete(event.path);
  }
  return new Set(open.values());
}

const endings: ReadonlySet<RunEvent["kind"]> = new Set(["worktree.merged", "call.failed", "call.attempt_failed", "region.failed"]);

/** Ends what a run keeps open; an earlier part of one that is over may have left worktrees that nothing came back to. */
export async function leaveNothing(tools: ToolHost, run: string, resumed: boolean, status: string): Promise<void> {
  await tools.close(run);
  if (resumed && status !== "waiting" && status !== "paused") await tools.worktrees.sweep(run);
}
