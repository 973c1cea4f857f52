/**
 * What was spent, reserved, kept back and allowed, as plain data. Accounts nest like the budgets of a program; a
 * reservation counts against every account around it until it is settled, and so does what is kept back for work that
 * must still be done. Together they are never more than any cap, so no interleaving spends more, and what is kept back
 * is there when it is needed. Money is a whole number of nano-dollars.
 */

import type { CallFailure } from "./failure.js";

export interface Amount {
  readonly cost: number;
  readonly tokens: number;
  readonly calls: number;
}

export type Dimension = keyof Amount;
export const dimensions: readonly Dimension[] = ["cost", "tokens", "calls"];

interface Counter {
  cost: number;
  tokens: number;
  calls: number;
}

export interface Account {
  /** Where the budget was opened. */
  readonly path: string;
  readonly parent: Account | undefined;
  readonly caps: Partial<Amount>;
  /** Whether it or an account around it limits anything, be it only time. */
  readonly capped: boolean;
  /** Whether it or an account around it limits money, tokens or calls. */
  readonly limited: boolean;
  readonly spent: Counter;
  readonly reserved: Counter;
  /** What claims and pots inside hold. */
  readonly kept: Counter;
  /** Money of the accounts around that only what is inside this one may spend: `@reserve`. */
  pot: number;
  /** Work in flight that may still give something back: it waits neither for a budget nor for other work. */
  active: number;
  /** More was used than reserved: nothing is admitted any more. */
  closed: boolean;
  /** Its time is over. */
  expired: CallFailure | undefined;
}

/** What is kept back for one piece of work, so that nobody else can spend it. The work itself draws on it first. */
export interface Claim {
  readonly account: Account;
  readonly held: Counter;
  /** The part of its money that `@reserve` added. */
  extra: number;
  /** The work need not be done: it was let in beyond what must. */
  readonly optional: boolean;
}

/** Why an amount cannot be reserved. */
export interface Shortage {
  readonly account: Account;
  readonly dimension: Dimension;
  readonly needed: number;
  readonly left: number;
  /** What is kept back for others. */
  readonly kept: number;
  /** Whether what is in flight or kept back, once it is settled or given back, may make room. */
  readonly mayFree: boolean;
}

export const nothing: Amount = { cost: 0, tokens: 0, calls: 0 };
const noMoney = (): Counter => ({ cost: 0, tokens: 0, calls: 0 });

export function account(path: string, parent: Account | undefined, caps: Partial<Amount>, timed = false): Account {
  const limited = parent?.limited === true || caps.cost !== undefined || caps.tokens !== undefined || caps.calls !== undefined;
  return {
    path,
    parent,
    caps,
    capped: limited || timed || parent?.capped === true,
    limited,
    spent: noMoney(),
    reserved: noMoney(),
    kept: noMoney(),
    pot: 0,
    active: 0,
    closed: false,
    expired: undefined,
  };
}

export function claim(of: Account, optional = false): Claim {
  return { account: of, held: noMoney(), extra: 0, optional };
}

export function nanoDollars(dollars: number): number {
  return Math.ceil(dollars * 1e9 - 1e-6);
}

export function dollars(nano: number): number {
  return nano / 1e9;
}

export const isNothing = (amount: Amount): boolean => amount.cost === 0 && amount.tokens === 0 && amount.calls === 0;

export function times(amount: Amount, by: number): Amount {
  return by === 1 ? amount : { cost: amount.cost * by, tokens: amount.tokens * by, calls: amount.calls * by };
}

/**
 * The first account that cannot pay the amount and what is to be kept back after it, innermost first; one that can never
 * pay goes before one that may. What the claim holds is there for it, and so are the pots around.
 */
export function shortage(of: Account, amount: Amount, drawn?: Claim, after: Amount = nothing): Shortage | undefined {
  let waiting: Shortage | undefined;
  let pots = 0;
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    if (at.closed) return { account: at, dimension: "cost", needed: amount.cost + after.cost, left: 0, kept: 0, mayFree: false };
    for (const dimension of dimensions) {
      const cap = at.caps[dimension];
      if (cap === undefined) continue;
      const needed = amount[dimension] + after[dimension];
      const own = (drawn?.held[dimension] ?? 0) + (dimension === "cost" ? pots : 0);
      if (needed <= own || needed === 0) continue;
      const left = cap - at.spent[dimension] - at.reserved[dimension] - at.kept[dimension] + own;
      if (needed <= left) continue;
      const mayFree = needed <= cap - at.spent[dimension];
      const found: Shortage = {
        account: at,
        dimension,
        needed,
        left: Math.max(0, left),
        kept: Math.max(0, at.kept[dimension] - own),
        mayFree,
      };
      if (!mayFree) return found;
      waiting ??= found;
    }
    pots += at.pot;
  }
  return waiting;
}

/** Whether what is held pays for an amount. */
export function covers(held: Amount, amount: Amount): boolean {
  return amount.cost <= held.cost && amount.tokens <= held.tokens && amount.calls <= held.calls;
}

/** Changes what a claim holds, without asking whether there is room. */
function hold(of: Claim, dimension: Dimension, by: number): void {
  if (by === 0) return;
  of.held[dimension] += by;
  for (let at: Account | undefined = of.account; at !== undefined; at = at.parent) at.kept[dimension] += by;
}

/** What no account around has promised to anybody. */
function room(of: Account, dimension: Dimension): number {
  let least = Number.POSITIVE_INFINITY;
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    const cap = at.caps[dimension];
    if (cap !== undefined) least = Math.min(least, cap - at.spent[dimension] - at.reserved[dimension] - at.kept[dimension]);
  }
  return Math.max(0, least);
}

/**
 * Makes a claim hold what is wanted: what is too much is given back; what is missing is added if there is room for all of
 * it, since a part would promise nothing.
 */
export function resize(of: Claim, wanted: Amount): void {
  for (const dimension of dimensions) {
    const missing = wanted[dimension] - of.held[dimension];
    if (missing < 0 || (missing > 0 && missing <= room(of.account, dimension))) hold(of, dimension, missing);
  }
  of.extra = Math.min(of.extra, of.held.cost);
}

/** Moves as much of what is wanted as there is from one claim to another, which may be of an account inside. */
export function move(from: Claim | undefined, to: Claim, wanted: Amount): void {
  if (from === undefined || from === to) return;
  for (const dimension of dimensions) {
    const moved = Math.min(from.held[dimension], wanted[dimension] - to.held[dimension]);
    if (moved <= 0) continue;
    if (from.account === to.account) {
      from.held[dimension] -= moved;
      to.held[dimension] += moved;
    } else {
      hold(from, dimension, -moved);
      hold(to, dimension, Math.min(moved, room(to.account, dimension)));
    }
  }
  from.extra = Math.min(from.extra, from.held.cost);
}

/** Gives back all that a claim holds: to the one it came from, or to everybody. */
export function release(of: Claim, to?: Claim): void {
  if (to !== undefined && to.account === of.account) {
    for (const dimension of dimensions) to.held[dimension] += of.held[dimension];
    of.held.cost = 0;
    of.held.tokens = 0;
    of.held.calls = 0;
  } else for (const dimension of dimensions) hold(of, dimension, -of.held[dimension]);
  of.extra = 0;
}

/** Turns money of a claim of the account around into the pot of an account, or back into nothing. */
export function fillPot(of: Account, from: Claim | undefined, by: number): void {
  if (from !== undefined) hold(from, "cost", -by);
  changePot(of, by);
}

export function emptyPot(of: Account): void {
  changePot(of, -of.pot);
}

function changePot(of: Account, by: number): void {
  of.pot += by;
  for (let at = of.parent; at !== undefined; at = at.parent) at.kept.cost += by;
}

/** Reserves an amount for the work of a claim, which then holds what is to be kept back after it. */
export function draw(of: Account, amount: Amount, from: Claim | undefined, after: Amount): void {
  const beyond = amount.cost + after.cost - (from?.held.cost ?? 0);
  if (beyond > 0) drawPots(of, beyond);
  if (from !== undefined) for (const dimension of dimensions) hold(from, dimension, after[dimension] - from.held[dimension]);
  reserve(of, amount);
}

function drawPots(of: Account, needed: number): void {
  let missing = needed;
  for (let at: Account | undefined = of; at !== undefined && missing > 0; at = at.parent) {
    if (at.pot === 0) continue;
    const given = Math.min(missing, at.pot);
    changePot(at, -given);
    missing -= given;
  }
}

/** Pays an amount at once from what a claim holds; false where it does not hold so much, or a budget around is closed. */
export function payFrom(of: Claim, amount: Amount): boolean {
  if (!covers(of.held, amount) || isClosed(of.account)) return false;
  for (const dimension of dimensions) hold(of, dimension, -amount[dimension]);
  spend(of.account, amount);
  return true;
}

/** Whether nothing is admitted any more in an account or one around it. */
export function isClosed(of: Account): boolean {
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) if (at.closed) return true;
  return false;
}

/** Holds an amount; only after `shortage` found nothing. */
export function reserve(of: Account, amount: Amount): void {
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    at.reserved.cost += amount.cost;
    at.reserved.tokens += amount.tokens;
    at.reserved.calls += amount.calls;
  }
}

/**
 * Replaces a reservation by what was really used. Usage above it is charged, and closes the budgets around; says whether
 * it was. What was not used goes back to the claim where the work is still to be done.
 */
export function settle(of: Account, reserved: Amount, used: Amount, back?: Claim): boolean {
  const over = exceeds(used, reserved);
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    at.reserved.cost -= reserved.cost;
    at.reserved.tokens -= reserved.tokens;
    at.reserved.calls -= reserved.calls;
    charge(at, used, over);
  }
  if (back !== undefined && !over)
    for (const dimension of dimensions) hold(back, dimension, Math.max(0, reserved[dimension] - used[dimension] - back.held[dimension]));
  return over;
}

/** Corrects what was charged when the true usage becomes known later; says whether it was more than was reserved. */
export function correct(of: Account, charged: Amount, used: Amount): boolean {
  const over = exceeds(used, charged);
  const difference = { cost: used.cost - charged.cost, tokens: used.tokens - charged.tokens, calls: used.calls - charged.calls };
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) charge(at, difference, over);
  return over;
}

function exceeds(used: Amount, reserved: Amount): boolean {
  return used.cost > reserved.cost || used.tokens > reserved.tokens || used.calls > reserved.calls;
}

function charge(at: Account, used: Amount, over: boolean): void {
  at.spent.cost += used.cost;
  at.spent.tokens += used.tokens;
  at.spent.calls += used.calls;
  if (over && (at.caps.cost !== undefined || at.caps.tokens !== undefined || at.caps.calls !== undefined)) at.closed = true;
}

/** Counts what needs no reservation because no account around has a cap. */
export function spend(of: Account, used: Amount): void {
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) charge(at, used, false);
}

/** Whether `inner` is `outer` or was opened inside it. */
export function within(inner: Account, outer: Account): boolean {
  for (let at: Account | undefined = inner; at !== undefined; at = at.parent) if (at === outer) return true;
  return false;
}

/** Why nothing is started under an account any more: its time is over. */
export function expiry(of: Account): CallFailure | undefined {
  for (let at: Account | undefined = of; at?.capped === true; at = at.parent) if (at.expired !== undefined) return at.expired;
  return undefined;
}
