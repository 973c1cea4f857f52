/**
 * `@breaker`: after so many failures within the window a callable is not called for the cooldown; then one single call
 * probes whether it is back. All calls of a callable in a run share its breaker, and
 * so do all requests to a model that has one.
 */
import { type CallFailure, failure } from "./failure.js";
import type { Attempt, Done, Step } from "./machine.js";
import type { Read } from "./retry.js";

interface Breaker {
  failures: number[];
  openUntil: number | undefined;
  probing: boolean;
}

export type Breakers = Map<string, Breaker>;

export interface BreakerPolicy {
  readonly failures: Read;
  readonly window: Read;
  readonly cooldown: Read;
}

/** The breaker as an earlier part of the run left it. */
function restored({ run }: Step, name: string): Breaker {
  const before = run.past?.breakers.get(name);
  const offset = run.clock.now() - run.clock.wall();
  return {
    failures: (before?.failures ?? []).map((at) => at + offset),
    // A clock that was changed meanwhile keeps it open no longer than it was to be.
    openUntil: before?.openUntil === undefined ? undefined : Math.min(before.openUntil + offset, run.clock.now() + before.cooldownMs),
    probing: false,
  };
}

/** What says something about the other side rather than about this call. */
const telling: ReadonlySet<string> = new Set(["timeout", "rate_limit", "overloaded", "unavailable", "tool_error", "auth"]);

export function withBreaker(policy: BreakerPolicy, next: Attempt): Attempt {
  return (step, done) => {
    const { site } = step;
    throughBreaker(step, { key: site?.callee.ref.id ?? step.path, name: site?.callee.ir.name ?? step.path }, policy, next, done);
  };
}

/** What a breaker is for: a callable or a model. */
export interface BreakerOf {
  readonly key: string;
  readonly name: string;
}

/** Lets an attempt pass, unless the breaker of what it calls is open. */
export function throughBreaker(step: Step, { key, name }: BreakerOf, policy: BreakerPolicy, next: Attempt, done: Done): void {
  const { run } = step;
  let breaker = run.breakers.get(key);
  if (breaker === undefined) {
    breaker = restored(step, name);
    run.breakers.set(key, breaker);
  }
  const state = breaker;
  if (state.openUntil === undefined) {
    next(step, (failed, value) => {
      // All is well, as nearly always: there is nothing to note.
      if (failed !== undefined || state.failures.length > 0) record(step, policy, state, name, false, failed);
      done(failed, value);
    });
    return;
  }
  const now = run.clock.now();
  if (now < state.openUntil || state.probing) {
    const left = Math.max(1, state.openUntil - now);
    done(failure("unavailable", `the circuit breaker of ${name} is open`, { path: step.path, retryAfterMs: left }), null);
    return;
  }
  state.probing = true;
  run.emit({ kind: "breaker.probed", path: step.path, callee: name });
  next(step, (failed, value) => {
    record(step, policy, state, name, true, failed);
    done(failed, value);
  });
}

function record(step: Step, policy: BreakerPolicy, state: Breaker, name: string, probe: boolean, failed: CallFailure | undefined): void {
  const { run } = step;
  const now = run.clock.now();
  if (probe) state.probing = false;
  if (failed === undefined) {
    if (probe) {
      state.openUntil = undefined;
      run.emit({ kind: "breaker.closed", path: step.path, callee: name });
    }
    if (state.failures.length > 0) {
      state.failures = [];
      tell(step, name, 0);
    }
    return;
  }
  if (!telling.has(failed.kind)) return;
  const cooldown = Number(policy.cooldown(step));
  const window = Number(policy.window(step));
  state.failures = [...state.failures.filter((at) => at > now - window), now];
  tell(step, name, state.failures.length);
  // A call that was sent before the breaker opened does not open it again.
  if (probe || (state.openUntil === undefined && state.failures.length >= Number(policy.failures(step)))) {
    state.openUntil = now + cooldown;
    run.emit({ kind: "breaker.opened", path: step.path, callee: name, failures: state.failures.length, cooldownMs: cooldown });
  }
}

/** Writes down what a resumed run has to know. */
function tell({ run, path }: Step, callee: string, failures: number): void {
  if (run.commit !== undefined) run.emit({ kind: "breaker.counted", path, callee, failures });
}
