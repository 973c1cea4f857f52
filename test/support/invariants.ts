/** The invariants of `docs/reliability.md` that can be read off any beginning of a journal. Gives what is broken, in words. */
import type { RunEvent } from "../../src/runtime/events.js";

export function broken(events: readonly RunEvent[]): readonly string[] {
  const found: string[] = [];
  const open = new Map<string, number>();
  const finished = new Map<string, string>();
  const answered = new Set<string>();
  const caps = new Map<string, number>();
  const spent = new Map<string, number>();
  const said = new Set<string>();
  let failedBefore = false;
  for (const [i, event] of events.entries()) {
    if (event.seq !== i) found.push(`I4: event ${i} has the number ${event.seq}`);
    switch (event.kind) {
      case "run.failed":
        failedBefore = true;
        break;
      case "run.resumed":
        // What was in flight is open no more: it may be made again.
        open.clear();
        break;
      case "question.answered":
        said.add(event.path.replace(/\?\d+$/, ""));
        break;
      case "call.started": {
        open.set(event.path, (open.get(event.path) ?? 0) + 1);
        const ended = finished.get(event.path);
        if (ended !== undefined && ended === event.guard && event.of !== "flow" && !failedBefore)
          found.push(`I1: ${event.path} was finished and is started again`);
        break;
      }
      case "call.completed":
      case "call.failed": {
        const left = (open.get(event.path) ?? 0) - 1;
        // One that was begun before a crash ends with what a person says of it.
        if (left < 0 && !said.has(event.path)) found.push(`I4: ${event.path} ended without having started`);
        open.set(event.path, Math.max(0, left));
        const guard = events.findLast((each, j) => j < i && each.kind === "call.started" && each.path === event.path);
        if (
          guard?.kind === "call.started" &&
          guard.guard !== undefined &&
          !(event.kind === "call.failed" && event.failure.kind === "cancelled")
        )
          finished.set(event.path, guard.guard);
        break;
      }
      case "model.answered": {
        const key = `${event.path} ${event.attempt} ${event.turn} ${event.guard}`;
        if (answered.has(key) && !failedBefore) found.push(`I1: ${key} was answered twice`);
        answered.add(key);
        for (const path of caps.keys()) if (event.path.startsWith(path)) spent.set(path, (spent.get(path) ?? 0) + event.costUsd);
        break;
      }
      case "budget.opened":
        if (event.caps.costUsd !== undefined) caps.set(event.path, event.caps.costUsd);
        break;
      case "run.completed":
      case "run.cancelled":
        for (const [path, count] of open) if (count > 0) found.push(`I5: ${path} is still going on at the end of the run`);
        break;
      default:
    }
    for (const [path, cap] of caps) if ((spent.get(path) ?? 0) > cap + 1e-9) found.push(`I2: ${path} spent ${spent.get(path)} of ${cap}`);
  }
  return found;
}
