/**
 * The policies of a call or region as one pipeline of functions around an attempt, in the fixed order of the language,
 * outermost first: cache, lock, approve, reserve, undo, budget, fallback, retry, isolate, breaker, rate, hedge, admission, timeout. A policy at a call
 * replaces the same one of the declaration; declared ones are read over the parameters, the others where they stand.
 */
import type { ExprIR, Policies } from "../plan/ir.js";
import { withApproval } from "./ask.js";
import { withBreaker } from "./breaker.js";
import { withBudget, withParallel, withPriority, withReserve } from "./budget.js";
import { withCache } from "./cache.js";
import type { Wanted } from "./choose.js";
import { withAdmission } from "./entry.js";
import { withFallback } from "./fallback.js";
import type { Eval } from "./frame.js";
import { withHedge } from "./hedge.js";
import { withIsolation } from "./isolate.js";
import { withLock } from "./lock.js";
import type { Attempt, CallSite, CompiledCallable } from "./machine.js";
import { withUndo } from "./notes.js";
import { withRate } from "./rate.js";
import { type Read, withRetry } from "./retry.js";
import { paramsOf } from "./step.js";
import { withTimeout } from "./timeout.js";

export interface PolicySource {
  readonly policies: Policies;
  /** Compiles an expression of these policies. */
  readonly compile: (expr: ExprIR) => Eval;
  /** Whether they stand on the declaration, so that they see its parameters. */
  readonly declared: boolean;
}

const priorities = { low: 0, normal: 1, high: 2, urgent: 3 } as const;
export const normalPriority = priorities.normal;

function reading(source: PolicySource, expr: ExprIR): Read {
  if (expr.kind === "const") {
    const { value } = expr;
    return () => value;
  }
  const compiled = source.compile(expr);
  return source.declared ? (step) => compiled(paramsOf(step)) : (step) => compiled(step.frame);
}

function chosen<K extends keyof Policies>(
  sources: readonly PolicySource[],
  key: K,
): { readonly policy: NonNullable<Policies[K]>; readonly read: (expr: ExprIR) => Read } | undefined {
  for (const source of sources) {
    const policy = source.policies[key];
    if (policy !== undefined) return { policy: policy as NonNullable<Policies[K]>, read: (expr) => reading(source, expr) };
  }
  return undefined;
}

export type Subject = "tool" | "agent" | "flow" | "region" | "items";

/** Wraps an attempt; `sources` from the innermost (the call) to the declaration. */
export function pipeline(
  sources: readonly PolicySource[],
  subject: Subject,
  callable: (ref: { kind: CompiledCallable["ref"]["kind"]; id: string }) => CompiledCallable,
  perform: Attempt,
): Attempt {
  const leaf = subject === "tool" || subject === "agent";
  const of = <K extends keyof Policies>(key: K) => chosen(sources, key);
  let next = perform;
  const timeout = of("timeout");
  if (timeout !== undefined) next = withTimeout(timeout.read(timeout.policy.after), leaf, next);
  if (leaf) next = withAdmission(subject === "tool", next);
  const hedge = of("hedge");
  if (hedge !== undefined) next = withHedge(hedge.read(hedge.policy.after), next);
  const rate = of("rate");
  if (rate !== undefined) next = withRate(rate.policy.perSecond, next);
  const breaker = of("breaker");
  if (breaker !== undefined) {
    const { policy, read } = breaker;
    next = withBreaker({ failures: read(policy.failures), window: read(policy.window), cooldown: read(policy.cooldown) }, next);
  }
  const isolate = of("isolate");
  if (isolate !== undefined) {
    const { resolve } = isolate.policy;
    next = withIsolation(resolve === undefined ? undefined : () => callable(resolve), next);
  }
  const retry = of("retry");
  if (retry !== undefined) {
    const { policy, read } = retry;
    next = withRetry(
      {
        times: read(policy.times),
        backoff: read(policy.backoff),
        factor: read(policy.factor),
        max: read(policy.max),
        jitter: read(policy.jitter),
        on: policy.on === undefined ? undefined : read(policy.on),
      },
      next,
    );
  }
  const fallback = of("fallback");
  if (fallback !== undefined)
    next = withFallback(
      fallback.policy.map((ref) => () => callable(ref)),
      next,
    );
  const parallel = of("parallel");
  // A map, fork or vote counts its own items; elsewhere the calls inside are counted.
  if (parallel !== undefined && (subject === "flow" || subject === "region")) next = withParallel(parallel.read(parallel.policy.max), next);
  const priority = of("priority");
  if (priority !== undefined) next = withPriority(priorities[priority.policy], next);
  const budget = of("budget");
  if (budget !== undefined) {
    const { policy, read } = budget;
    const maybe = (expr: ExprIR | undefined): Read | undefined => (expr === undefined ? undefined : read(expr));
    next = withBudget(
      { cost: maybe(policy.cost), tokens: maybe(policy.tokens), calls: maybe(policy.calls), time: maybe(policy.time) },
      next,
    );
  }
  const compensate = of("compensate");
  if (compensate !== undefined) next = withUndo(() => callable(compensate.policy.callee), next);
  if (of("reserve") !== undefined) next = withReserve(next);
  const approve = of("approve");
  if (approve !== undefined) next = withApproval(approve.read(approve.policy.why), next);
  const lock = of("lock");
  if (lock !== undefined) next = withLock(lock.read(lock.policy.name), lock.policy.scope, next);
  const cache = of("cache");
  if (cache !== undefined) next = withCache(cache.read(cache.policy.ttl), next);
  return next;
}

/** What a call of a capability says about the choice. */
export function choiceReads(sources: readonly PolicySource[]): Wanted {
  const maxCost = chosen(sources, "maxCost");
  const maxLatency = chosen(sources, "maxLatency");
  return {
    maxCost: maxCost?.read(maxCost.policy.value),
    maxLatency: maxLatency?.read(maxLatency.policy.value),
    prefer: chosen(sources, "prefer")?.policy ?? [],
  };
}

/** The idempotency key, the declared cost and the undoing of a call site. */
export function siteReads(
  sources: readonly PolicySource[],
  callable: (ref: CompiledCallable["ref"]) => CompiledCallable,
): Pick<CallSite, "idempotent" | "cost" | "compensate"> {
  const idempotent = chosen(sources, "idempotent");
  const cost = chosen(sources, "cost");
  const compensate = chosen(sources, "compensate")?.policy;
  return {
    idempotent:
      idempotent === undefined ? undefined : idempotent.policy.key === undefined ? () => undefined : idempotent.read(idempotent.policy.key),
    cost: cost === undefined ? undefined : cost.read(cost.policy.value),
    compensate: compensate === undefined ? undefined : () => callable(compensate.callee),
  };
}
