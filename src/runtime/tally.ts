/**
 * What the calls of a run used and how they ended, added up by definition: what the store keeps of all runs, so that
 * later ones know what a call takes on average. An agent's figures hold what its tools used. Calls that were stopped or
 * refused by a budget or a person tell nothing about the callable.
 */
import type { AgentIR, ToolIR } from "../plan/ir.js";
import type { SpendReport } from "./events.js";
import type { CallFailure } from "./failure.js";
import type { Step } from "./machine.js";
import type { Scope } from "./scope.js";
import { rootOf } from "./step.js";
import type { SettledFigures } from "./store.js";

/** Sums over calls of one definition. */
export interface Tally {
  /** Hash of the definition. */
  readonly hash: string;
  /** Whether the answers were made up by the simulator. */
  readonly simulated: boolean;
  calls: number;
  succeeded: number;
  attempts: number;
  toolAttempts: number;
  requests: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
  latencyMs: number;
}

export type Figures = Pick<Tally, "attempts" | "toolAttempts" | "requests" | "inputTokens" | "outputTokens" | "costUsd">;

export interface Tallies {
  /** Counts a call that has ended. */
  readonly count: (step: Step, failed: CallFailure | undefined, elapsedMs: number) => void;
  readonly all: () => readonly Tally[];
}

const NOTHING: Figures = { attempts: 0, toolAttempts: 0, requests: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
/** Failures that are not the callable's. */
const foreign: ReadonlySet<string> = new Set(["cancelled", "budget_exceeded", "denied", "skipped"]);

/** Tallies of a run whose answers are made up or not. */
export function tallies(simulated: () => boolean): Tallies {
  /** By the callable, which is found sooner than its hash; those with the same definition are one in the store. */
  const byCallable = new Map<AgentIR | ToolIR, Tally>();
  /** What calls inside a call used, by the step of the outer one. */
  const inner = new WeakMap<Step, Figures>();
  return {
    count(step, failed, elapsedMs) {
      const ir = step.site?.callee.ir;
      if (ir === undefined || (ir.kind !== "agent" && ir.kind !== "tool")) return;
      forCallsAround(step, (outer) => {
        const sums = inner.get(outer);
        if (sums === undefined) inner.set(outer, addCall({ ...NOTHING }, step, ir.kind));
        else addCall(sums, step, ir.kind);
      });
      if (failed !== undefined && foreign.has(failed.kind)) return;
      let of = byCallable.get(ir);
      if (of === undefined) {
        of = { hash: ir.hash, simulated: simulated(), calls: 0, succeeded: 0, latencyMs: 0, ...NOTHING };
        byCallable.set(ir, of);
      }
      addCall(of, step, ir.kind);
      const more = inner.get(step);
      if (more !== undefined) addTo(of, more);
      of.calls++;
      if (failed === undefined) of.succeeded++;
      of.latencyMs += elapsedMs;
    },
    all: () => [...byCallable.values()].map((tally) => ({ ...tally })),
  };
}

/** Adds what a call used by itself. */
function addCall(sums: Figures, { attempts, bill }: Step, kind: "agent" | "tool"): Figures {
  sums.attempts += attempts;
  if (kind === "tool") sums.toolAttempts += attempts;
  if (bill !== undefined) {
    sums.requests += bill.requests;
    sums.inputTokens += bill.inputTokens;
    sums.outputTokens += bill.outputTokens;
    sums.costUsd += bill.cost / 1e9;
  }
  return sums;
}

function addTo(sums: Figures, own: Figures): void {
  sums.attempts += own.attempts;
  sums.toolAttempts += own.toolAttempts;
  sums.requests += own.requests;
  sums.inputTokens += own.inputTokens;
  sums.outputTokens += own.outputTokens;
  sums.costUsd += own.costUsd;
}

/** Calls of agents and tools that a step is part of: tools of an agent, fallbacks. */
function forCallsAround(step: Step, visit: (outer: Step) => void): void {
  let last = step;
  for (let at: Scope | undefined = step.parentScope; at !== undefined; at = at.parentScope) {
    if (!("site" in at)) continue;
    const outer = rootOf(at as Step);
    const kind = outer.site?.callee.ir.kind;
    // The attempts of a call stand one inside the other.
    if ((kind !== "agent" && kind !== "tool") || outer === last || outer === step) continue;
    last = outer;
    visit(outer);
  }
}

/** What a run used, with what it learned. */
export function settled({ costUsd, calls }: SpendReport, learned: Tallies | undefined): SettledFigures {
  return { costUsd, calls, learned: learned?.all() ?? [] };
}

/** Two tallies of one definition together. */
export function together(a: Tally, b: Tally): Tally {
  const sum = { ...a, calls: a.calls + b.calls, succeeded: a.succeeded + b.succeeded, latencyMs: a.latencyMs + b.latencyMs };
  addTo(sum, b);
  return sum;
}

/** What a call of a definition takes on average. */
export interface Mean extends Figures {
  readonly calls: number;
  readonly success: number;
  readonly latencyMs: number;
}

export function meanOf(tally: Tally): Mean {
  const { calls } = tally;
  const mean = (sum: number): number => (calls === 0 ? 0 : sum / calls);
  return {
    calls,
    success: mean(tally.succeeded),
    latencyMs: mean(tally.latencyMs),
    attempts: mean(tally.attempts),
    toolAttempts: mean(tally.toolAttempts),
    requests: mean(tally.requests),
    inputTokens: mean(tally.inputTokens),
    outputTokens: mean(tally.outputTokens),
    costUsd: mean(tally.costUsd),
  };
}
