/**
 * What a flow is expected to use: the same analysis as that of bounds, in which a call that earlier runs made counts as
 * it did on average, retries, repairs and tools included. What never ran counts with its bound. It is no limit, and
 * nothing is ever admitted by it.
 */
import type { Count } from "./bound-algebra.js";
import { isNumber, tighter } from "./bound-algebra.js";
import type { Amounts, Bound } from "./bound-amounts.js";
import type { Means } from "./bound-world.js";

/** What a call takes on average. */
export interface MeanUse {
  readonly attempts: number;
  readonly toolAttempts: number;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  readonly latencyMs: number;
}

export interface Expected {
  readonly most: Amounts;
  readonly time: Count;
  /** Callables that no earlier run has called: they count with their bounds. */
  readonly unknown: readonly string[];
  /** The earlier runs were simulated. */
  readonly simulated: boolean;
}

export function meanBound(mean: MeanUse): Bound {
  const amounts = {
    calls: mean.attempts,
    toolCalls: mean.toolAttempts,
    requests: mean.requests,
    inputTokens: mean.inputTokens,
    outputTokens: mean.outputTokens,
    cost: mean.costUsd * 1e9,
  };
  return { most: amounts, least: amounts, keep: amounts, time: { most: mean.latencyMs, least: mean.latencyMs } };
}

/** Never more than the bound. */
export function expectedOf(
  expected: Bound,
  { inside, bound }: { readonly inside: Bound; readonly bound: Bound },
  { unknown, met }: Means,
  simulated: boolean,
): Expected | undefined {
  if (met.size === 0) return undefined;
  const less = (name: keyof Amounts): Count => {
    const mean = tighter(expected.most[name], inside.most[name]);
    // A number is cut to the budget; a formula says more than the budget does.
    return isNumber(mean) ? tighter(mean, bound.most[name]) : mean;
  };
  return {
    most: {
      calls: less("calls"),
      toolCalls: less("toolCalls"),
      requests: less("requests"),
      inputTokens: less("inputTokens"),
      outputTokens: less("outputTokens"),
      cost: less("cost"),
    },
    time: tighter(expected.time.most, inside.time.most),
    unknown: [...unknown],
    simulated,
  };
}
