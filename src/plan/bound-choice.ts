/**
 * The implementations of a capability as a choice sees them: what one attempt of each can cost, how long it may take, how
 * good it is. The order of a choice is here once, for the bounds and for the run: the preferred, then the best, then the
 * cheapest, then the fastest; what earlier runs tell decides only between equals.
 */
import type { Span } from "../source/source.js";
import { isNumber } from "./bound-algebra.js";
import { type Amounts, type Bound, oneOfBounds } from "./bound-amounts.js";
import { shapeOf } from "./bound-expressions.js";
import { paramScope, paramShapes } from "./bound-params.js";
import { byPosition, mostOf, type PolicySource, policyOf } from "./bound-policies.js";
import { listOf, rangeOf, type Shape, shapeOfType } from "./bound-sizes.js";
import { dollarText, timeText } from "./bound-text.js";
import type { Args, Called, Evaluated, Place } from "./bound-world.js";
import type { CalleeRef, CapabilityIR, ExprIR, Graph, Policies } from "./ir.js";
import { declarationOf } from "./walk.js";

/** How good an implementation is that does not say. */
const QUALITY = 0.5;

/** What one attempt uses: nano-dollars, tokens, calls; `Infinity` where nothing limits it. */
export interface Uses {
  readonly cost: number;
  readonly tokens: number;
  readonly calls: number;
}

/** An implementation as it is compared with the others. */
export interface Offer {
  readonly ref: CalleeRef;
  readonly name: string;
  /** Place among the preferred; `Infinity` for one that is not. */
  readonly preference: number;
  readonly quality: number;
  /** Milliseconds of an attempt: declared, else its time limit, else `Infinity`. */
  readonly latency: number;
  /** One attempt in which nothing goes wrong at most, and what has to be paid to begin it; worked out when they are first asked for. */
  readonly attempt: () => Uses;
  readonly keep: () => Uses;
}

/** What earlier runs tell about an implementation. */
export interface Experience {
  /** Share of calls that succeeded. */
  readonly success: number;
  /** Means of a call: US dollars, milliseconds. */
  readonly costUsd: number;
  readonly latencyMs: number;
}

/** Implementations from the first choice to the last; of equals the one that did better before, else the first in the source. */
export function inOrder<O extends Offer>(offers: readonly O[], known?: (offer: O) => Experience | undefined): readonly O[] {
  return [...offers].sort(
    (a, b) =>
      compare(a.preference, b.preference) ||
      compare(b.quality, a.quality) ||
      compare(a.attempt().cost, b.attempt().cost) ||
      compare(a.latency, b.latency) ||
      experienced(known?.(a), known?.(b)),
  );
}

/** Infinite figures are equal. */
export const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

/** Where only one of them is known, that tells nothing. */
function experienced(a: Experience | undefined, b: Experience | undefined): number {
  if (a === undefined || b === undefined) return 0;
  return compare(b.success, a.success) || compare(a.costUsd, b.costUsd) || compare(a.latencyMs, b.latencyMs);
}

/** The implementations of a capability for arguments of these shapes, in the order of the source. */
export function offersOf(
  capability: CapabilityIR,
  args: () => Args,
  prefer: readonly string[],
  place: Place,
  span: Span,
): readonly Offer[] {
  const { graph } = place.world;
  return capability.implementations.flatMap((ref): readonly Offer[] => {
    if (ref.kind === "channel") return [];
    const { name, params, policies } = declarationOf(graph, ref);
    const given = once(() =>
      byPosition(
        graph,
        ref,
        capability.params.map((param) => args().get(param.name)),
      ),
    );
    const figure = (expr: ExprIR | undefined, otherwise: number): number => {
      if (expr === undefined) return otherwise;
      if (expr.kind === "const" && typeof expr.value === "number") return expr.value;
      const { types } = place.scope;
      const { min } = rangeOf(shapeOf(expr, paramScope(params, paramShapes(params, given(), place.scope), types)));
      return Number.isFinite(min) ? min : 0;
    };
    const bound = once(() => place.world.attempt(ref, given(), place, span));
    return [
      {
        ref,
        name,
        preference: preferenceOf(ref, graph, prefer),
        quality: figure(policies.quality?.value, QUALITY),
        latency: figure(policies.latency?.value ?? policies.timeout?.after, Number.POSITIVE_INFINITY),
        attempt: once(() => mostUsed(bound())),
        keep: once(() => used(bound().keep)),
      },
    ];
  });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const used = ({ cost, inputTokens, outputTokens, calls }: Amounts<number>): Uses => ({ cost, tokens: inputTokens + outputTokens, calls });

function mostUsed({ most }: Bound): Uses {
  const number = (count: Amounts["cost"]): number => (isNumber(count) ? count : Number.POSITIVE_INFINITY);
  return { cost: number(most.cost), tokens: number(most.inputTokens) + number(most.outputTokens), calls: number(most.calls) };
}

/** An implementation is preferred by its name, or by that of a model that answers it. */
export function preferenceOf(ref: CalleeRef, graph: Graph, prefer: readonly string[]): number {
  const model = ref.kind === "agent" ? graph.agents[ref.id]?.model : undefined;
  const at = prefer.findIndex((id) => id === ref.id || (model !== undefined && answers(model, id, graph)));
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

function answers(model: string, wanted: string, graph: Graph): boolean {
  if (model === wanted) return true;
  const found = graph.models[model];
  return [...(found?.fallback ?? []), ...(found?.balance ?? [])].some((other) => answers(other, wanted, graph));
}

/** The limits of a choice: nano-dollars and milliseconds of one attempt. */
export interface Limits {
  readonly cost: number;
  readonly latency: number;
}

/** Why an implementation is outside of the limits; undefined where it is within. */
export function misfitOf(
  offer: Pick<Offer, "name" | "latency">,
  cost: () => number,
  limits: Limits,
  costs: (amount: string) => string,
): string | undefined {
  if (offer.latency > limits.latency)
    return `\`${offer.name}\` may take ${timeText(offer.latency) ?? "any time: it has neither `@latency` nor `@timeout`"}, ${timeText(limits.latency) ?? ""} are allowed`;
  if (limits.cost === Number.POSITIVE_INFINITY || cost() <= limits.cost) return undefined;
  const amount = Number.isFinite(cost()) ? dollarText(cost()) : "any amount";
  return `\`${offer.name}\` ${costs(amount)}, ${dollarText(limits.cost)} are allowed`;
}

/** A capability: the candidates that could be chosen under the limits of the call, each within what an attempt may cost. */
export function choice(
  capability: CapabilityIR,
  params: Args,
  sources: readonly PolicySource[],
  place: Place,
  span: Span,
): Evaluated & { readonly notes: readonly string[] } {
  const { world } = place;
  const { limits, prefer, all } = candidatesOf(capability, params, sources, place, span);
  const fitting = all.filter((each) => each.misfit === undefined);
  const site = `${span.file} ${span.start}`;
  if (fitting.length === 0) world.unfit.set(site, { capability: capability.name, span, reasons: all.flatMap((each) => each.misfit ?? []) });
  else if (prefer.length > 0 && fitting.every((each) => each.offer.preference === Number.POSITIVE_INFINITY))
    world.unpreferred.set(site, { capability: capability.name, span, candidates: all.map((each) => each.offer.name) });
  const given = capability.params.map((param) => params.get(param.name));
  const order = inOrder((fitting.length > 0 ? fitting : all).map((each) => each.offer));
  // What is expected is the first choice; what is possible is any of them.
  const called = (world.means === undefined ? order : order.slice(0, 1)).map(
    // What an agent may cost is compared without its repairs, so they are not capped.
    ({ ref }): Called =>
      world.call(ref, byPosition(world.graph, ref, given), {}, place, span, ref.kind === "agent" ? Number.POSITIVE_INFINITY : limits.cost),
  );
  return {
    bound: oneOfBounds(called.map((made) => made.bound)),
    shape: shapeOfType(capability.result, world.graph.types),
    parts: called.map((made) => made.part),
    notes: called.length > 1 ? ["one of these, the first that fits"] : [],
  };
}

interface Candidates {
  readonly limits: Limits;
  readonly prefer: readonly string[];
  readonly all: readonly { readonly offer: Offer; readonly misfit: string | undefined }[];
}

function candidatesOf(capability: CapabilityIR, params: Args, sources: readonly PolicySource[], place: Place, span: Span): Candidates {
  const limits: Limits = { cost: limitOf(sources, "maxCost", 1e9), latency: limitOf(sources, "maxLatency", 1) };
  const prefer = policyOf(sources, "prefer")?.policy ?? [];
  const offers = offersOf(capability, () => params, prefer, place, span);
  return { limits, prefer, all: offers.map((offer) => ({ offer, misfit: neverFits(offer, capability, params, limits, place, span) })) };
}

/** The implementations that a call with these policies may choose, whatever its arguments, the first choice first. */
export function possibleOf(capability: CapabilityIR, own: Policies, place: Place): readonly Offer[] {
  const params = paramShapes(capability.params, new Map(), place.scope);
  const inner = paramScope(capability.params, params, place.scope.types);
  const sources: readonly PolicySource[] = [
    { policies: own, scope: place.scope },
    { policies: capability.policies, scope: inner },
  ];
  const { all } = candidatesOf(capability, params, sources, place, capability.span);
  return inOrder(all.filter((each) => each.misfit === undefined).map((each) => each.offer));
}

function limitOf(sources: readonly PolicySource[], key: "maxCost" | "maxLatency", unit: number): number {
  const found = policyOf(sources, key);
  const most = found === undefined ? Number.POSITIVE_INFINITY : mostOf(found.policy.value, found.scope);
  return isNumber(most) && Number.isFinite(most) ? Math.floor(most * unit + 1e-6) : Number.POSITIVE_INFINITY;
}

/** Why no call can choose it, however short its arguments are. */
function neverFits(offer: Offer, capability: CapabilityIR, params: Args, limits: Limits, place: Place, span: Span): string | undefined {
  const { ref } = offer;
  const cost = once((): number => {
    const { graph } = place.world;
    const shortest = capability.params.map((param) => smallest(params.get(param.name)));
    const bound = place.world.attempt(ref, byPosition(graph, ref, shortest), place, span);
    // What an agent may use grows with its texts; with a flow it may be otherwise.
    return ref.kind === "agent" ? Math.max(bound.least.cost, mostUsed(bound).cost) : bound.least.cost;
  });
  return misfitOf(offer, cost, limits, (amount) =>
    ref.kind === "agent" ? `may cost ${amount} even for the shortest text` : `costs at least ${amount}`,
  );
}

/** The values of a shape that are least to write out. */
function smallest(shape: Shape | undefined): Shape {
  switch (shape?.kind) {
    case "text":
      return { ...shape, bytes: shape.least, json: shape.least };
    case "number":
      return { kind: "number", min: 0, max: 0 };
    case "list":
      return listOf(smallest(shape.of), shape.min, shape.min);
    case "map":
      return { ...shape, of: smallest(shape.of), key: smallest(shape.key), max: 0 };
    case "record":
      return { kind: "record", fields: new Map([...shape.fields].map(([name, of]) => [name, smallest(of)])) };
    case "either":
      return { kind: "either", of: shape.of.slice(0, 1).map(smallest) };
    default:
      return { kind: "small", bytes: 0, json: 0 };
  }
}
