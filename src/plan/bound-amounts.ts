/**
 * Amounts that a part of a flow can use: what it uses at most (`most`, symbolic), what it needs at least when every
 * text is as short as it may be (`least`), and what must be kept back for it (`keep`: the same calls, with texts as long
 * as they may be). Money is in nano-dollars, time in milliseconds.
 */
import { type Count, larger, plus, tighter, times } from "./bound-algebra.js";

/** What is counted. `calls` are attempts of agents and tools, tools among them; `requests` go to models. */
export interface Amounts<N = Count> {
  readonly calls: N;
  readonly toolCalls: N;
  readonly requests: N;
  readonly inputTokens: N;
  readonly outputTokens: N;
  readonly cost: N;
}

export type Quantity = keyof Amounts;
export const QUANTITIES: readonly Quantity[] = ["calls", "toolCalls", "requests", "inputTokens", "outputTokens", "cost"];

export interface Bound {
  readonly most: Amounts;
  readonly least: Amounts<number>;
  readonly keep: Amounts<number>;
  /** The longest chain of calls at most, and what declared latencies make of it at least. */
  readonly time: { readonly most: Count; readonly least: number };
}

export const NOTHING: Amounts<number> = { calls: 0, toolCalls: 0, requests: 0, inputTokens: 0, outputTokens: 0, cost: 0 };
export const NO_BOUND: Bound = { most: NOTHING, least: NOTHING, keep: NOTHING, time: { most: 0, least: 0 } };

function zip(a: Amounts, b: Amounts, of: (x: Count, y: Count) => Count): Amounts {
  return {
    calls: of(a.calls, b.calls),
    toolCalls: of(a.toolCalls, b.toolCalls),
    requests: of(a.requests, b.requests),
    inputTokens: of(a.inputTokens, b.inputTokens),
    outputTokens: of(a.outputTokens, b.outputTokens),
    cost: of(a.cost, b.cost),
  };
}

function zipNumbers(a: Amounts<number>, b: Amounts<number>, of: (x: number, y: number) => number): Amounts<number> {
  return {
    calls: of(a.calls, b.calls),
    toolCalls: of(a.toolCalls, b.toolCalls),
    requests: of(a.requests, b.requests),
    inputTokens: of(a.inputTokens, b.inputTokens),
    outputTokens: of(a.outputTokens, b.outputTokens),
    cost: of(a.cost, b.cost),
  };
}

export const add = (a: Amounts, b: Amounts): Amounts => (a === NOTHING ? b : b === NOTHING ? a : zip(a, b, plus));
export const addNumbers = (a: Amounts<number>, b: Amounts<number>): Amounts<number> =>
  a === NOTHING ? b : b === NOTHING ? a : zipNumbers(a, b, (x, y) => x + y);
export const multiply = (a: Amounts, by: Count): Amounts =>
  by === 1 || a === NOTHING ? a : by === 0 ? NOTHING : zip(a, a, (x) => times(x, by));
/** Nothing times anything is nothing. */
export const multiplyNumbers = (a: Amounts<number>, by: number): Amounts<number> =>
  by === 1 || a === NOTHING ? a : by === 0 ? NOTHING : zipNumbers(a, a, (x) => (x === 0 ? 0 : x * by));

const least = (a: Amounts<number>, b: Amounts<number>): Amounts<number> => (a === b ? a : zipNumbers(a, b, Math.min));

/** Both happen; one after the other where `parallel` is not said. */
export function both(a: Bound, b: Bound, parallel = false): Bound {
  if (a === NO_BOUND) return b;
  if (b === NO_BOUND) return a;
  return {
    most: add(a.most, b.most),
    least: addNumbers(a.least, b.least),
    keep: addNumbers(a.keep, b.keep),
    time: parallel
      ? { most: larger(a.time.most, b.time.most), least: Math.max(a.time.least, b.time.least) }
      : { most: plus(a.time.most, b.time.most), least: a.time.least + b.time.least },
  };
}

/** One of them happens, of which the dearest must be paid at most and the cheapest at least. */
export function oneOfBounds(all: readonly Bound[]): Bound {
  const [first, ...rest] = all;
  if (first === undefined) return NO_BOUND;
  return rest.reduce<Bound>(
    (out, each) => ({
      most: zip(out.most, each.most, larger),
      least: least(out.least, each.least),
      keep: cheaper(out.keep, each.keep),
      time: { most: larger(out.time.most, each.time.most), least: Math.min(out.time.least, each.time.least) },
    }),
    first,
  );
}

/** What is kept back is enough for one as a whole, the cheaper: the least of each quantity might be enough for none. */
function cheaper(a: Amounts<number>, b: Amounts<number>): Amounts<number> {
  const tokens = (of: Amounts<number>): number => of.inputTokens + of.outputTokens;
  const before = a.cost - b.cost || tokens(a) - tokens(b) || a.calls - b.calls;
  return before > 0 ? b : a;
}

/** It may happen besides what must: only its most counts. */
export function perhaps(main: Bound, other: Bound): Bound {
  return {
    ...main,
    most: add(main.most, other.most),
    time: { most: plus(main.time.most, other.time.most), least: main.time.least },
  };
}

/** No more than these caps is ever used, so no more is kept back; what must be used is not changed. */
export function capped(of: Bound, caps: Caps): Bound {
  const { most } = of;
  const { cost, tokens, calls, time } = caps;
  const cut = (count: Count, cap: number | undefined): Count => (cap === undefined ? count : tighter(count, cap));
  return {
    ...of,
    most: {
      ...most,
      cost: cut(most.cost, cost),
      inputTokens: cut(most.inputTokens, tokens),
      outputTokens: cut(most.outputTokens, tokens),
      calls: cut(most.calls, calls),
      toolCalls: cut(most.toolCalls, calls),
    },
    keep: keptWithin(of.keep, caps),
    time: { most: cut(of.time.most, time), least: of.time.least },
  };
}

function keptWithin(
  keep: Amounts<number>,
  { cost = Number.POSITIVE_INFINITY, tokens, calls = Number.POSITIVE_INFINITY }: Caps,
): Amounts<number> {
  const outputTokens = Math.min(keep.outputTokens, tokens ?? keep.outputTokens);
  return {
    ...keep,
    cost: Math.min(keep.cost, cost),
    calls: Math.min(keep.calls, calls),
    toolCalls: Math.min(keep.toolCalls, calls),
    inputTokens: tokens === undefined ? keep.inputTokens : Math.min(keep.inputTokens, tokens - outputTokens),
    outputTokens,
  };
}

/** The caps of a `@budget`, in nano-dollars, tokens, calls and milliseconds. */
export interface Caps {
  readonly cost?: number;
  readonly tokens?: number;
  readonly calls?: number;
  readonly time?: number;
}
