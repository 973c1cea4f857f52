/** The items of a `map`: their keys, which of them need which, which were done before a crash, and how those fail that were left out. */
import { type CallFailure, failure } from "./failure.js";
import { canonical, contentHash } from "./hash.js";
import type { Step } from "./machine.js";
import { shown } from "./values.js";

/** An item that passed `where`. */
export interface Item {
  readonly index: number;
  readonly key: string;
  readonly value: unknown;
}

export interface Links {
  /** Positions of the items each item needs, and of those that need it. */
  readonly on: readonly (readonly number[])[];
  readonly dependents: readonly (readonly number[])[];
}

/** The text of a key: its content, shortened when long. */
export function keyText(value: unknown): string {
  if (typeof value === "number") return canonical(value);
  const text = typeof value === "string" ? value : canonical(value);
  return text.length <= 80 && !/[\]\\\n]/.test(text)
    ? text
    : `${text.slice(0, 40).replace(/[\]\\\s]+/g, " ")}…${contentHash(text).slice(0, 12)}`;
}

export function linksOf(items: readonly Item[], needsOf: (item: Item) => unknown, path: string): Links {
  const position = new Map(items.map((item, i) => [item.key, i]));
  const on = items.map((item) => {
    const keys = needsOf(item);
    return (Array.isArray(keys) ? keys : []).map((key: unknown) => {
      const found = position.get(keyText(key));
      if (found === undefined)
        throw failure("assertion", `the item ${shown(item.key)} needs ${shown(key)}, which is not among the items`, { path });
      return found;
    });
  });
  const dependents: number[][] = items.map(() => []);
  for (const [i, needed] of on.entries()) for (const j of new Set(needed)) dependents[j]?.push(i);
  const left = on.map((needed) => new Set(needed).size);
  const ready = left.flatMap((n, i) => (n === 0 ? [i] : []));
  for (let head = 0; head < ready.length; head++) {
    for (const j of dependents[ready[head] ?? 0] ?? []) {
      left[j] = (left[j] ?? 0) - 1;
      if (left[j] === 0) ready.push(j);
    }
  }
  if (ready.length < items.length) throw failure("assertion", `items need each other in a circle: ${circle(items, on, left)}`, { path });
  return { on, dependents };
}

function circle(items: readonly Item[], on: readonly (readonly number[])[], left: readonly number[]): string {
  const way: number[] = [];
  let at = left.findIndex((n) => n > 0);
  while (!way.includes(at)) {
    way.push(at);
    at = (on[at] ?? []).find((j) => (left[j] ?? 0) > 0) ?? at;
  }
  return [...way.slice(way.indexOf(at)), at].map((i) => items[i]?.key).join(" → ");
}

/** Positions of items that were done before a crash, where that matters for a budget. */
export function knownItems(step: Step, items: readonly Item[]): Set<number> {
  const { past } = step.run;
  const known = new Set<number>();
  if (past === undefined || !step.context.account.limited) return known;
  for (const [position, { index, key }] of items.entries())
    if (past.told({ kind: "item.completed", path: step.path, index, key })) known.add(position);
  return known;
}

export function notStarted(hopeless: CallFailure | undefined): CallFailure {
  return failure("skipped", hopeless?.message ?? "it was not started");
}

/** An item that was not let in; why is told once, by the region. */
export function leftOut({ account }: CallFailure): CallFailure {
  const of = account !== undefined && "path" in account ? ` of ${String(account.path)}` : "";
  return failure("budget_exceeded", `it was not started, to stay within the budget${of}`, account === undefined ? {} : { account });
}
