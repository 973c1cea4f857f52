/**
 * The one seam of admission. What an attempt or a model request may use at most is reserved in every budget around it
 * before it goes out, or it waits for what is in flight, or it is refused when nothing can make room. Work that need not
 * be done is let in only if all that it needs can be kept back for it. Whoever waits for an account waits in one line, in
 * order; nobody is overtaken but by what was kept back.
 *
 * Nothing waits for ever. An account knows how many of the attempts under it go on; one that waits, for a budget or for
 * others, is not among them. Where none goes on, the first in line is helped by giving up those behind it, if what is
 * kept back for them is enough, and is refused otherwise.
 */
import { dollarText } from "../plan/bound-text.js";
import { pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import {
  type Account,
  type Amount,
  type Claim,
  claim,
  correct,
  covers,
  dollars,
  draw,
  expiry,
  isClosed,
  isNothing,
  move,
  nothing,
  release,
  reserve,
  resize,
  type Shortage,
  settle,
  shortage,
  within,
} from "./ledger.js";
import type { Run, Step } from "./machine.js";
import { remaining } from "./past-begun.js";
import { stopped } from "./step.js";

/** What is to be reserved now, and what is to be kept back for the same work after it. */
interface Wanted {
  readonly account: Account;
  readonly claim: Claim;
  readonly amount: Amount;
  readonly after: Amount;
  readonly path: string;
  /** An agent's turn that would rather have others after it: refused, it answers at once with what was kept back for that. */
  readonly lands?: boolean;
  /** Whether it goes on all the same where there is no room for it: it is then not told that it was refused. */
  readonly goesOn?: () => boolean;
}

interface Wish extends Wanted {
  /** The claim of what it is part of: what others give back to it is for whoever of them comes first. */
  readonly from?: Claim;
  /** Work that has not begun: nothing is lost when it is refused. */
  readonly fresh: boolean;
  readonly granted: () => void;
  readonly refused: (why: CallFailure) => void;
  readonly sequence: number;
  gone: boolean;
}

export interface Admission {
  /** Who waits for room in an account, in order. */
  readonly lines: Map<Account, Wish[]>;
  /** Work that was begun before a crash and for which not all could be kept back: nothing is begun before it has ended. */
  readonly owed: Set<Claim>;
  sequence: number;
  /** Something changed that those who wait should know. */
  due: boolean;
  /** Admits who fits, refuses who waits for nothing. */
  readonly look: (run: Run) => void;
}

export function admission(): Admission {
  return { lines: new Map(), owed: new Set(), sequence: 0, due: false, look };
}

/** Something that goes on under a budget and may give something back. */
export interface Worker {
  readonly account: Account;
  /** How many reasons there are not to count it: what it waits for. */
  resting: number;
  over: boolean;
}

export function beginWork(run: Run, of: Account): Worker | undefined {
  if (!of.limited) return undefined;
  count(run, of, 1);
  return { account: of, resting: 0, over: false };
}

export function rest(run: Run, who: Worker | undefined): void {
  if (who !== undefined && who.resting++ === 0 && !who.over) count(run, who.account, -1);
}

export function wake(run: Run, who: Worker | undefined): void {
  if (who !== undefined && --who.resting === 0 && !who.over) count(run, who.account, 1);
}

export function endWork(run: Run, who: Worker | undefined): void {
  if (who === undefined || who.over) return;
  if (who.resting === 0) count(run, who.account, -1);
  who.over = true;
}

function count(run: Run, of: Account, by: number): void {
  for (let at: Account | undefined = of; at?.limited === true; at = at.parent) at.active += by;
  if (by < 0) freed(run);
}

/** Tells those who wait that there may be room. They are looked at when all that happens now has happened. */
export function freed(run: Run): void {
  if (run.admission.lines.size > 0) run.admission.due = true;
}

/**
 * Reserves an amount for a step, and keeps `after` back for it, now or when there is room. The step may be stopped while
 * it waits; where it was begun, a worker stands for it.
 */
export function request(step: Step, amount: Amount, after: Amount, then: (failed: CallFailure | undefined) => void, lands = false): void {
  const { run, context, path } = step;
  const { account: of } = context;
  const late = expiry(of);
  if (late !== undefined || !of.limited) {
    if (late === undefined) reserve(of, amount);
    then(late);
    return;
  }
  const wanted: Wanted = { account: of, claim: context.claim ?? claim(of, true), amount, after, path, lands };
  const why = shortage(of, amount, wanted.claim, after);
  if (why === undefined && mayPass(run, wanted, false)) {
    draw(of, amount, wanted.claim, after);
    then(undefined);
    return;
  }
  if (why !== undefined && !why.mayFree) {
    then(refuse(run, path, why));
    return;
  }
  run.emit({ kind: "call.queued", path, for: "budget" });
  rest(run, context.worker);
  const finish = (failed: CallFailure | undefined): void => {
    step.onStop = undefined;
    wake(run, context.worker);
    then(failed);
  };
  const wish = wait(run, why?.account ?? of, { ...wanted, fresh: false, granted: () => finish(undefined), refused: finish });
  step.onStop = () => {
    wish.gone = true;
    run.admission.due = true;
    finish(stopped(step));
    pump(run);
  };
  pump(run);
}

/** Where a piece of work is let in: the account and claim that it draws on, its path, and who waits for it. */
export interface Entering {
  readonly account: Account;
  readonly claim: Claim | undefined;
  readonly path: string;
  readonly goesOn?: () => boolean;
}

/**
 * Lets in a piece of work that was not begun: all that it needs is taken from the claim of what it is part of, or kept
 * back now or when there is room; what was begun before is let in as it is. Gives the claim that is its own; undefined where
 * no budget is around. What is returned takes the wish back.
 */
export function enter(
  run: Run,
  { account: of, claim: from, path, goesOn }: Entering,
  needs: Amount,
  then: (failed: CallFailure | undefined, own: Claim | undefined) => void,
): (() => void) | undefined {
  const late = expiry(of);
  if (late !== undefined || !of.limited) {
    then(late, undefined);
    return undefined;
  }
  // An earlier part of the run had let it in: it goes on with what there is, and what is done costs nothing.
  const begun = run.past?.begun().has(path) === true;
  const after = begun ? remaining(run.past, path, needs) : needs;
  const kept = from !== undefined && from.account === of && covers(from.held, after);
  const own = claim(of, !kept || from.optional);
  move(from, own, after);
  // What is done already comes first: whoever fails or lands counts it.
  if (begun && isNothing(after)) {
    run.admission.owed.add(own);
    then(undefined, own);
    return undefined;
  }
  if (kept && !isClosed(of)) {
    then(undefined, own);
    return undefined;
  }
  const wanted: Wanted = { account: of, claim: own, amount: nothing, after, path, ...(goesOn === undefined ? {} : { goesOn }) };
  const why = shortage(of, nothing, own, after);
  if (why === undefined && mayPass(run, wanted, true)) {
    draw(of, nothing, own, after);
    then(undefined, own);
    return undefined;
  }
  if (begun) {
    resize(own, after);
    if (!covers(own.held, after)) run.admission.owed.add(own);
    then(undefined, own);
    return undefined;
  }
  const refused = (failed: CallFailure): void => {
    release(own, from);
    then(failed, undefined);
  };
  if (why !== undefined && !why.mayFree && run.admission.owed.size === 0) {
    refused(turnAway(run, wanted, why));
    return undefined;
  }
  run.emit({ kind: "call.queued", path, for: "budget" });
  const wish = wait(run, why?.account ?? of, {
    ...wanted,
    ...(from === undefined ? {} : { from }),
    fresh: true,
    granted: () => then(undefined, own),
    refused,
  });
  return () => {
    if (wish.gone) return;
    wish.gone = true;
    release(own, from);
    run.admission.due = true;
  };
}

/** Gives back what is left of a claim. */
export function giveBack(run: Run, own: Claim | undefined, to?: Claim): void {
  if (own === undefined) return;
  run.admission.owed.delete(own);
  release(own, to);
  freed(run);
}

/**
 * Whether all that something needs could be kept back at once, from a claim that holds it or from what is free; it is, where
 * it can. Nothing is told and nobody waits.
 */
export function tryEnter(run: Run, of: Account, after: Amount, from?: Claim): Claim | undefined {
  const own = claim(of, true);
  if (from?.account === of && covers(from.held, after)) {
    move(from, own, after);
    return own;
  }
  const blocked = aheadOf(run, of, { fresh: true, sequence: Number.POSITIVE_INFINITY }) !== undefined;
  if (blocked || expiry(of) !== undefined || shortage(of, nothing, own, after) !== undefined) return undefined;
  draw(of, nothing, own, after);
  return own;
}

function wait(run: Run, at: Account, wish: Omit<Wish, "sequence" | "gone">): Wish {
  const made: Wish = { ...wish, sequence: run.admission.sequence++, gone: false };
  join(run.admission, at, made);
  return made;
}

/** Puts a wish in a line, by its age. */
function join(to: Admission, at: Account, wish: Wish): void {
  let line = to.lines.get(at);
  if (line === undefined) {
    line = [];
    to.lines.set(at, line);
  }
  let place = line.length;
  for (let before = line[place - 1]; before !== undefined && goesBefore(wish, before); before = line[place - 1]) place--;
  line.splice(place, 0, wish);
  to.due = true;
}

/** What was begun goes before what was not, older before younger. */
function goesBefore(a: Pick<Wish, "fresh" | "sequence">, b: Wish): boolean {
  return a.fresh === b.fresh ? a.sequence < b.sequence : b.fresh;
}

/** Nobody is overtaken, but by what is paid from what was kept back for it. */
function mayPass(run: Run, wanted: Wanted, fresh: boolean): boolean {
  const { lines, owed } = run.admission;
  if (lines.size === 0 && owed.size === 0) return true;
  const { held } = wanted.claim;
  const { amount, after } = wanted;
  const needed = { cost: amount.cost + after.cost, tokens: amount.tokens + after.tokens, calls: amount.calls + after.calls };
  if (covers(held, needed)) return true;
  if (fresh && owed.size > 0) return false;
  return aheadOf(run, wanted.account, { fresh, sequence: Number.POSITIVE_INFINITY }) === undefined;
}

/** An account around with somebody in line who came before. */
function aheadOf(run: Run, of: Account, wish: Pick<Wish, "fresh" | "sequence">): Account | undefined {
  for (let at: Account | undefined = of; at?.limited === true; at = at.parent) {
    const first = run.admission.lines.get(at)?.find((other) => !other.gone);
    if (first !== undefined && first !== wish && !goesBefore(wish, first)) return at;
  }
  return undefined;
}

function look(run: Run): void {
  const { lines } = run.admission;
  run.admission.due = false;
  for (const [at, line] of [...lines]) {
    for (let first = line[0]; first !== undefined; first = line[0]) {
      if (!first.gone && !passes(run, at, line, first)) break;
      if (line[0] === first) line.shift();
      // What follows from it happens before the next is looked at.
      if (run.admission.due) return;
    }
    if (line.length === 0 && lines.get(at) === line) lines.delete(at);
  }
}

/** Whether the first in line is done with it: admitted, refused, or waiting elsewhere. */
function passes(run: Run, at: Account, line: Wish[], wish: Wish): boolean {
  const late = expiry(wish.account);
  if (late !== undefined) {
    end(line, wish, late);
    return true;
  }
  if (wish.fresh && run.admission.owed.size > 0) return false;
  if (wish.from !== undefined) move(wish.from, wish.claim, wish.after);
  const why = shortage(wish.account, wish.amount, wish.claim, wish.after);
  if (why !== undefined && !why.mayFree) {
    end(line, wish, turnAway(run, wish, why));
    return true;
  }
  if (why?.account === at && at.active === 0) {
    const other = line.findLast((each) => !each.gone && each.lands === true) ?? givenUp(line, wish, why) ?? wish;
    end(line, other, turnAway(run, other, why));
    if (other !== wish) run.admission.due = true;
    return other === wish;
  }
  const elsewhere = why?.account ?? aheadOf(run, wish.account, wish);
  if (elsewhere === at) return false;
  line.shift();
  if (elsewhere !== undefined) join(run.admission, elsewhere, wish);
  else {
    wish.gone = true;
    draw(wish.account, wish.amount, wish.claim, wish.after);
    wish.granted();
  }
  return true;
}

function end(line: Wish[], wish: Wish, why: CallFailure): void {
  line.splice(line.indexOf(wish), 1);
  wish.gone = true;
  wish.refused(why);
}

/**
 * Somebody behind the first in line who can be given up so that the first goes on: what need not be done before what
 * must, later before earlier. Undefined where what is kept back for all of them is not enough.
 */
function givenUp(line: readonly Wish[], first: Wish, why: Shortage): Wish | undefined {
  if (first.fresh) return undefined;
  const behind = line.filter((wish) => wish !== first && !wish.gone && !wish.fresh && (wish.claim.optional || !first.claim.optional));
  const held = behind.reduce((sum, wish) => sum + (within(wish.account, why.account) ? wish.claim.held[why.dimension] : 0), 0);
  if (held < why.needed - why.left) return undefined;
  return behind.findLast((wish) => wish.claim.optional) ?? behind.at(-1);
}

/** Replaces a reservation by what was used, and tells it. `failed`: what was not used stays kept back for what is still to be done. */
export function settleRequest(step: Step, held: Account, reserved: Amount, used: Amount, failed: boolean): void {
  const { run } = step;
  const over = settle(held, reserved, used, failed && held.limited ? step.context.claim : undefined);
  if (over) tellOverrun(run, step.path, held, reserved, used);
  if (!held.capped) return;
  run.emit({
    kind: "budget.settled",
    path: step.path,
    account: held.path,
    costUsd: dollars(used.cost),
    tokens: used.tokens,
    released: dollars(reserved.cost - used.cost),
  });
  freed(run);
}

/** Usage that became known after a request was given up. */
export function correctRequest(run: Run, path: string, held: Account, charged: Amount, used: Amount): void {
  if (correct(held, charged, used)) tellOverrun(run, path, held, charged, used);
  freed(run);
  pump(run);
}

function tellOverrun(run: Run, path: string, held: Account, reserved: Amount, used: Amount): void {
  run.totals.overran++;
  run.emit({
    kind: "budget.overran",
    path,
    account: held.path,
    costUsd: dollars(used.cost),
    tokens: used.tokens,
    reservedUsd: dollars(reserved.cost),
    reservedTokens: reserved.tokens,
  });
}

/** There is no room for it: that is told where it ends there. */
function turnAway(run: Run, { path, goesOn }: Wanted, why: Shortage): CallFailure {
  return goesOn?.() === true ? failure("budget_exceeded", shortageText(why), { path, account: why.account }) : refuse(run, path, why);
}

/** Tells that a budget is too short, and makes the failure of it. */
export function refuse(run: Run, path: string, why: Shortage): CallFailure {
  const scale = (amount: number): number => (why.dimension === "cost" ? dollars(amount) : amount);
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
function shortageText(why: Shortage): string {
  const { account: of, dimension } = why;
  if (of.closed) return `the budget of ${of.path} is closed: a request used more than it had reserved`;
  const text = (amount: number): string =>
    dimension === "cost" ? dollarText(amount) : `${amount} ${amount === 1 ? dimension.replace(/s$/, "") : dimension}`;
  const spent = `${text(of.spent[dimension])} ${of.spent[dimension] === 1 || dimension === "cost" ? "is" : "are"} spent`;
  const rest = why.kept === 0 ? "" : `, ${text(why.kept)} kept back for what must still be done`;
  return `the budget of ${of.path} allows ${text(of.caps[dimension] ?? 0)}: ${spent}${rest} and this needs up to ${text(why.needed)}, ${text(Math.max(0, why.needed - why.left))} more than is left`;
}
