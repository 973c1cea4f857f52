/** How answers become what is written down, and back; and time that passes while something is replayed. */
import type { ModelIR } from "../../plan/ir.js";
import type { Clock } from "../../runtime/clock.js";
import { type CallFailure, failure, toFailure } from "../../runtime/failure.js";
import { dollars } from "../../runtime/ledger.js";
import { costOf } from "../../runtime/model.js";
import type { ModelAnswer } from "../../runtime/provider.js";
import type { Outcome, RecordedFailure, RecordedUsage } from "./questions.js";

/** Who waits, on which clock. */
export interface Waiting {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly abandoned?: () => boolean;
}

/** Lets time pass; false when it was aborted. */
export function pass(clock: Clock, signal: AbortSignal, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const onAbort = (): void => {
      cancelTimer();
      resolve(false);
    };
    const cancelTimer = clock.after(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve(true);
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** What a model answered. */
export function answerOutcome(given: ModelAnswer, model: ModelIR, simulated: boolean, clean: <T>(value: T) => T): Outcome {
  const { text, toolCalls, usage, finish, flaw, replay } = given;
  return {
    kind: "answer",
    text: clean(text),
    toolCalls: clean(toolCalls),
    finish,
    ...(flaw === undefined ? {} : { flaw: clean(flaw) }),
    ...(replay === undefined ? {} : { replay: clean(replay) }),
    usage: usage ?? "unknown",
    ...(usage === undefined || usage.costUsd !== undefined || model.price === undefined ? {} : { costUsd: dollars(costOf(model, usage)) }),
    ...(simulated ? { simulated: true } : {}),
  };
}

/** What a request or call failed with; one that was aborted was given up. */
export function failedOutcome(thrown: unknown, aborted: boolean, afterMs: number, clean: <T>(value: T) => T): Outcome {
  const failed = toFailure(thrown, "unavailable", false);
  if (aborted || failed.kind === "cancelled") return { kind: "unanswered", afterMs: Math.round(afterMs) };
  const { kind, message, committed, retryAfterMs } = failed;
  return {
    kind: "failure",
    failure: {
      kind,
      message: clean(message),
      ...(committed === "no" ? {} : { committed }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
    usage: usageOf(thrown),
  };
}

function usageOf(thrown: unknown): RecordedUsage {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  if ("usageUnknown" in thrown && thrown.usageUnknown === true) return "unknown";
  return "usage" in thrown ? (thrown.usage as RecordedUsage) : undefined;
}

/** A recorded failure, to be thrown again. */
export function failureOf({ kind, message, committed, retryAfterMs }: RecordedFailure): CallFailure {
  return failure(kind, message, {
    committed: committed ?? "no",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
