/**
 * Which parts of a program an earlier part of the run had begun (regions, items, rounds and calls in which something was
 * started), and what the calls that were finished in them used.
 */
import type { RunEvent } from "./events.js";
import { type Amount, nanoDollars, nothing } from "./ledger.js";
import { around, endedInFailure, handling } from "./past-failures.js";

/** How a part of a program was begun. */
export interface Begun {
  /** Place of its beginning among all. */
  readonly order: number;
  /** When the first thing inside it was begun, in milliseconds of the run; undefined again of what is tried again as a whole. */
  inside: number | undefined;
  /** When it ended, if it did, in milliseconds of the run: from then on it takes no time. */
  ended: number | undefined;
}

/** Paths in or below which something was started. */
export function begunIn(events: readonly RunEvent[]): ReadonlyMap<string, Begun> {
  const begun = new Map<string, Begun>();
  const failed = new Set<string>();
  for (const event of events) {
    switch (event.kind) {
      case "call.started":
      case "call.reused":
      case "region.started":
      case "question.asked":
        for (const path of around(event.path)) {
          const known = begun.get(path);
          const inside = path === event.path ? undefined : event.at;
          if (known === undefined) begun.set(path, { order: event.seq, inside, ended: undefined });
          else if (inside !== undefined && known.inside === undefined) known.inside = inside;
          else if (path !== event.path) break;
        }
        break;
      case "call.completed":
      case "region.completed":
      case "call.failed":
      case "region.failed": {
        const known = begun.get(event.path);
        if (known !== undefined) known.ended = event.at;
        if (event.kind === "call.failed" || event.kind === "region.failed") failed.add(event.path);
        else failed.delete(event.path);
        break;
      }
    }
  }
  if (endedInFailure(events)) {
    const handled = handling(events);
    for (const path of failed) {
      const known = begun.get(path);
      if (known !== undefined && !handled(path)) Object.assign(known, { inside: undefined, ended: undefined });
    }
  }
  return begun;
}

/** What the finished calls in or below each path used. */
export function usedIn(events: readonly RunEvent[]): ReadonlyMap<string, Amount> {
  const used = new Map<string, Amount>();
  for (const event of events) {
    if (event.kind !== "call.completed" || event.of === "flow") continue;
    const cost = nanoDollars(event.bill?.costUsd ?? 0);
    const tokens = (event.bill?.inputTokens ?? 0) + (event.bill?.outputTokens ?? 0);
    for (const path of around(event.path)) {
      const before = used.get(path);
      used.set(path, {
        cost: cost + (before?.cost ?? 0),
        tokens: tokens + (before?.tokens ?? 0),
        calls: 1 + (before?.calls ?? 0),
      });
    }
  }
  return used;
}

/** What something still needs of all that it needs at least, when some of it was done before: nothing, when as many calls were. */
export function remaining(past: { readonly used: () => ReadonlyMap<string, Amount> } | undefined, path: string, all: Amount): Amount {
  const done = past?.used().get(path);
  if (done === undefined) return all;
  if (done.calls >= all.calls) return nothing;
  return {
    cost: Math.max(0, all.cost - done.cost),
    tokens: Math.max(0, all.tokens - done.tokens),
    calls: all.calls - done.calls,
  };
}
