/**
 * Whether a call was made before: in an earlier part of this run (same path and guard, or a committed effect that must
 * not be made again), or in another run whose results may be used. What is found ends the call without an attempt.
 */

import type { Graph } from "../plan/ir.js";
import { placeOf, placesOfFlow } from "./edited.js";
import type { RunEvent } from "./events.js";
import { type CallFailure, failure } from "./failure.js";
import type { Account } from "./ledger.js";
import type { CallSite, Run, Step } from "./machine.js";
import { type Past, type PastCall, pastOf } from "./past.js";
import type { StoredRun } from "./store.js";

export type Found =
  | {
      readonly kind: "value";
      readonly value: unknown;
      readonly told: boolean;
      readonly order: number;
      /** The run and the call that it comes from, where they are others. */
      readonly run?: string | undefined;
      readonly from?: string | undefined;
    }
  | { readonly kind: "failure"; readonly failure: CallFailure }
  /** An effect that may have happened: only a person can say. */
  | { readonly kind: "unknown" };

type Started = Extract<RunEvent, { kind: "call.started" }>;

/** How calls were made before, by their paths. */
export interface Earlier {
  readonly graph: Graph;
  readonly call: (path: string) => Started | undefined;
  /** The run that they belong to, where it is another. */
  readonly run: string | undefined;
}

/** Hands out a result whose place is gone, once. */
export type Orphans = (guard: string) => { readonly path: string; readonly value: unknown; readonly run: string | undefined } | undefined;

/**
 * Results of another run for calls with the same definition and inputs, at the same place or at one that the program has
 * no more: pure ones only.
 */
export function reusing(stored: StoredRun, graph: Graph): { known: NonNullable<Run["known"]>; earlier: Earlier; orphans: Orphans } {
  const past = pastOf(stored.events, stored.results, stored.start.startedAt);
  const { run } = stored.start;
  return {
    known: (path, guard, callee) => {
      const found = callee.effect === "none" ? past.calls.get(path) : undefined;
      return found?.guard === guard && found.outcome.kind === "value" ? { guard, value: found.outcome.value, run } : undefined;
    },
    earlier: { ...earlierOf(stored), run },
    orphans: orphansOf(past, graph, stored.start.flow, run),
  };
}

/** How the calls of a run were made, for what is said after an edit. */
export function earlierOf({ start, events }: StoredRun): Earlier {
  let calls: Map<string, Started> | undefined;
  return {
    graph: start.graph,
    run: undefined,
    call: (path) => {
      calls ??= new Map(events.flatMap((event) => (event.kind === "call.started" ? [[event.path, event]] : [])));
      return calls.get(path);
    },
  };
}

/** Results whose place a program has no more, for the one new call that is the same; two that are alike are left alone. */
export function orphansOf(past: Past, graph: Graph, flow: string, run: string | undefined): Orphans {
  let byGuard: Map<string, { path: string; value: unknown } | undefined> | undefined;
  const find = (): NonNullable<typeof byGuard> => {
    const places = placesOfFlow(graph, flow);
    const found: NonNullable<typeof byGuard> = new Map();
    for (const [path, { guard, outcome }] of past.calls) {
      if (outcome.kind !== "value" || path.endsWith("/undo") || places.has(placeOf(path))) continue;
      found.set(guard, found.has(guard) ? undefined : { path, value: outcome.value });
    }
    return found;
  };
  return (guard) => {
    byGuard ??= find();
    const found = byGuard.get(guard);
    byGuard.delete(guard);
    return found === undefined ? undefined : { ...found, run };
  };
}

/** What is known of a call that is about to start. */
export function earlier(step: Step, site: CallSite, guard: string): Found | undefined {
  const { run, path } = step;
  const { callee } = site;
  const effect = callee.effect === "effect" && callee.ir.kind === "tool";
  const before = run.past?.calls.get(path);
  if (before !== undefined) {
    const choice = before.guard === guard || !effect || !before.committed ? undefined : run.choices.get(path);
    if (before.guard === guard || choice === "keep") return outcomeOf(step, before);
    if (effect && before.committed && choice === undefined) return { kind: "failure", failure: changed(callee.ir.name, path) };
  }
  if (effect && site.idempotent === undefined && mayHaveHappened(run, path, before)) return { kind: "unknown" };
  const known = run.known?.(path, guard, callee);
  if (known?.failed !== undefined) return { kind: "failure", failure: failureOf(step, known.failed) };
  if (known !== undefined) return { kind: "value", value: known.value, told: false, order: 0, run: known.run };
  const orphan = callee.effect === "none" && before === undefined ? run.orphans?.(guard) : undefined;
  return orphan && { kind: "value", value: orphan.value, told: false, order: 0, run: orphan.run, from: orphan.path };
}

/** Whether an effect was begun and nobody knows how it ended. */
function mayHaveHappened({ past }: Run, path: string, before: PastCall | undefined): boolean {
  return past !== undefined && (past.unknown.has(path) || (past.doubtful && before === undefined));
}

function outcomeOf(step: Step, { outcome, order }: PastCall): Found {
  if (outcome.kind === "value") return { kind: "value", value: outcome.value, told: true, order };
  return { kind: "failure", failure: failureOf(step, outcome.failure) };
}

/** A failure as it was told before, with the budget that refused it. */
export function failureOf(step: Step, told: Extract<PastCall["outcome"], { kind: "failure" }>["failure"]): CallFailure {
  const { kind, message, call, attempts, committed, partial, causes = [] } = told;
  const cause = causes.reduceRight<CallFailure | undefined>(
    (inner, each) =>
      failure(each.kind, each.message, {
        path: each.call,
        attempts: each.attempts,
        committed: each.committed,
        ...(inner === undefined ? {} : { cause: inner }),
      }),
    undefined,
  );
  let refusing: Account | undefined;
  for (let at: Account | undefined = step.context.account; at !== undefined; at = at.parent) if (at.path === told.account) refusing = at;
  return failure(kind, message, {
    path: call,
    attempts,
    committed,
    ...(refusing === undefined ? {} : { account: refusing }),
    ...(partial === undefined ? {} : { partial }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function changed(name: string, path: string): CallFailure {
  return failure(
    "denied",
    `${name} was carried out already, with other inputs or another definition: resume with \`--keep ${path}\` to go on with what it gave, or with \`--again ${path}\` to carry it out again`,
    { path },
  );
}
