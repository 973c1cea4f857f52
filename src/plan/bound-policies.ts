/**
 * What policies make of the bound of an attempt, from the innermost to the outermost: a hedge counts twice, a retry for
 * each attempt, fallbacks and what undoes a call are added, a budget caps what is inside it.
 */
import type { Span } from "../source/source.js";
import { type Count, isNumber, plus, symbol, tighter, times, valueAt } from "./bound-algebra.js";
import { addNumbers, type Bound, type Caps, capped, multiply, perhaps } from "./bound-amounts.js";
import { type Scope, shapeOf } from "./bound-expressions.js";
import { rangeOf } from "./bound-sizes.js";
import { amountText } from "./bound-text.js";
import type { Args, BudgetPolicy, Evaluated, Part, Place } from "./bound-world.js";
import type { CalleeRef, ExprIR, Graph, Policies } from "./ir.js";
import { declarationOf, isBare } from "./walk.js";

/** Policies with the scope that their expressions see. */
export interface PolicySource {
  readonly policies: Policies;
  readonly scope: Scope;
}

/** The policy that holds: that of the place before that of the declaration. */
export function policyOf<K extends keyof Policies>(
  sources: readonly PolicySource[],
  key: K,
): { readonly policy: NonNullable<Policies[K]>; readonly scope: Scope } | undefined {
  for (const { policies, scope } of sources) {
    const policy = policies[key];
    if (policy !== undefined) return { policy: policy as NonNullable<Policies[K]>, scope };
  }
  return undefined;
}

/** The largest value of a number. */
export function mostOf(expr: ExprIR, scope: Scope): Count {
  const { max } = rangeOf(shapeOf(expr, scope));
  return isNumber(max) ? Math.max(0, max) : max;
}

export interface Policed {
  readonly bound: Bound;
  readonly parts: readonly Part[];
  readonly notes: readonly string[];
  /** How often the parts of an attempt are paid. */
  readonly attempts: Count;
  /** What `@reserve` adds to what is kept back, in nano-dollars. */
  readonly extra: number;
}

/** What is put around: how it is called in messages, and for a call its arguments by name. */
export interface Subject {
  readonly name: string;
  readonly span: Span;
  readonly args?: Args;
}

/** The bound of an attempt under its policies. */
export function underPolicies(one: Evaluated, sources: readonly PolicySource[], place: Place, subject: Subject): Policed {
  if (sources.every(({ policies }) => isBare(policies))) return { bound: one.bound, parts: one.parts, notes: [], attempts: 1, extra: 0 };
  const { world } = place;
  let { bound } = one;
  const parts = [...one.parts];
  const notes: string[] = [];
  let attempts: Count = 1;
  const timeout = policyOf(sources, "timeout");
  if (timeout !== undefined)
    bound = { ...bound, time: { ...bound.time, most: tighter(mostOf(timeout.policy.after, timeout.scope), bound.time.most) } };
  const hedge = policyOf(sources, "hedge");
  if (hedge !== undefined) {
    const most = plus(bound.time.most, mostOf(hedge.policy.after, hedge.scope));
    bound = { ...bound, most: multiply(bound.most, 2), time: { ...bound.time, most } };
    attempts = 2;
    notes.push("twice with its hedge");
  }
  const retry = policyOf(sources, "retry");
  if (retry !== undefined) {
    const { policy, scope } = retry;
    const further = mostOf(policy.times, scope);
    const tries = plus(further, 1);
    const waits = backoff(further, mostOf(policy.backoff, scope), mostOf(policy.factor, scope), mostOf(policy.max, scope));
    bound = { ...bound, most: multiply(bound.most, tries), time: { ...bound.time, most: plus(times(bound.time.most, tries), waits) } };
    attempts = times(attempts, tries);
    if (tries !== 1) notes.push(`${amountText(tries)} attempts`);
  }
  const further = (ref: CalleeRef, args: Args, often: Count, note: string): void => {
    const made = world.call(ref, args, {}, place, subject.span);
    const most = multiply(made.bound.most, often);
    const all: Bound = { ...made.bound, most, time: { ...made.bound.time, most: times(made.bound.time.most, often) } };
    bound = perhaps(bound, all);
    parts.push({ ...made.part, bound: all, times: times(made.part.times, often), notes: [note, ...made.part.notes] });
  };
  for (const ref of policyOf(sources, "fallback")?.policy ?? [])
    further(ref, byPosition(world.graph, ref, [...(subject.args?.values() ?? [])]), 1, "a fallback");
  const budget = policyOf(sources, "budget");
  if (budget !== undefined) {
    const caps = capsOf(budget.policy, budget.scope);
    const known = world.budgets.get(budget.policy);
    // A declaration may be called with less than it allows; the largest case is told.
    if (known === undefined || !exceeds(known.inside, bound))
      world.budgets.set(budget.policy, { name: subject.name, span: subject.span, caps, inside: bound, parts: [...parts] });
    bound = capped(bound, caps);
    notes.push("under a budget");
  }
  const compensate = policyOf(sources, "compensate");
  if (compensate !== undefined) {
    const { callee } = compensate.policy;
    const undo = world.call(callee, byPosition(world.graph, callee, [one.shape]), {}, place, subject.span).bound.keep;
    further(callee, byPosition(world.graph, callee, [one.shape]), 1, "if it must be undone");
    // What undoes a call is kept back from when it starts.
    bound = { ...bound, keep: addNumbers(bound.keep, undo) };
  }
  const resolve = policyOf(sources, "isolate")?.policy.resolve;
  if (resolve !== undefined) further(resolve, new Map(), symbol(`${place.prefix}conflicts`), "for each conflict");
  let extra = 0;
  const reserve = policyOf(sources, "reserve");
  if (reserve !== undefined) {
    const wanted = valueAt(mostOf(reserve.policy.cost, reserve.scope), () => undefined) * 1e9;
    // No more than it can use, so that what is kept back is never more than what may be spent.
    extra = Math.floor(Math.max(0, Math.min(wanted, valueAt(bound.most.cost, () => undefined) - bound.keep.cost)));
    bound = { ...bound, keep: { ...bound.keep, cost: bound.keep.cost + extra } };
    notes.push("with a reserve");
  }
  return { bound, parts, notes, attempts, extra };
}

function exceeds(a: Bound, b: Bound): boolean {
  if (!isNumber(a.most.cost)) return true;
  return isNumber(b.most.cost) && a.most.cost > b.most.cost;
}

/** Arguments by position, under the names of the callable that gets them. */
export function byPosition(graph: Graph, ref: CalleeRef, given: readonly (ReturnType<typeof shapeOf> | undefined)[]): Args {
  if (ref.kind === "channel") return new Map();
  return new Map(
    declarationOf(graph, ref).params.flatMap((param, i) => {
      const shape = given[i];
      return shape === undefined ? [] : [[param.name, shape] as const];
    }),
  );
}

/** The waits between attempts. */
function backoff(further: Count, first: Count, factor: Count, most: Count): Count {
  if (!isNumber(further) || !isNumber(first) || !isNumber(factor) || !isNumber(most)) return Number.POSITIVE_INFINITY;
  let total = 0;
  for (let i = 0; i < further; i++) {
    const wait = Math.min(most, first * factor ** i);
    // From here on every wait is the longest, or as long as the first.
    if (wait === most || factor === 1) return total + (further - i) * wait;
    total += wait;
  }
  return total;
}

/** The caps of a budget, at their largest. */
export function capsOf(budget: BudgetPolicy, scope: Scope): Caps {
  const cap = <K extends keyof Caps>(key: K, unit: number): Partial<Record<K, number>> => {
    const expr = budget[key];
    const most = expr === undefined ? Number.POSITIVE_INFINITY : mostOf(expr, scope);
    return isNumber(most) && Number.isFinite(most) ? ({ [key]: Math.floor(most * unit + 1e-6) } as Record<K, number>) : {};
  };
  return { ...cap("cost", 1e9), ...cap("tokens", 1), ...cap("calls", 1), ...cap("time", 1) };
}
