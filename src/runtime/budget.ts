/**
 * `@budget` on a call or region opens an account that everything inside is charged to; what was kept back for the work
 * is kept back inside. When its time is over, calls in flight are aborted and nothing more is started: regions inside end
 * as they do when money runs short. `@reserve` gives a call money of the budget around that nobody else may spend.
 * `@parallel` and `@priority` are the other things that hold for everything inside.
 */
import { freed, giveBack, refuse } from "./admission.js";
import { inTurn, pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import { gate } from "./gate.js";
import { type Account, type Amount, account, claim, dimensions, emptyPot, fillPot, move, type Shortage } from "./ledger.js";
import type { Attempt, Context, Run } from "./machine.js";
import type { Read } from "./retry.js";
import { cancelled, detach, type Scope, stop } from "./scope.js";
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
    const { run, path, context } = outer;
    const caps: { -readonly [K in keyof Amount]?: number } = {};
    if (policy.cost !== undefined) caps.cost = Math.floor(Number(policy.cost(outer)) * 1e9 + 1e-6);
    if (policy.tokens !== undefined) caps.tokens = Number(policy.tokens(outer));
    if (policy.calls !== undefined) caps.calls = Number(policy.calls(outer));
    const timeMs = policy.time === undefined ? undefined : Number(policy.time(outer));
    const opened = account(path, context.account, caps, timeMs !== undefined);
    const before = run.past?.spent.get(path);
    if (before !== undefined) {
      Object.assign(opened.spent, { cost: before.cost, tokens: before.tokens, calls: before.calls });
      opened.closed = before.closed;
    }
    run.emit({
      kind: "budget.opened",
      path,
      caps: {
        ...(caps.cost === undefined ? {} : { costUsd: caps.cost / 1e9 }),
        ...(caps.tokens === undefined ? {} : { tokens: caps.tokens }),
        ...(caps.calls === undefined ? {} : { calls: caps.calls }),
        ...(timeMs === undefined ? {} : { timeMs }),
      },
    });
    // Not even what is inside needs at least would fit. What was begun goes on as far as it can.
    const { site, args } = outer;
    const doubtful = before === undefined && site !== undefined && context.claim !== undefined && fills(context.claim.held, opened);
    const hopeless = doubtful ? tooSmall(opened, run.program.analysis.inside(site.callee.ref, args)) : undefined;
    if (hopeless !== undefined) {
      done(refuse(run, path, hopeless), null);
      return;
    }
    const step = attemptOf(outer);
    const own = opened.limited ? claim(opened, context.claim?.optional) : undefined;
    if (own !== undefined && context.claim !== undefined) move(context.claim, own, context.claim.held);
    step.context = { ...context, account: opened, claim: own };
    const cancelTimer = timeMs === undefined ? undefined : timed(run, step, opened, timeMs, before?.timeMs ?? 0);
    next(step, (failed, value) => {
      cancelTimer?.();
      detach(step);
      giveBack(run, own);
      const late = opened.expired;
      if (failed !== undefined && late !== undefined && failed.kind === "cancelled") done(late, null);
      else done(failed, value);
    });
  };
}

/** Whether what is kept back is all that an account allows. */
function fills(held: Amount, { caps }: Account): boolean {
  return dimensions.some((dimension) => held[dimension] >= (caps[dimension] ?? Number.POSITIVE_INFINITY));
}

function tooSmall(opened: Account, needs: Amount): Shortage | undefined {
  for (const dimension of dimensions) {
    const cap = opened.caps[dimension];
    const needed = needs[dimension];
    if (cap !== undefined && needed > cap) return { account: opened, dimension, needed, left: cap, kept: 0, mayFree: false };
  }
  return undefined;
}

/** Ends what is inside when so much time has passed, that of waiting for people not counted. Gives how to stop counting. */
function timed(run: Run, step: Scope, opened: Account, timeMs: number, usedMs: number): () => void {
  const { path } = opened;
  const late = failure("budget_exceeded", `the time budget of ${path} is over: ${durationText(timeMs)}`, { path, account: opened });
  let over = false;
  const expire = (): void => {
    if (over) return;
    cancelTimer();
    opened.expired = late;
    run.emit({ kind: "budget.refused", path, account: path, dimension: "time", needed: timeMs, left: 0 });
    // Whoever waits for the budget is refused first, so that regions end with what they have.
    do run.admission.look(run);
    while (run.admission.due);
    endCalls(step, late);
    pump(run);
  };
  const wait = (ms: number, askedBefore: number): (() => void) =>
    deadline(run)(ms, () => {
      const asked = run.asked.total();
      if (asked > askedBefore) {
        cancelTimer = wait(asked - askedBefore, asked);
        return;
      }
      expire();
    });
  // What is over is over before anything goes on again.
  if (usedMs >= timeMs && run.arrivals !== undefined) inTurn(run, path, expire, "over");
  let cancelTimer = wait(Math.max(0, timeMs - usedMs), run.asked.total());
  return () => {
    over = true;
    cancelTimer();
  };
}

/** Aborts the calls inside a scope, and whatever else waits there; regions and flows go on with that. */
function endCalls(scope: Scope, cause: CallFailure): void {
  const children: Scope[] = [];
  for (let at = scope.firstChild; at !== undefined; at = at.nextSibling) children.push(at);
  const { part } = scope;
  if (part === "call" || (part === "step" && children.length === 0 && scope.onStop !== undefined)) stop(scope, cancelled, cause);
  else for (const child of children.reverse()) endCalls(child, cause);
}

/** `@reserve`: what was kept back for the call beyond what it needs is there for whatever it does. */
export const withReserve =
  (next: Attempt): Attempt =>
  (step, done) => {
    const { run, context } = step;
    const { account: around, claim: from } = context;
    if (!around.limited || from === undefined) {
      next(step, done);
      return;
    }
    const opened = account(around.path, around, {});
    fillPot(opened, from, from.extra);
    const own = claim(opened, from.optional);
    move(from, own, from.held);
    step.context = { ...context, account: opened, claim: own };
    next(step, (failed, value) => {
      step.context = context;
      giveBack(run, own);
      emptyPot(opened);
      freed(run);
      done(failed, value);
    });
  };

/** At most so many calls at once inside a flow or block; maps and forks count their items themselves. */
export function withParallel(max: Read, next: Attempt): Attempt {
  return (step, done) => {
    const before = step.context;
    step.context = { ...before, gates: { gate: gate(Number(max(step))), outer: before.gates } };
    next(step, done);
  };
}

export function withPriority(priority: number, next: Attempt): Attempt {
  // Calls of one region share what is around them, and so what this makes of it.
  let around: Context | undefined;
  let made: Context | undefined;
  return (step, done) => {
    if (made === undefined || around !== step.context) {
      around = step.context;
      made = { ...around, priority };
    }
    step.context = made;
    next(step, done);
  };
}
