/**
 * What was spent, reserved and allowed, as plain data. Accounts nest like the budgets of a program; a reservation
 * counts against every account around it until it is settled. No amount is ever reserved that an account could not pay
 * in the worst case, so no interleaving spends more than any cap. Money is a whole number of nano-dollars.
 */

export interface Amount {
  readonly cost: number;
  readonly tokens: number;
  readonly calls: number;
}

export type Dimension = keyof Amount;
export const dimensions: readonly Dimension[] = ["cost", "tokens", "calls"];

export interface Account {
  /** Where the budget was opened. */
  readonly path: string;
  readonly parent: Account | undefined;
  readonly caps: Partial<Amount>;
  /** Whether it or an account around it has a cap. */
  readonly capped: boolean;
  readonly spent: { cost: number; tokens: number; calls: number };
  readonly reserved: { cost: number; tokens: number; calls: number };
  /** More was used than reserved: nothing is admitted any more. */
  closed: boolean;
}

/** Why an amount cannot be reserved. */
export interface Shortage {
  readonly account: Account;
  readonly dimension: Dimension;
  readonly needed: number;
  readonly left: number;
  /** Whether reservations in flight, once settled, may make room. */
  readonly mayFree: boolean;
}

export const nothing: Amount = { cost: 0, tokens: 0, calls: 0 };

export function account(path: string, parent: Account | undefined, caps: Partial<Amount>): Account {
  const capped = parent?.capped === true || dimensions.some((dimension) => caps[dimension] !== undefined);
  return { path, parent, caps, capped, spent: { ...nothing }, reserved: { ...nothing }, closed: false };
}

export function nanoDollars(dollars: number): number {
  return Math.ceil(dollars * 1e9 - 1e-6);
}

export function dollars(nano: number): number {
  return nano / 1e9;
}

/** The first account that cannot pay the amount, innermost first; one that can never pay it goes before one that may. */
export function shortage(of: Account, amount: Amount): Shortage | undefined {
  let waiting: Shortage | undefined;
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    for (const dimension of dimensions) {
      const cap = at.caps[dimension];
      const needed = amount[dimension];
      if (at.closed) return { account: at, dimension, needed, left: 0, mayFree: false };
      if (cap === undefined || needed === 0) continue;
      const left = cap - at.spent[dimension] - at.reserved[dimension];
      if (needed <= left) continue;
      const mayFree = needed <= cap - at.spent[dimension];
      const found: Shortage = { account: at, dimension, needed, left: Math.max(0, left), mayFree };
      if (!mayFree) return found;
      waiting ??= found;
    }
  }
  return waiting;
}

/** Holds an amount; only after `shortage` found nothing. */
export function reserve(of: Account, amount: Amount): void {
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    at.reserved.cost += amount.cost;
    at.reserved.tokens += amount.tokens;
    at.reserved.calls += amount.calls;
  }
}

/** Replaces a reservation by what was really used; usage above it is charged and closes the capped accounts around. */
export function settle(of: Account, reserved: Amount, used: Amount): boolean {
  const over = dimensions.some((dimension) => used[dimension] > reserved[dimension]);
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) {
    at.reserved.cost -= reserved.cost;
    at.reserved.tokens -= reserved.tokens;
    at.reserved.calls -= reserved.calls;
    charge(at, used);
    if (over && dimensions.some((dimension) => (at.caps[dimension] ?? Number.POSITIVE_INFINITY) < at.spent[dimension])) at.closed = true;
  }
  return over;
}

/** Corrects what was charged when the true usage becomes known later. */
export function correct(of: Account, charged: Amount, used: Amount): void {
  const difference = { cost: used.cost - charged.cost, tokens: used.tokens - charged.tokens, calls: used.calls - charged.calls };
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) charge(at, difference);
}

function charge(at: Account, used: Amount): void {
  at.spent.cost += used.cost;
  at.spent.tokens += used.tokens;
  at.spent.calls += used.calls;
}

/** Counts what needs no reservation because no account around has a cap. */
export function spend(of: Account, used: Amount): void {
  for (let at: Account | undefined = of; at !== undefined; at = at.parent) charge(at, used);
}

/** Whether `inner` is `outer` or was opened inside it. */
export function within(inner: Account, outer: Account): boolean {
  for (let at: Account | undefined = inner; at !== undefined; at = at.parent) if (at === outer) return true;
  return false;
}
