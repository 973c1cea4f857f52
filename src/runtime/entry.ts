/**
 * The innermost part of every call of a tool or agent: it passes the limits of the regions around it, innermost first,
 * then the attempt is counted, and what the callable itself costs is paid.
 */
import { beginWork, endWork, request } from "./admission.js";
import { pump } from "./body.js";
import type { CallFailure } from "./failure.js";
import { orderOf, type Waiting } from "./gate.js";
import { type Amount, dollars, expiry, nanoDollars, nothing, payFrom, settle, spend } from "./ledger.js";
import type { Attempt, Done, GateChain, Step } from "./machine.js";
import { running } from "./scope.js";
import { billOf, rootOf, stopped, waitingSince } from "./step.js";

export function withAdmission(tool: boolean, next: Attempt): Attempt {
  return (step, done) => {
    const { gates } = step.context;
    if (gates === undefined) admitted(step, tool, next, done);
    else gated(step, gates, tool, next, done);
  };
}

function gated(step: Step, gates: GateChain, tool: boolean, next: Attempt, done: Done): void {
  throughGates(step, gates, (failed, leave) => {
    const end: Done = (problem, value) => {
      leave();
      done(problem, value);
    };
    if (failed === undefined) admitted(step, tool, next, end);
    else end(failed, null);
  });
}

function admitted(step: Step, tool: boolean, next: Attempt, done: Done): void {
  const { run, context } = step;
  if (context.account.capped) {
    underBudget(step, tool, next, done);
    return;
  }
  // No budget is around: there is nothing to wait for.
  if (step.halt !== running) done(stopped(step), null);
  else if (run.suspense?.pausing() !== true) {
    const cost = costOf(step);
    if (cost > 0) spend(context.account, { cost, tokens: 0, calls: 1 });
    counted(step, tool, cost);
    next(step, done);
  }
}

function underBudget(step: Step, tool: boolean, next: Attempt, done: Done): void {
  const { run, context } = step;
  const working = beginWork(run, context.account);
  step.context = { ...context, worker: working };
  // What follows from the end happens before those who wait are told that there is less to wait for.
  const end: Done = (failed, value) => {
    done(failed, value);
    endWork(run, working);
    pump(run);
  };
  countAttempt(step, tool, (refused) => {
    if (refused === undefined) next(step, end);
    else end(refused, null);
  });
}

const stay = (): void => undefined;

/** Passes the gates one after the other, innermost first, and hands over how to leave them all. */
function throughGates(step: Step, gates: GateChain, then: (failed: CallFailure | undefined, leave: () => void) => void): void {
  enterGate(step, gates.gate, (failed, leave) => {
    if (failed !== undefined || gates.outer === undefined) then(failed, leave);
    else {
      throughGates(step, gates.outer, (problem, leaveOuter) =>
        then(problem, () => {
          leaveOuter();
          leave();
        }),
      );
    }
  });
}

function enterGate(step: Step, into: GateChain["gate"], then: (failed: CallFailure | undefined, leave: () => void) => void): void {
  const { run } = step;
  if (!into.free()) run.emit({ kind: "call.queued", path: step.path, for: "parallel" });
  const wish: Waiting = {
    order: orderOf(waitingSince(step, "parallel"), step.context.priority, step.rank),
    sequence: run.admission.sequence++,
    gone: false,
    enter: (leave) => {
      step.onStop = undefined;
      wish.gone = true;
      then(undefined, leave);
      pump(run);
    },
  };
  step.onStop = () => {
    wish.gone = true;
    step.onStop = undefined;
    then(stopped(step), stay);
    pump(run);
  };
  into.ask(wish);
}

/** Counts an attempt and what the callable itself costs against the budgets around. */
function countAttempt(step: Step, tool: boolean, then: (failed: CallFailure | undefined) => void): void {
  if (step.halt !== running) {
    then(stopped(step));
    return;
  }
  const { run, context } = step;
  // In a pause nothing more is started; the run ends here and is resumed here.
  if (run.suspense?.pausing() === true) return;
  const cost = costOf(step);
  const amount: Amount = { cost, tokens: 0, calls: 1 };
  const { account: held, claim } = context;
  // What was kept back for it is there at once.
  if (claim !== undefined && expiry(held) === undefined && payFrom(claim, amount)) {
    counted(step, tool, cost);
    then(undefined);
    return;
  }
  request(step, amount, claim === undefined ? nothing : afterAttempt(claim.held, amount), (failed) => {
    if (failed === undefined) {
      settle(held, amount, amount);
      counted(step, tool, cost);
    }
    then(failed);
  });
}

/** What the callable itself costs, in billionths of a dollar. */
function costOf(step: Step): number {
  const price = step.site?.cost?.(step);
  return typeof price === "number" ? nanoDollars(price) : 0;
}

/** One more attempt was let in. */
function counted(step: Step, tool: boolean, cost: number): void {
  const { run, context } = step;
  const attempt = ++rootOf(step).attempts;
  const effect = tool && step.site?.callee.effect === "effect";
  if (run.commit !== undefined && (effect || cost > 0 || context.account.capped))
    run.emit({ kind: "call.attempted", path: step.path, attempt, effect, ...(cost > 0 ? { costUsd: dollars(cost) } : {}) });
  run.totals.calls++;
  if (tool) run.totals.toolCalls++;
  if (cost > 0) {
    run.totals.cost += cost;
    billOf(step).cost += cost;
  }
}

/** What is still kept back for an attempt's requests once the attempt itself is counted. */
function afterAttempt(held: Amount, paid: Amount): Amount {
  return { cost: Math.max(0, held.cost - paid.cost), tokens: held.tokens, calls: Math.max(0, held.calls - paid.calls) };
}
