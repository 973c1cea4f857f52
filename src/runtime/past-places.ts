/**
 * Where the calls stood that an earlier part of the run had begun and not ended: since when each has waited in which line,
 * and since when its attempt has been going on. Whoever has waited goes on waiting from then on.
 */
import type { RunEvent } from "./events.js";

type Line = Extract<RunEvent, { kind: "call.queued" }>["for"];

interface Place {
  /** When it was begun, or came to its next attempt or turn, in milliseconds since 1970. */
  since: number;
  /** When it came into a line, by what it waits for. */
  queued: Partial<Record<Line, number>>;
  /** When the first request of the attempt was made, in milliseconds of the run. */
  asked: number | undefined;
  /** It had been let in, and has not gone on since. */
  inFlight: boolean;
}

const placeOf = (since: number): Place => ({ since, queued: {}, asked: undefined, inFlight: false });

export interface Places {
  /** Since when a call has waited for something, in milliseconds since 1970; what was in flight comes before all that waited. */
  readonly since: (path: string, what: Line) => number | undefined;
  /** When the first request of the attempt that goes on was made, in milliseconds of the run. */
  readonly asked: (path: string) => number | undefined;
  /** A call has gone on since: its place of then is over. */
  readonly moved: (path: string) => void;
}

/** Events after which a call asks anew for what it needs. */
const MOVING = ["call.attempt_failed", "call.retried", "call.fell_back", "model.answered", "model.failed"] as const;
const moving: ReadonlySet<string> = new Set<RunEvent["kind"]>(MOVING);

/** Whether a call goes on from where it stood. */
export function moves<E extends { readonly kind: RunEvent["kind"] }>(event: E): event is Extract<E, { kind: (typeof MOVING)[number] }> {
  return moving.has(event.kind);
}
const ending: ReadonlySet<string> = new Set<RunEvent["kind"]>(["call.completed", "call.failed", "region.completed", "region.failed"]);

/** `startedAt`: when the run was started, in milliseconds since 1970. */
export function placesIn(events: readonly RunEvent[], startedAt: number): Places {
  const places = new Map<string, Place>();
  let wall = startedAt;
  for (const event of events) {
    if (event.kind === "run.resumed") wall = event.time - event.at;
    if (!("path" in event)) continue;
    const { path, kind } = event;
    const now = wall + event.at;
    if (ending.has(kind)) places.delete(path);
    if (kind === "call.started" && !places.has(path)) places.set(path, placeOf(now));
    if (kind === "call.queued") {
      const place = places.get(path) ?? placeOf(now);
      places.set(path, place);
      place.queued[event.for] ??= now;
    }
    const place = places.get(path);
    if (place === undefined) continue;
    if (kind === "model.requested") place.asked ??= event.at;
    if (kind === "model.requested" || kind === "call.attempted") place.inFlight = true;
    if (moving.has(kind)) {
      place.since = now;
      place.queued = {};
      place.inFlight = false;
      if (!kind.startsWith("model.")) place.asked = undefined;
    }
  }
  return {
    since: (path, what) => {
      const place = places.get(path);
      return place?.inFlight === true ? Number.NEGATIVE_INFINITY : (place?.queued[what] ?? place?.since);
    },
    asked: (path) => places.get(path)?.asked,
    moved: (path) => {
      places.delete(path);
    },
  };
}
