/**
 * What became of the requests that an earlier part of a run had sent to models of a group, of each call's attempt that has
 * not ended: which of them failed, and which one was asked last, so that a resumed run asks that one again and no other.
 */
import type { RunEvent } from "./events.js";
import type { FailureValue } from "./failure.js";

export interface PastAsked {
  readonly turn: number;
  /** Failures by the name of the model. */
  readonly failed: ReadonlyMap<string, FailureValue>;
  /** The model that was asked and had not answered. */
  readonly pending: string | undefined;
}

/** By the path of the call. */
export function askedOf(events: readonly RunEvent[]): ReadonlyMap<string, PastAsked> {
  const asked = new Map<string, { turn: number; failed: Map<string, FailureValue>; pending: string | undefined }>();
  for (const event of events) {
    if (event.kind === "model.requested") {
      const { path, model, turn } = event;
      const before = asked.get(path);
      if (before?.turn === turn) before.pending = model;
      else asked.set(path, { turn, failed: new Map(), pending: model });
    } else if (event.kind === "model.failed") {
      const of = asked.get(event.path);
      if (of === undefined) continue;
      if (event.failure.kind !== "cancelled") of.failed.set(event.model, event.failure);
      of.pending = undefined;
    } else if (
      event.kind === "model.answered" ||
      event.kind === "call.attempt_failed" ||
      event.kind === "call.completed" ||
      event.kind === "call.failed" ||
      // What was too long is asked again in fewer words.
      event.kind === "prompt.shrunk"
    )
      asked.delete(event.path);
  }
  return asked;
}
