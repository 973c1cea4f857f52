/**
 * What the runs of an evaluation show about the program: which call fails, is tried again, is repaired, dominates cost or
 * time, or always gives the same. Each recommendation names the call, the figure it rests on, and what to try.
 */
import type { RunEvent } from "../events.js";
import { canonical, contentHash } from "../hash.js";
import type { Row } from "./results.js";

/** What the calls of one agent or tool came to in one run. */
export interface CalleeStats {
  readonly of: "agent" | "tool";
  readonly calls: number;
  readonly failed: Readonly<Record<string, number>>;
  /** Attempts beyond the first. */
  readonly again: number;
  /** Calls with an answer that went back to the model. */
  readonly repaired: number;
  readonly usd: number;
  /** Milliseconds of the run during which only this call, of those that end later, was waited for. */
  readonly pathMs: number;
  /** Hashes of inputs and what they gave; of calls that have no effect. */
  readonly gave: readonly (readonly [string, string])[];
}

/** Calls of one callee in one run whose inputs and results are compared. */
const COMPARED = 100;

type Open = { -readonly [K in keyof CalleeStats]: CalleeStats[K] } & { failed: Record<string, number>; gave: [string, string][] };

/** Reads the figures off the events of a run; `pure` says which callees have no effect. */
export function callStats(events: readonly RunEvent[], pure: (callee: string) => boolean): Readonly<Record<string, CalleeStats>> {
  const stats: Record<string, Open> = {};
  const started = new Map<string, { readonly at: number; readonly args: unknown }>();
  const rejected = new Set<string>();
  const spans: { readonly callee: string; readonly from: number; readonly to: number }[] = [];
  for (const event of events) {
    if (event.kind === "call.started") started.set(event.path, { at: event.at, args: event.args });
    if (event.kind === "answer.rejected") rejected.add(event.path);
    if (event.kind !== "call.completed" && event.kind !== "call.failed") continue;
    if (event.of !== "agent" && event.of !== "tool") continue;
    stats[event.callee] ??= { of: event.of, calls: 0, failed: {}, again: 0, repaired: 0, usd: 0, pathMs: 0, gave: [] };
    const of = stats[event.callee];
    if (of === undefined) continue;
    of.calls++;
    of.again += Math.max(0, event.attempts - 1);
    of.usd += event.bill?.costUsd ?? 0;
    if (rejected.has(event.path)) of.repaired++;
    const start = started.get(event.path);
    if (event.kind === "call.failed") of.failed[event.failure.kind] = (of.failed[event.failure.kind] ?? 0) + 1;
    else if (start !== undefined && pure(event.callee) && of.gave.length < COMPARED)
      of.gave.push([contentHash(canonical(start.args)), contentHash(canonical(event.value))]);
    if (start !== undefined) spans.push({ callee: event.callee, from: start.at, to: event.at });
  }
  for (const { callee, ms } of criticalPath(spans)) {
    const of = stats[callee];
    if (of !== undefined) of.pathMs += ms;
  }
  return stats;
}

/** From the end backwards: the call that ended last, then the one that ended last before it began, and so on. */
function criticalPath(spans: readonly { readonly callee: string; readonly from: number; readonly to: number }[]) {
  const byEnd = [...spans].sort((a, b) => b.to - a.to || a.from - b.from);
  const out: { callee: string; ms: number }[] = [];
  let until = Number.POSITIVE_INFINITY;
  for (const { callee, from, to } of byEnd) {
    if (to > until) continue;
    out.push({ callee, ms: to - from });
    until = from;
  }
  return out;
}

export interface Recommendation {
  readonly callee: string;
  readonly about: "failures" | "retries" | "repairs" | "cost" | "time" | "cache" | "unstable";
  readonly text: string;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const times = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

/** What to look at, the weightiest first. */
export function recommend(rows: readonly Row[], unstable: readonly string[]): readonly Recommendation[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.calls)))].sort();
  const all = names.map((name) => total(name, rows));
  const usd = all.reduce((sum, each) => sum + each.usd, 0);
  const ms = all.reduce((sum, each) => sum + each.pathMs, 0);
  const out: Recommendation[] = [];
  for (const { name, of, calls, failed, again, repaired } of all) {
    const failures = Object.entries(failed).sort(([, a], [, b]) => b - a);
    const [most] = failures;
    const count = failures.reduce((sum, [, n]) => sum + n, 0);
    if (most !== undefined && count / calls >= 0.02)
      out.push({
        callee: name,
        about: "failures",
        text: `${name} failed in ${count} of ${times(calls, "call")}, most often with ${most[0]}: ${mendOf(most[0])}.`,
      });
    if (again / calls >= 0.1)
      out.push({
        callee: name,
        about: "retries",
        text: `${name} needed ${times(again, "further attempt")} for ${times(calls, "call")}: fewer calls at once (@parallel, @rate) or a fallback model cost less than trying again.`,
      });
    if (of === "agent" && repaired / calls >= 0.1)
      out.push({
        callee: name,
        about: "repairs",
        text: `In ${repaired} of ${times(calls, "call")} of ${name} an answer did not fit its type and went back to the model: an example, a description of the fields, or a looser type saves those turns.`,
      });
  }
  const repeats = all.map((each) => ({ each, ...sameAgain(each.name, rows) })).filter(({ repeated, same }) => same && repeated >= 3);
  for (const { each, repeated, inputs } of repeats)
    if (repeated / each.calls >= 0.3)
      out.push({
        callee: each.name,
        about: "cache",
        text: `${each.name} was called ${repeated + inputs} times with ${times(inputs, "different input")} and always gave the same for the same: @cache would have saved ${times(repeated, "call")}${each.usd > 0 ? ` (about $${((each.usd * repeated) / each.calls).toFixed(4)})` : ""}.`,
      });
  const [dearest] = [...all].sort((a, b) => b.usd - a.usd);
  if (dearest !== undefined && usd > 0 && all.length > 1 && dearest.usd / usd >= 0.6)
    out.push({
      callee: dearest.name,
      about: "cost",
      text: `${dearest.name} makes up ${percent(dearest.usd / usd)} of the cost: a cheaper model, a shorter prompt or fewer calls of it count most; try with --model.`,
    });
  const [slowest] = [...all].sort((a, b) => b.pathMs - a.pathMs);
  if (slowest !== undefined && ms > 0 && all.length > 1 && slowest.pathMs / ms >= 0.6)
    out.push({
      callee: slowest.name,
      about: "time",
      text: `${slowest.name} makes up ${percent(slowest.pathMs / ms)} of what a run waits for: a faster model, or work that need not wait for it, shortens runs most.`,
    });
  if (unstable.length > 0)
    out.push({
      callee: "",
      about: "unstable",
      text: `${times(unstable.length, "case")} passed in some runs and not in others (${unstable.slice(0, 3).join(", ")}${unstable.length > 3 ? ", …" : ""}): a vote, a lower temperature or a clearer prompt makes the answer steady.`,
    });
  return out;
}

function mendOf(kind: string): string {
  switch (kind) {
    case "timeout":
      return "a longer @timeout, a faster model, or less to do in one call";
    case "rate_limit":
    case "overloaded":
    case "unavailable":
      return "@retry, a fallback model, or fewer calls at once";
    case "invalid_output":
      return "a type that is easier to answer, examples, or more repairs";
    case "context_too_long":
      return "less input, or a model with more context";
    case "refused":
      return "another prompt or model";
    case "budget_exceeded":
      return "a larger @budget, or less work";
    default:
      return "its failures should be handled with try, or its cause mended";
  }
}

interface Total extends Omit<CalleeStats, "gave"> {
  readonly name: string;
}

function total(name: string, rows: readonly Row[]): Total {
  const made = {
    name,
    of: "tool" as CalleeStats["of"],
    calls: 0,
    failed: {} as Record<string, number>,
    again: 0,
    repaired: 0,
    usd: 0,
    pathMs: 0,
  };
  for (const { calls } of rows) {
    const each = calls[name];
    if (each === undefined) continue;
    made.of = each.of;
    made.calls += each.calls;
    made.again += each.again;
    made.repaired += each.repaired;
    made.usd += each.usd;
    made.pathMs += each.pathMs;
    for (const [kind, n] of Object.entries(each.failed)) made.failed[kind] = (made.failed[kind] ?? 0) + n;
  }
  return made;
}

/** Whether equal inputs always gave equal results, and how many calls asked again for what was known. */
function sameAgain(name: string, rows: readonly Row[]): { readonly same: boolean; readonly repeated: number; readonly inputs: number } {
  const results = new Map<string, string>();
  let [same, calls] = [true, 0];
  for (const { calls: of } of rows)
    for (const [input, value] of of[name]?.gave ?? []) {
      calls++;
      if ((results.get(input) ?? value) !== value) same = false;
      results.set(input, value);
    }
  return { same, repeated: calls - results.size, inputs: results.size };
}
