/**
 * `@budget` on a call or region opens an account that everything inside is charged to. Its time ends what runs: the
 * region is cancelled and fails with `budget_exceeded`. `@parallel` and `@priority` are the other things that hold for
 * everything inside.
 */
import { pump } from "./body.js";
import { failure } from "./failure.js";
import { gate } from "./gate.js";
import { type Amount, account } from "./ledger.js";
import type { Attempt } from "./machine.js";
import type { Read } from "./retry.js";
import { cancelled, detach, stop } from "./scope.js";
import { attemptOf } from "./step.js";
import { deadline } from "./timeout.js";
import { durationText } from "./values.js";

export interface BudgetPolicy {
  readonly cost: Read | undefined;
  readonly tokens: Read | undefined;
  readonly calls: Read | undefined;
  readonly time: Read | undefined;
}

export function withBudget(policy: BudgetPolicy, next: Attempt): Attempt {
  return (outer, done) => {
    const { run } = outer;
    const step = attemptOf(outer);
    const caps: { -readonly [K in keyof Amount]?: number } = {};
    if (policy.cost !== undefined) caps.cost = Math.floor(Number(policy.cost(outer)) * 1e9 + 1e-6);
    if (policy.tokens !== undefined) caps.tokens = Number(policy.tokens(outer));
    if (policy.calls !== undefined) caps.calls = Number(policy.calls(outer));
    const timeMs = policy.time === undefined ? undefined : Number(policy.time(outer));
    const opened = account(outer.path, outer.context.account, caps);
    const before = run.past?.spent.get(outer.path);
    if (before !== undefined) Object.assign(opened.spent, { cost: before.cost, tokens: before.tokens, calls: before.calls });
    step.context = { ...outer.context, account: opened };
    run.emit({
      kind: "budget.opened",
      path: outer.path,
      caps: {
        ...(caps.cost === undefined ? {} : { costUsd: caps.cost / 1e9 }),
        ...(caps.tokens === undefined ? {} : { tokens: caps.tokens }),
        ...(caps.calls === undefined ? {} : { calls: caps.calls }),
        ...(timeMs === undefined ? {} : { timeMs }),
      },
    });
    let expired = false;
    const late =
      timeMs === undefined
        ? undefined
        : failure("budget_exceeded", `the time budget of ${outer.path} is over: ${durationText(timeMs)}`, {
            path: outer.path,
            account: opened,
          });
    const asked = run.askedMs;
    let cancelTimer: (() => void) | undefined;
    const expire = (ms: number, waited: number): void => {
      cancelTimer = deadline(run)(ms, () => {
        // Waiting for people does not count.
        if (run.askedMs > waited) {
          expire(run.askedMs - waited, run.askedMs);
          return;
        }
        if (late === undefined) return;
        expired = true;
        run.emit({ kind: "budget.refused", path: outer.path, account: outer.path, dimension: "time", needed: timeMs ?? 0, left: 0 });
        stop(step, cancelled, late);
        pump(run);
      });
    };
    if (timeMs !== undefined) expire(Math.max(0, timeMs - (before?.timeMs ?? 0)), asked);
    next(step, (failed, value) => {
      cancelTimer?.();
      detach(step);
      if (failed !== undefined && expired && failed.kind === "cancelled") done(late, null);
      else done(failed, value);
    });
  };
}

/** At most so many calls at once inside a flow or block; maps and forks count their items themselves. */
export function withParallel(max: Read, next: Attempt): Attempt {
  return (step, done) => {
    const before = step.context;
    step.context = { ...before, gates: { gate: gate(Number(max(step))), outer: before.gates } };
    next(step, done);
  };
}

export function withPriority(priority: number, next: Attempt): Attempt {
  return (step, done) => {
    step.context = { ...step.context, priority };
    next(step, done);
  };
}
