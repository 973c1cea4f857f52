/**
 * Whether a call was made before: in an earlier part of this run (same path and guard, or a committed effect that must
 * not be made again), or in another run whose results may be used. What is found ends the call without an attempt.
 */

import { type CallFailure, failure } from "./failure.js";
import type { Account } from "./ledger.js";
import type { CallSite, Run, Step } from "./machine.js";
import { type PastCall, pastOf } from "./past.js";
import type { StoredRun } from "./store.js";

export type Found =
  | { readonly kind: "value"; readonly value: unknown; readonly told: boolean; readonly order: number }
  | { readonly kind: "failure"; readonly failure: CallFailure }
  /** An effect that may have happened: only a person can say. */
  | { readonly kind: "unknown" };

/** Results of another run for calls at the same place with the same definition and inputs: pure ones only. */
export function reusing(stored: StoredRun): NonNullable<Run["known"]> {
  const { calls } = pastOf(stored.events, stored.results, stored.start.startedAt);
  return (path, guard, callee) => {
    const found = callee.effect === "none" ? calls.get(path) : undefined;
    return found?.guard === guard && found.outcome.kind === "value" ? { guard, value: found.outcome.value } : undefined;
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
  if (effect && run.past?.unknown.has(path) === true && site.idempotent === undefined) return { kind: "unknown" };
  const known = run.known?.(path, guard, callee);
  if (known === undefined) return undefined;
  if (known.failed !== undefined) return { kind: "failure", failure: failureOf(step, known.failed) };
  return { kind: "value", value: known.value, told: false, order: 0 };
}

function outcomeOf(step: Step, { outcome, order }: PastCall): Found {
  if (outcome.kind === "value") return { kind: "value", value: outcome.value, told: true, order };
  return { kind: "failure", failure: failureOf(step, outcome.failure) };
}

/** A failure as it was told before, with the budget that refused it. */
export function failureOf(step: Step, told: Extract<PastCall["outcome"], { kind: "failure" }>["failure"]): CallFailure {
  const { kind, message, call, attempts, committed } = told;
  let refusing: Account | undefined;
  for (let at: Account | undefined = step.context.account; at !== undefined; at = at.parent) if (at.path === told.account) refusing = at;
  return failure(kind, message, { path: call, attempts, committed, ...(refusing === undefined ? {} : { account: refusing }) });
}

function changed(name: string, path: string): CallFailure {
  return failure(
    "denied",
    `${name} was carried out already, with other inputs or another definition: resume with \`--keep ${path}\` to go on with what it gave, or with \`--again ${path}\` to carry it out again`,
    { path },
  );
}
