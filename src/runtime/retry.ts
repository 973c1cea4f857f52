/** `@retry`: further attempts after failures that may pass, never before the other side said, never after a stop. */
import { beginWork, endWork } from "./admission.js";
import { pump } from "./body.js";
import { type CallFailure, failureValue, transientKinds } from "./failure.js";
import { randomFor } from "./hash.js";
import { resize } from "./ledger.js";
import type { Attempt, Done, Step } from "./machine.js";
import type { PastAttempts } from "./past.js";
import { failureOf } from "./reuse.js";
import { cancelled, running } from "./scope.js";
import { rootOf, stopped } from "./step.js";

export type Read = (step: Step) => unknown;

export interface RetryPolicy {
  readonly times: Read;
  readonly backoff: Read;
  readonly factor: Read;
  readonly max: Read;
  readonly jitter: Read;
  readonly on: Read | undefined;
}

export function withRetry(policy: RetryPolicy, next: Attempt): Attempt {
  const again = (step: Step, attempt: number, done: Done): void => {
    next(step, (failed, value) => {
      if (failed === undefined) done(undefined, value);
      else after(step, attempt, failed, done);
    });
  };
  const after = (step: Step, attempt: number, failed: CallFailure, done: Done): void => {
    if (step.halt !== running || !mayRetry(policy, step, failed)) {
      done(failed, null);
      return;
    }
    const { run, path } = step;
    const told = failureValue({ ...failed, path: failed.path === "" ? path : failed.path, attempts: attempt });
    if (attempt > Number(policy.times(step))) {
      run.emit({ kind: "call.attempt_failed", path, attempt, failure: told });
      done(failed, null);
      return;
    }
    const wait = delay(policy, step, attempt, failed);
    run.emit({ kind: "call.attempt_failed", path, attempt, failure: told, waitMs: wait });
    keepForNext(step);
    pause(step, wait, failed, done, () => {
      run.emit({ kind: "call.retried", path, attempt: attempt + 1, waitedMs: wait });
      again(step, attempt + 1, done);
    });
  };
  return (step, done) => {
    const before = step.run.past?.attempts.get(step.path);
    if (before === undefined) again(step, 1, done);
    else resumed(policy, step, before, done, (attempt) => again(step, attempt, done));
  };
}

/** Goes on counting where an earlier part of the run stopped. */
function resumed(policy: RetryPolicy, step: Step, before: PastAttempts, done: Done, again: (attempt: number) => void): void {
  const root = rootOf(step);
  if (root.attempts < before.made) root.attempts = before.made;
  const attempt = before.used + 1;
  if (before.used > Number(policy.times(step))) {
    done(failureOf(step, before.last), null);
    return;
  }
  // The wait goes on where it stood; a clock that was changed meanwhile makes it no longer than it was.
  const { next } = before;
  const left = next === undefined ? 0 : Math.min(next.waitMs, next.at - step.run.clock.wall());
  if (left <= 0) again(attempt);
  else pause(step, left, failureOf(step, before.last), done, () => again(attempt));
}

function mayRetry(policy: RetryPolicy, step: Step, failed: CallFailure): boolean {
  if (failed.kind === "cancelled" || failed.kind === "budget_exceeded" || failed.kind === "denied") return false;
  // An effect whose outcome is not known may have happened.
  if (failed.committed !== "no" && step.site !== undefined && step.site.callee.effect === "effect" && step.site.idempotent === undefined)
    return false;
  const kinds = policy.on?.(step);
  return Array.isArray(kinds) ? kinds.includes(failed.kind) : transientKinds.has(failed.kind);
}

/** Grows by the factor up to the maximum; jitter spreads callers; what the other side asked for is waited for in full. */
function delay(policy: RetryPolicy, step: Step, attempt: number, failed: CallFailure): number {
  const grown = Math.min(Number(policy.max(step)), Number(policy.backoff(step)) * Number(policy.factor(step)) ** (attempt - 1));
  const jitter = policy.jitter(step) === true ? randomFor(step.run.seed, `${step.path}#${rootOf(step).attempts}`)() : undefined;
  const asked = failed.retryAfterMs;
  if (asked !== undefined) return asked + (jitter === undefined ? 0 : grown * jitter);
  return jitter === undefined ? grown : grown / 2 + (grown / 2) * jitter;
}

/** What the next attempt needs is kept back for it, if there is room. */
function keepForNext(step: Step): void {
  const { run, context, site, args } = step;
  if (site !== undefined && context.claim !== undefined) resize(context.claim, run.program.analysis.call(site.callee.ref, args));
}

/** Waits, unless the step is stopped meanwhile: then it ends with what it has. */
function pause(step: Step, ms: number, failed: CallFailure, done: Done, then: () => void): void {
  const { run } = step;
  const working = beginWork(run, step.context.account);
  const cancelTimer = run.clock.after(ms, () => {
    step.onStop = undefined;
    then();
    endWork(run, working);
    pump(run);
  });
  step.onStop = (level) => {
    step.onStop = undefined;
    cancelTimer();
    done(level === cancelled ? stopped(step) : failed, null);
    endWork(run, working);
    pump(run);
  };
}
