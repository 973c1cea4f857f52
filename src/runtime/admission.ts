/**
 * The one seam of admission. Before an attempt or a model request goes out it passes the limits of the regions around
 * it and the budgets around it: its worst case is reserved in all of them, or it waits for what is in flight to settle,
 * or it is refused when nothing can make room. Waiting requests are admitted in order.
 */
import { pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import { orderOf, type Waiting } from "./gate.js";
import { type Account, type Amount, correct, dollars, nanoDollars, reserve, type Shortage, settle, shortage, spend } from "./ledger.js";
import type { Attempt, Done, GateChain, Run, Step } from "./machine.js";
import { running } from "./scope.js";
import { billOf, rootOf, stopped } from "./step.js";
import { moneyText } from "./values.js";

interface Wish {
  readonly account: Account;
  readonly amount: Amount;
  readonly path: string;
  readonly granted: () => void;
  readonly refused: (why: Shortage) => void;
  gone: boolean;
}

export interface Admission {
  readonly waiting: Wish[];
  sequence: number;
}

export function admission(): Admission {
  return { waiting: [], sequence: 0 };
}

/** Reserves an amount for a step, now or when there is room; the step may be stopped while it waits. */
export function request(step: Step, amount: Amount, then: (failed: CallFailure | undefined) => void): void {
  const { run, context } = step;
  const { waiting } = run.admission;
  const why = shortage(context.account, amount);
  if (why === undefined && !waiting.some((wish) => !wish.gone && overlaps(wish.account, context.account))) {
    reserve(context.account, amount);
    then(undefined);
    return;
  }
  if (why !== undefined && !why.mayFree) {
    then(refuse(run, step.path, why));
    return;
  }
  run.emit({ kind: "call.queued", path: step.path, for: "budget" });
  const finish = (failed: CallFailure | undefined): void => {
    wish.gone = true;
    step.onStop = undefined;
    then(failed);
  };
  const wish: Wish = {
    account: context.account,
    amount,
    path: step.path,
    granted: () => finish(undefined),
    refused: (found) => finish(refuse(run, step.path, found)),
    gone: false,
  };
  waiting.push(wish);
  step.onStop = () => {
    finish(stopped(step));
    admitWaiting(run);
    pump(run);
  };
}

/** Replaces a reservation by what was used, tells it, and admits who waits. */
export function settleRequest(step: Step, held: Account, reserved: Amount, used: Amount): void {
  const { run } = step;
  const over = settle(held, reserved, used);
  if (over) {
    run.emit({
      kind: "budget.overran",
      path: step.path,
      account: held.path,
      costUsd: dollars(used.cost),
      tokens: used.tokens,
      reservedUsd: dollars(reserved.cost),
      reservedTokens: reserved.tokens,
    });
  }
  if (held.capped) {
    run.emit({
      kind: "budget.settled",
      path: step.path,
      account: held.path,
      costUsd: dollars(used.cost),
      tokens: used.tokens,
      released: dollars(reserved.cost - used.cost),
    });
  }
  admitWaiting(run);
}

/** Usage that became known after a request was given up. */
export function correctRequest(run: Run, held: Account, charged: Amount, used: Amount): void {
  correct(held, charged, used);
  admitWaiting(run);
}

function overlaps(a: Account, b: Account): boolean {
  // Everything shares the root; only accounts with caps make anybody wait.
  const around = chain(b);
  return chain(a).some((at) => around.includes(at));
}

function admitWaiting(run: Run): void {
  const { waiting } = run.admission;
  if (waiting.length === 0) return;
  const blocked = new Set<Account>();
  for (const wish of [...waiting]) {
    if (wish.gone) continue;
    const why = shortage(wish.account, wish.amount);
    if (why !== undefined && !why.mayFree) wish.refused(why);
    else if (why !== undefined || chain(wish.account).some((at) => blocked.has(at))) for (const at of chain(wish.account)) blocked.add(at);
    else {
      reserve(wish.account, wish.amount);
      wish.granted();
    }
  }
  run.admission.waiting.splice(0, waiting.length, ...waiting.filter((wish) => !wish.gone));
  pump(run);
}

function chain(of: Account): readonly Account[] {
  const out: Account[] = [];
  for (let at: Account | undefined = of; at?.capped === true; at = at.parent) out.push(at);
  return out;
}

function refuse(run: Run, path: string, why: Shortage): CallFailure {
  const inMoney = why.dimension === "cost";
  const scale = (amount: number): number => (inMoney ? dollars(amount) : amount);
  run.emit({
    kind: "budget.refused",
    path,
    account: why.account.path,
    dimension: why.dimension,
    needed: scale(why.needed),
    left: scale(why.left),
  });
  return failure("budget_exceeded", shortageText(why), { path, account: why.account });
}

/** Says which budget is short and what would have been needed. */
export function shortageText(why: Shortage): string {
  const { account: of, dimension } = why;
  if (of.closed) return `the budget of ${of.path} is closed: more was used than a request had reserved`;
  const text = (amount: number): string =>
    dimension === "cost" ? moneyText(dollars(amount)) : `${amount} ${amount === 1 ? dimension.replace(/s$/, "") : dimension}`;
  return `the budget of ${of.path} allows ${text(of.caps[dimension] ?? 0)}: ${text(of.spent[dimension])} ${of.spent[dimension] === 1 && dimension !== "cost" ? "is" : "are"} spent and this needs up to ${text(why.needed)}, ${text(Math.max(0, why.needed - why.left))} more than is left`;
}

/** The innermost part of every call: limits of the regions around, then the budget for the attempt itself. */
export function withAdmission(tool: boolean, next: Attempt): Attempt {
  return (step, done) => {
    const { gates } = step.context;
    if (gates === undefined) admitted(step, tool, next, done);
    else {
      throughGates(step, gates, (failed, leave) => {
        const end: Done = (problem, value) => {
          leave();
          done(problem, value);
        };
        if (failed === undefined) admitted(step, tool, next, end);
        else end(failed, null);
      });
    }
  };
}

function admitted(step: Step, tool: boolean, next: Attempt, done: Done): void {
  countAttempt(step, tool, (refused) => {
    if (refused === undefined) next(step, done);
    else done(refused, null);
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
    order: orderOf(run.clock.now(), step.context.priority, step.rank),
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
  const price = step.site?.cost?.(step);
  const cost = typeof price === "number" ? nanoDollars(price) : 0;
  const count = (): void => {
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
  };
  if (!context.account.capped) {
    if (cost > 0) spend(context.account, { cost, tokens: 0, calls: 1 });
    count();
    then(undefined);
    return;
  }
  const amount: Amount = { cost, tokens: 0, calls: 1 };
  const held = context.account;
  request(step, amount, (failed) => {
    if (failed === undefined) {
      settle(held, amount, amount);
      count();
    }
    then(failed);
  });
}
