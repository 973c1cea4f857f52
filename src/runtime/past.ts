/**
 * What an earlier part of a run left behind, read off its journal: results of finished calls, answers of models, how
 * often each call was tried, what was spent and what may have been, which way was chosen. A pure function of the events
 * and results, so that a resumed run can be tested without a store. What was in flight counts as spent in full.
 *
 * A run that was cut off keeps every failure that was told: what it led to is decided again the same way. A run that
 * failed is tried again where its failure came from; failures that were recovered from or dropped stay as they were.
 */
import type { RunEvent } from "./events.js";
import type { FailureValue } from "./failure.js";
import { type Amount, nanoDollars } from "./ledger.js";
import { type Begun, begunIn, usedIn } from "./past-begun.js";
import { endedInFailure, forget, handling, undone, unhandled } from "./past-failures.js";
import { askedOf, type PastAsked } from "./past-models.js";
import { type Places, placesIn } from "./past-places.js";
import { type PastSpend, spentOf, workedMs } from "./past-spend.js";
import { retellings, type Told } from "./past-told.js";
import type { ModelAnswer } from "./provider.js";
import type { StoredResult } from "./store.js";

/** A finished call. */
export interface PastCall {
  readonly guard: string;
  readonly outcome: StoredResult["outcome"];
  /** Place among all that finished: what is undone is undone newest first. */
  readonly order: number;
  readonly committed: boolean;
  /** When it ended, in milliseconds since 1970. */
  readonly at: number;
}

export interface PastAttempts {
  /** Attempts that failed, and how many of them count against the policy. */
  readonly made: number;
  readonly used: number;
  readonly last: FailureValue;
  /** When the next one may be made, in milliseconds since 1970, and how long it waits at most. */
  readonly next: { readonly at: number; readonly waitMs: number } | undefined;
}

export interface PastQuestion {
  readonly deadline: number | undefined;
  readonly expired: boolean;
}

export interface PastBreaker {
  /** Milliseconds since 1970. */
  readonly failures: readonly number[];
  readonly openUntil: number | undefined;
  /** How long it stays open at most, whatever the clock says. */
  readonly cooldownMs: number;
}

export interface PastStart {
  readonly at: number;
  tokens: number;
}

export interface Past {
  readonly calls: ReadonlyMap<string, PastCall>;
  /** Values by what guards them, for caches. */
  readonly byGuard: () => ReadonlyMap<string, { readonly path: string; readonly value: unknown; readonly at: number }>;
  readonly answers: ReadonlyMap<string, { readonly guard: string; readonly answer: ModelAnswer }>;
  readonly attempts: ReadonlyMap<string, PastAttempts>;
  /** Failures after which each call went on to its next fallback. */
  readonly fellBack: ReadonlyMap<string, readonly FailureValue[]>;
  /** Effects that were about to be carried out when the process died. */
  readonly unknown: ReadonlySet<string>;
  /** Merges of worktrees that were intended, with what goes on afterwards. */
  readonly merges: ReadonlyMap<string, { readonly key: string; readonly value: unknown }>;
  /** What became of requests to models, by the path of a call whose attempt has not ended. */
  readonly asked: () => ReadonlyMap<string, PastAsked>;
  readonly races: ReadonlyMap<string, string>;
  readonly votes: ReadonlyMap<string, readonly number[]>;
  /** Ids of the implementations that were chosen, by the path of the call. */
  readonly chosen: ReadonlyMap<string, string>;
  /** Regions that ended early to stay within a budget: after so many parts, and why. */
  readonly landed: ReadonlyMap<string, { readonly after: number; readonly message: string }>;
  /** Regions in which some item was done. */
  readonly fruitful: ReadonlySet<string>;
  /** Paths in or below which something was started. */
  readonly begun: () => ReadonlyMap<string, Begun>;
  /** Where calls stood that were not finished. */
  readonly places: () => Places;
  /** What the finished calls in or below each path used. */
  readonly used: () => ReadonlyMap<string, Amount>;
  readonly questions: ReadonlyMap<string, PastQuestion>;
  /** Answers that were given, by the path of the question. */
  readonly given: ReadonlyMap<string, unknown>;
  /** What a person said of an effect in `unknown`, when it was not begun again since. */
  readonly outcomes: ReadonlyMap<string, unknown>;
  readonly breakers: ReadonlyMap<string, PastBreaker>;
  /** Starts that a rate counts, in milliseconds since 1970, oldest first, with the tokens they may have used. */
  readonly starts: ReadonlyMap<string, readonly PastStart[]>;
  /** Why it was being cancelled. */
  readonly cancelling: string | undefined;
  /** A part of the journal was lost: effects that are not known of may have happened. */
  readonly doubtful: boolean;
  /** What was charged to the budget opened at a path. */
  readonly spent: ReadonlyMap<string, PastSpend>;
  readonly totals: {
    readonly cost: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly calls: number;
    readonly toolCalls: number;
    /** Requests that used more than they had reserved. */
    readonly overran: number;
  };
  readonly finished: number;
  /** Whether an event was told already. */
  readonly told: (event: Told) => boolean;
  readonly nextSeq: number;
  readonly elapsedMs: number;
}

/** More starts than any rate looks back at. */
const MOST_STARTS = 10_000;

/** The key of a model's answer. */
export function answerKey(path: string, attempt: number, turn: number): string {
  return `${path} ${attempt} ${turn}`;
}

interface Request {
  readonly path: string;
  readonly cost: number;
  readonly tokens: number;
  readonly input: number;
}

/** Reads a journal. `startedAt` is when the run was started, in milliseconds since 1970. */
export function pastOf(events: readonly RunEvent[], results: ReadonlyMap<string, StoredResult>, startedAt: number): Past {
  const again = endedInFailure(events);
  const handled = again ? handling(events) : () => true;
  const retrying = again ? unhandled(events, handled) : undone(events);
  /** Calls that have begun: many end, and few are going on. */
  const ongoing = new Map<string, { readonly tool: boolean; readonly guard: string | undefined }>();
  const calls = new Map<string, PastCall>();
  const answers = new Map<string, { guard: string; answer: ModelAnswer }>();
  const attempts = new Map<string, PastAttempts>();
  const fellBack = new Map<string, FailureValue[]>();
  const attempted = new Map<string, boolean>();
  /** Attempts of a call that were charged when they were made. */
  const counted = new Set<string>();
  const unknown = new Set<string>();
  const merges = new Map<string, { readonly key: string; readonly value: unknown }>();
  const races = new Map<string, string>();
  const votes = new Map<string, readonly number[]>();
  const chosen = new Map<string, string>();
  const fruitful = new Set<string>();
  const landed = new Map<string, { after: number; message: string }>();
  const questions = new Map<string, PastQuestion>();
  const given = new Map<string, unknown>();
  const outcomes = new Map<string, unknown>();
  const breakers = new Map<string, PastBreaker>();
  const starts = new Map<string, PastStart[]>();
  /** The last start of a call at a model, until the answer tells how much it used. */
  const untold = new Map<string, PastStart>();
  let cancelling: string | undefined;
  let doubtful = false;
  const opened = new Map<string, number>();
  const requests = new Map<string, Request[]>();
  const told = retellings();
  const overruns: string[] = [];
  /** When questions were asked and answered. */
  const asking: { path: string; from: number; to: number | undefined }[] = [];
  const charges: { path: string; cost: number; tokens: number; calls: number }[] = [];
  const totals = { cost: 0, inputTokens: 0, outputTokens: 0, calls: 0, toolCalls: 0 };
  let wall = startedAt;
  let order = 0;
  let last = 0;

  const charge = (path: string, cost: number, input: number, output: number, count: number, tool: boolean): void => {
    if (cost === 0 && input + output === 0 && count === 0) return;
    charges.push({ path, cost, tokens: input + output, calls: count });
    totals.cost += cost;
    totals.inputTokens += input;
    totals.outputTokens += output;
    totals.calls += count;
    if (tool) totals.toolCalls += count;
  };
  const ended = (path: string): void => {
    attempted.delete(path);
  };
  const settled = (event: { path: string; model: string; turn: number }): void => {
    const key = `${event.path} ${event.model} ${event.turn}`;
    const open = requests.get(key);
    open?.shift();
    if (open?.length === 0) requests.delete(key);
  };

  for (const event of events) {
    last = event.at;
    told.add(event);
    // A merge that was intended and failed is none.
    if (event.kind === "call.failed" || event.kind === "call.attempt_failed" || event.kind === "region.failed") merges.delete(event.path);
    switch (event.kind) {
      case "run.resumed":
        wall = event.time - event.at;
        break;
      case "call.started":
        ongoing.set(event.path, { tool: event.of === "tool", guard: event.guard ?? ongoing.get(event.path)?.guard });
        counted.delete(event.path);
        unknown.delete(event.path);
        break;
      case "call.attempted":
        attempted.set(event.path, event.effect);
        outcomes.delete(event.path);
        counted.add(event.path);
        charge(event.path, nanoDollars(event.costUsd ?? 0), 0, 0, 1, ongoing.get(event.path)?.tool === true);
        break;
      case "call.attempt_failed":
        ended(event.path);
        attempts.set(event.path, {
          made: event.attempt,
          used: event.attempt,
          last: event.failure,
          next: event.waitMs === undefined ? undefined : { at: wall + event.at + event.waitMs, waitMs: event.waitMs },
        });
        break;
      case "call.fell_back": {
        const before = fellBack.get(event.path);
        if (before === undefined) fellBack.set(event.path, [event.failure]);
        else before.push(event.failure);
        ended(event.path);
        break;
      }
      case "call.completed":
      case "call.failed": {
        ended(event.path);
        const leaf = event.of === "tool" || event.of === "agent";
        if (leaf && !counted.has(event.path)) charge(event.path, 0, 0, 0, event.attempts, event.of === "tool");
        const stored = results.get(event.path);
        const guard = ongoing.get(event.path)?.guard;
        ongoing.delete(event.path);
        if (guard === undefined) break;
        const shown: StoredResult["outcome"] =
          event.kind === "call.failed" ? { kind: "failure", failure: event.failure } : { kind: "value", value: event.value };
        const outcome = stored?.guard === guard && stored.outcome.kind === shown.kind ? stored.outcome : shown;
        const committed = event.kind === "call.completed" ? true : event.failure.committed === "yes";
        // What was stopped has not ended; what led to the failure of the run is tried again.
        if (event.kind === "call.failed" && (event.failure.kind === "cancelled" || retrying.has(event.path))) {
          calls.delete(event.path);
          if (event.of === "tool" && event.failure.committed === "unknown") unknown.add(event.path);
          break;
        }
        calls.set(event.path, { guard, outcome, order: ++order, committed, at: wall + event.at });
        break;
      }
      case "call.reused": {
        if (event.guard === undefined) break;
        const kept = results.get(event.path);
        const value = kept?.guard === event.guard && kept.outcome.kind === "value" ? kept.outcome.value : event.value;
        calls.set(event.path, {
          guard: event.guard,
          outcome: { kind: "value", value },
          order: ++order,
          committed: true,
          at: wall + event.at,
        });
        break;
      }
      case "model.requested": {
        const at = `${event.path} ${event.model} ${event.turn}`;
        const request = {
          path: event.path,
          cost: nanoDollars(event.reserved.costUsd),
          tokens: event.reserved.tokens,
          input: event.inputTokens,
        };
        const open = requests.get(at);
        if (open === undefined) requests.set(at, [request]);
        else open.push(request);
        break;
      }
      case "model.answered": {
        settled(event);
        charge(event.path, nanoDollars(event.costUsd), event.inputTokens, event.outputTokens, 0, false);
        const start = untold.get(event.path);
        if (start !== undefined) start.tokens = event.inputTokens + event.outputTokens;
        untold.delete(event.path);
        if (event.guard === undefined) break;
        const at = answerKey(event.path, event.attempt, event.turn);
        const stored = results.get(at);
        const answer =
          stored?.outcome.kind === "value"
            ? (stored.outcome.value as ModelAnswer)
            : {
                text: event.text,
                toolCalls: (event.toolCalls ?? []) as ModelAnswer["toolCalls"],
                usage: { inputTokens: event.inputTokens, outputTokens: event.outputTokens },
                finish: event.finish,
                ...(event.flaw === undefined ? {} : { flaw: event.flaw }),
                ...(event.replay === undefined ? {} : { replay: event.replay }),
              };
        answers.set(at, { guard: event.guard, answer });
        break;
      }
      case "model.failed":
        settled(event);
        charge(event.path, nanoDollars(event.costUsd), event.inputTokens, event.outputTokens, 0, false);
        break;
      case "choice":
        if (event.implementation !== undefined) chosen.set(event.path, event.implementation);
        if (event.of === "race") races.set(event.path, event.chosen);
        if (event.of === "vote" && event.runs !== undefined) votes.set(event.path, event.runs);
        break;
      case "worktree.merging": {
        const stored = results.get(`${event.path} merge`);
        if (stored?.outcome.kind === "value") merges.set(event.path, { key: event.key, value: stored.outcome.value });
        break;
      }
      case "item.completed":
        fruitful.add(event.path);
        break;
      case "budget.landed":
        // A run that failed is tried again, perhaps with more to spend.
        if (!again) landed.set(event.path, { after: event.after, message: event.message });
        break;
      case "budget.opened":
        if (!opened.has(event.path)) opened.set(event.path, event.at);
        break;
      case "budget.overran":
        overruns.push(event.path);
        break;
      case "question.answered":
      case "question.expired": {
        const open = asking.findLast((each) => each.path === event.path);
        if (open !== undefined) open.to ??= event.at;
        if (event.kind === "question.expired") {
          questions.set(event.path, { deadline: undefined, expired: true });
          break;
        }
        given.set(event.path, event.value);
        const of = event.path.replace(/\?\d+$/, "");
        if (attempted.get(of) === true || unknown.has(of)) outcomes.set(of, event.value);
        break;
      }
      case "question.asked":
        asking.push({ path: event.path, from: event.at, to: undefined });
        questions.set(event.path, { deadline: event.deadline, expired: false });
        break;
      case "breaker.counted": {
        const before = breakers.get(event.callee);
        const earlier = event.failures > 1 ? (before?.failures ?? []).slice(1 - event.failures) : [];
        const failures = event.failures === 0 ? [] : [...earlier, wall + event.at];
        breakers.set(event.callee, { failures, openUntil: before?.openUntil, cooldownMs: before?.cooldownMs ?? 0 });
        break;
      }
      case "breaker.opened":
        breakers.set(event.callee, {
          failures: breakers.get(event.callee)?.failures ?? [],
          openUntil: wall + event.at + event.cooldownMs,
          cooldownMs: event.cooldownMs,
        });
        break;
      case "rate.taken": {
        const before = starts.get(event.key);
        const start: PastStart = { at: wall + event.at, tokens: event.tokens ?? 0 };
        if (event.tokens !== undefined) untold.set(event.path, start);
        if (before === undefined) starts.set(event.key, [start]);
        else {
          before.push(start);
          if (before.length > 2 * MOST_STARTS) before.splice(0, before.length - MOST_STARTS);
        }
        break;
      }
      case "run.cancelling":
        cancelling = event.reason;
        break;
      case "run.mended":
        doubtful = true;
        break;
      case "breaker.closed":
        breakers.delete(event.callee);
        break;
      default:
    }
  }
  // What was sent and never settled may have cost all that was held for it.
  for (const open of requests.values())
    for (const { path, cost, tokens, input } of open) charge(path, cost, input, Math.max(0, tokens - input), 0, false);
  // What was undone before the run failed has to be done again.
  for (const path of [...calls.keys()]) {
    if (!path.endsWith("/undo") || calls.get(path)?.outcome.kind !== "value") continue;
    const undone = path.slice(0, -"/undo".length);
    if (handled(undone)) continue;
    calls.delete(path);
    calls.delete(undone);
  }
  for (const path of retrying) forget(path, answers, attempts, fellBack);
  for (const [path, effect] of attempted) if (effect) unknown.add(path);

  const begun = once(() => begunIn(events));
  return {
    calls,
    byGuard: once(() => {
      const found = new Map<string, { path: string; value: unknown; at: number }>();
      // What a cache gave is as old as what it was kept from.
      for (const [path, { guard, outcome, at }] of calls)
        if (outcome.kind === "value" && !told.has({ kind: "call.cached", path, from: "" }))
          found.set(guard, { path, value: outcome.value, at });
      return found;
    }),
    answers,
    attempts,
    fellBack,
    unknown,
    merges,
    asked: once(() => (again ? new Map() : askedOf(events))),
    races,
    votes,
    chosen,
    fruitful,
    landed,
    begun,
    places: once(() => placesIn(events, startedAt)),
    used: once(() => usedIn(events)),
    questions,
    given,
    outcomes,
    breakers,
    starts,
    cancelling,
    doubtful,
    spent: spentOf(opened, charges, overruns, (path, from) => workedMs(asking, from, begun().get(path)?.ended ?? last)),
    totals: { ...totals, overran: overruns.length },
    finished: calls.size,
    told: told.has,
    nextSeq: (events.at(-1)?.seq ?? -1) + 1,
    elapsedMs: last,
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
