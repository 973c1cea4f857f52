/** What an earlier part of a run charged to each of its budgets, and how long each was open. */
import type { Amount } from "./ledger.js";
import { around } from "./past-failures.js";

/** What was charged to a budget, the milliseconds it was open, and whether a request used more than it had reserved. */
export interface PastSpend extends Amount {
  readonly timeMs: number;
  readonly closed: boolean;
}

/** What was charged to each budget that was opened, by path. `timeOf`: how long it was open, by its path and when it was opened. */
export function spentOf(
  opened: ReadonlyMap<string, number>,
  charges: readonly { readonly path: string; readonly cost: number; readonly tokens: number; readonly calls: number }[],
  overruns: readonly string[],
  timeOf: (path: string, at: number) => number,
): ReadonlyMap<string, PastSpend> {
  const spent = new Map<string, { cost: number; tokens: number; calls: number; timeMs: number; closed: boolean }>();
  for (const [path, at] of opened) spent.set(path, { cost: 0, tokens: 0, calls: 0, timeMs: timeOf(path, at), closed: false });
  if (spent.size === 0) return spent;
  for (const overrun of overruns) {
    for (const path of around(overrun)) {
      const account = spent.get(path);
      if (account !== undefined) account.closed = true;
    }
  }
  for (const charge of charges) {
    for (const path of around(charge.path)) {
      const account = spent.get(path);
      if (account === undefined) continue;
      account.cost += charge.cost;
      account.tokens += charge.tokens;
      account.calls += charge.calls;
    }
  }
  return spent;
}

/** Milliseconds between two times in which nobody was asked anything. */
export function workedMs(asking: readonly { readonly from: number; readonly to: number | undefined }[], from: number, to: number): number {
  let asked = 0;
  let until = from;
  for (const each of [...asking].sort((a, b) => a.from - b.from)) {
    const start = Math.max(until, each.from);
    const end = Math.min(to, each.to ?? to);
    if (end <= start) continue;
    asked += end - start;
    until = end;
  }
  return to - from - asked;
}
