/**
 * `@timeout`: an attempt that takes too long is aborted. A call ends at once with `timeout`, and what it may still give
 * is never looked at; a region is cancelled and ends when what is inside has ended.
 */
import { inTurn, pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import type { Attempt, Run, Step } from "./machine.js";
import type { Read } from "./retry.js";
import { cancelled, detach, stop } from "./scope.js";
import { abort, attemptOf, rootOf } from "./step.js";
import { durationText } from "./values.js";

/** Sets a timer that only ends what takes too long. */
export function deadline(run: Run): Run["clock"]["after"] {
  return run.suspense?.deadline ?? run.clock.after;
}

export function withTimeout(after: Read, leaf: boolean, next: Attempt): Attempt {
  return (step, done) => {
    const { run } = step;
    const ms = Number(after(step));
    const attempt = attemptOf(step);
    const startedAt = run.clock.now();
    let late: CallFailure | undefined;
    let ended = false;
    let cancelTimer: (() => void) | undefined;
    next(attempt, (failed, value) => {
      if (ended) return;
      ended = true;
      cancelTimer?.();
      detach(attempt);
      if (late !== undefined) done(late, null);
      else done(failed, value);
    });
    // Most of what ends at once needs no timer.
    if (ended) return;
    const used = leaf && step.site?.callee.ref.kind === "tool" ? 0 : usedBefore(step);
    const expire = (): void => {
      if (ended) return;
      cancelTimer?.();
      const committed = step.site?.callee.effect === "effect" ? "unknown" : "no";
      late = failure("timeout", `no answer within ${durationText(ms)}`, { path: step.path, committed });
      stop(attempt, cancelled, late);
      abort(attempt);
      if (leaf && !ended) {
        ended = true;
        detach(attempt);
        done(late, null);
      }
      pump(run);
    };
    if (used >= ms && run.arrivals !== undefined) inTurn(run, step.path, expire, "over");
    cancelTimer = deadline(run)(ms - used - (run.clock.now() - startedAt), expire);
  };
}

/**
 * The time that an attempt took in an earlier part of the run: of a flow or region since it was begun until it ended, of an
 * agent since its first request. The call of a tool is made again as a whole, and has its time again.
 */
function usedBefore(step: Step): number {
  const { run, path, site } = step;
  const { past } = run;
  if (past === undefined) return 0;
  const attempt = rootOf(step).attempts;
  const agent = site?.callee.ref.kind === "agent";
  const begun = agent ? undefined : past.begun().get(attempt > 1 ? `${path}~${attempt}` : path);
  const from = agent ? past.places().asked(path) : begun?.inside;
  return from === undefined ? 0 : (begun?.ended ?? past.elapsedMs) - from;
}
