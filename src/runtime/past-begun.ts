/** Which parts of a program an earlier part of the run had begun: regions, items, rounds and calls in which something was started. */
import type { RunEvent } from "./events.js";
import { around } from "./past-failures.js";

/** Paths in or below which something was started. */
export function begunIn(events: readonly RunEvent[]): ReadonlySet<string> {
  const begun = new Set<string>();
  for (const event of events) {
    if (event.kind !== "call.started" && event.kind !== "call.reused" && event.kind !== "region.started" && event.kind !== "question.asked")
      continue;
    for (const path of around(event.path)) {
      if (begun.has(path)) break;
      begun.add(path);
    }
  }
  return begun;
}
