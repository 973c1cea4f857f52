/**
 * Which failures of an earlier part of a run stay as they were and which are tried again, read off the events. What the
 * program handled, by `recover`, `settle` or `@min_success`, stays; what led to the failure of the run is tried again.
 */
import type { RunEvent } from "./events.js";
import type { FailureValue } from "./failure.js";
import type { PastAttempts } from "./past.js";

/** Whether the last part of a run ended in a failure. */
export function endedInFailure(events: readonly RunEvent[]): boolean {
  for (let i = events.length - 1; i >= 0; i--) {
    const kind = events[i]?.kind;
    if (kind === "run.failed") return true;
    if (kind === "run.resumed" || kind === "run.completed" || kind === "run.cancelled") return false;
  }
  return false;
}

/** Every prefix of a path at which something may have been opened, the path itself first. */
export function* around(path: string): Generator<string> {
  yield path;
  for (let i = path.length - 1; i > 0; i--) {
    const at = path.charAt(i);
    if (at === "/" || at === "[" || at === "~") yield path.slice(0, i);
  }
}

/** Tells of a path whether a failure there was recovered from, or dropped by a region or flow that went on to complete. */
export function handling(events: readonly RunEvent[]): (path: string) => boolean {
  const absorbed = new Set<string>();
  const recovered = new Set<string>();
  for (const event of events) {
    if (event.kind === "region.completed" || event.kind === "call.completed") absorbed.add(event.path);
    if (event.kind === "choice" && event.of === "recover") recovered.add(event.path);
  }
  return (path) => {
    for (const outer of around(path)) {
      if (outer !== path && absorbed.has(outer)) return true;
      if (recovered.has(outer) && !/^(?:~\d+)?\/recover(?:\/|$)/.test(path.slice(outer.length))) return true;
    }
    return false;
  };
}

/** Paths of calls whose failure led to that of the run. */
export function unhandled(events: readonly RunEvent[], handled: (path: string) => boolean): Set<string> {
  const failed = new Set<string>();
  for (const event of events) {
    if (event.kind === "call.failed") failed.add(event.path);
    if (event.kind === "call.completed") failed.delete(event.path);
  }
  return new Set([...failed].filter((path) => !handled(path)));
}

/** Undos that failed in a run that was cancelled: they are tried again when it is cancelled again. */
export function undone(events: readonly RunEvent[]): Set<string> {
  const over = events.some((event) => event.kind === "run.cancelled");
  const failed = over ? events.filter((event) => event.kind === "call.failed" && event.path.includes("/undo")) : [];
  return new Set(failed.flatMap((event) => ("path" in event ? [event.path] : [])));
}

/** Takes out what is known of a call that is tried again. */
export function forget(
  path: string,
  answers: Map<string, unknown>,
  attempts: Map<string, PastAttempts>,
  fellBack: Map<string, FailureValue[]>,
): void {
  for (const key of answers.keys()) if (key.startsWith(`${path} `)) answers.delete(key);
  fellBack.delete(path);
  const before = attempts.get(path);
  // The last attempt is made again, and as many more as the policy allows.
  if (before !== undefined) attempts.set(path, { ...before, made: Math.max(0, before.made - 1), used: 0, next: undefined });
}
