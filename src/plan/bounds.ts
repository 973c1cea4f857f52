/**
 * What each flow of a program can use, before it runs: calls, requests, tokens, money and time, at least and at most.
 * The most is sound: no run uses more, whatever its models and tools do within their declared limits. It is a number, a
 * formula in the sizes of lists (`|paths|`), or open where a limit is missing.
 */
import type { Span } from "../source/source.js";
import { symbol, times } from "./bound-algebra.js";
import { type Amounts, addNumbers, type Bound, multiply, NOTHING, perhaps } from "./bound-amounts.js";
import { attemptBound, callBound, handlerBound } from "./bound-calls.js";
import { type Offer, offersOf, possibleOf } from "./bound-choice.js";
import { type Scope, scopeIn } from "./bound-expressions.js";
import { type Expected, expectedOf } from "./bound-means.js";
import { bodyBound, nodeBound } from "./bound-nodes.js";
import { nameLists, paramScope, paramShapes } from "./bound-params.js";
import { underPolicies } from "./bound-policies.js";
import { ANY, type Shape, shapeOfValue } from "./bound-sizes.js";
import type { BudgetSite, Means, Part, Place, Unfit, Unpreferred, World } from "./bound-world.js";
import type { Body, CalleeRef, CapabilityIR, FlowIR, Graph, Policies } from "./ir.js";
import { neededNodes } from "./walk.js";

export type { Count } from "./bound-algebra.js";
export type { Amounts, Bound } from "./bound-amounts.js";
export type { Expected, MeanUse } from "./bound-means.js";
export type { Shape } from "./bound-sizes.js";
export { shapeOfType, shapeOfValue } from "./bound-sizes.js";
export type { BudgetSite, Part } from "./bound-world.js";

/** The bound of a flow. */
export interface FlowBound {
  readonly flow: FlowIR;
  /** What it can use before its own budget. */
  readonly inside: Bound;
  /** What a call of it can use: capped by its budget. */
  readonly bound: Bound;
  /** What contributes, in the order of the source. */
  readonly parts: readonly Part[];
  /** Its own `@budget`, where it has one. */
  readonly budget: BudgetSite | undefined;
}

export interface Bounds {
  /** The bound of a flow. */
  readonly of: (flow: FlowIR) => FlowBound;
  /** Every budget of the flows that were asked about, and of what they call. */
  readonly budgets: () => readonly BudgetSite[];
  /** Calls of capabilities that no implementation fits. */
  readonly unfit: () => readonly Unfit[];
  /** Calls of capabilities that prefer what cannot be chosen. */
  readonly unpreferred: () => readonly Unpreferred[];
  /** The implementations of a capability for these arguments, in the order of the source. */
  readonly offers: (capability: CapabilityIR, args: () => ReadonlyMap<string, Shape>, prefer: readonly string[]) => readonly Offer[];
  /** The implementations that a call with these policies may choose, the first choice first. */
  readonly possible: (capability: CapabilityIR, own: Policies) => readonly Offer[];
  /** What the nodes of a body need at least, for what is known when they are still to come. */
  readonly minimums: (body: Body, known: ReadonlyMap<string, Shape>) => Minimums;
  /** What a call can use, for arguments of these shapes. */
  readonly call: (ref: CalleeRef, args: ReadonlyMap<string, Shape>) => Bound;
  /** What a call can use without its own budget. */
  readonly inside: (ref: CalleeRef, args: ReadonlyMap<string, Shape>) => Bound;
}

/**
 * What must be kept back so that a body comes to its end: for each node that has not ended one attempt of each call, no
 * repairs or hedges, loops at no round, maps at what must succeed.
 */
export interface Minimums {
  readonly total: Amounts<number>;
  /** By the ids of nodes. */
  readonly of: ReadonlyMap<string, Minimum>;
}

export interface Minimum {
  readonly all: Amounts<number>;
  /** The money in it that `@reserve` adds. */
  readonly extra: number;
  /** What one item, run or step of a region needs. */
  readonly one: Amounts<number>;
}

export type Inputs = Readonly<Record<string, unknown>>;

const known = new WeakMap<Graph, Bounds>();

/** The bounds of a program. With inputs, which are those of every flow that is asked about, sizes replace symbols. */
export function bounds(graph: Graph, inputs?: Inputs): Bounds {
  if (inputs !== undefined) return analysis(graph, inputs);
  let found = known.get(graph);
  if (found === undefined) {
    found = analysis(graph, undefined);
    known.set(graph, found);
  }
  return found;
}

/**
 * What a flow is expected to use by what earlier runs took on average, by the ids of callables; undefined where nothing
 * that it calls is known.
 */
export function expected(
  graph: Graph,
  flow: FlowIR,
  inputs: Inputs | undefined,
  of: Means["of"],
  simulated: boolean,
): Expected | undefined {
  const means: Means = { of, met: new Set(), unknown: new Set() };
  const found = analysis(graph, inputs, means).of(flow).inside;
  return expectedOf(found, bounds(graph, inputs).of(flow), means, simulated);
}

function analysis(graph: Graph, inputs: Inputs | undefined, means?: Means): Bounds {
  const world = worldOf(graph, means);
  const made = new Map<string, FlowBound>();
  const nowhere = placeIn(world);
  return {
    of(flow) {
      let found = made.get(flow.id);
      if (found === undefined) {
        found = flowBound(world, flow, inputs);
        made.set(flow.id, found);
      }
      return found;
    },
    budgets: () => [...world.budgets.values()],
    unfit: () => [...world.unfit.values()],
    unpreferred: () => [...world.unpreferred.values()],
    offers: (capability, args, prefer) => offersOf(capability, args, prefer, placeIn(worldOf(graph)), capability.span),
    possible: (capability, own) => possibleOf(capability, own, placeIn(worldOf(graph))),
    minimums: (body, known) => {
      // In a long run the sizes that flows are called with do not repeat.
      if (world.flows.size > 200) world.flows.clear();
      return minimumsOf(body, { ...nowhere, scope: { ...nowhere.scope, names: new Map(known) } });
    },
    call: (ref, args) => callBound(ref, args, {}, nowhere, spanOf(graph)).bound,
    // In a world of its own, since budgets that are met are noted in it.
    inside: (ref, args) => callBound(ref, args, { budget: {} }, placeIn(worldOf(graph)), spanOf(graph)).bound,
  };
}

const spanOf = (graph: Graph): Span => ({ file: graph.file, start: 0, end: 0 });

function worldOf(graph: Graph, means?: Means): World {
  return {
    graph,
    flows: new Map(),
    budgets: new Map(),
    unfit: new Map(),
    unpreferred: new Map(),
    means,
    body: bodyBound,
    call: callBound,
    attempt: attemptBound,
  };
}

const placeIn = (world: World): Place => ({
  world,
  scope: { types: world.graph.types, names: new Map(), outer: undefined },
  prefix: "",
});

function flowBound(world: World, flow: FlowIR, inputs: Inputs | undefined): FlowBound {
  const { graph } = world;
  const given = new Map(Object.entries(inputs ?? {}).map(([name, value]) => [name, shapeOfValue(value)]));
  // Without inputs a default is only one of the values that a parameter may have.
  const params = inputs === undefined ? flow.params.map(({ default: _, ...param }) => param) : flow.params;
  const shapes = paramShapes(params, given, { types: graph.types, names: new Map(), outer: undefined });
  for (const [name, shape] of shapes) shapes.set(name, nameLists(shape, name));
  const scope: Scope = paramScope(flow.params, shapes, graph.types);
  const place: Place = { world, scope, prefix: "" };
  const body = bodyBound(flow.body, { ...place, scope: scopeIn(scope) });
  const { budget, ...others } = flow.policies;
  const subject = { name: flow.name, span: flow.span };
  const made = underPolicies(body, [{ policies: others, scope }], place, subject);
  const events = eventParts(world);
  const inside = events.reduce<Bound>((out, each) => perhaps(out, each.bound), made.bound);
  const parts = [...made.parts, ...events];
  if (budget === undefined) return { flow, inside, bound: inside, parts, budget: undefined };
  world.budgets.delete(budget);
  const { bound } = underPolicies({ bound: inside, shape: body.shape, parts }, [{ policies: { budget }, scope }], place, subject);
  return { flow, inside, bound, parts, budget: world.budgets.get(budget) };
}

/** Handlers of events run as often as there are such events. */
function eventParts(world: World): readonly Part[] {
  return world.graph.handlers.flatMap((handler): readonly Part[] => {
    if (handler.on.kind !== "event") return [];
    const many = symbol(`event.${handler.on.name}`);
    const one = handlerBound(world, handler, ANY);
    const time = { ...one.bound.time, most: times(one.bound.time.most, many) };
    const bound: Bound = { ...one.bound, most: multiply(one.bound.most, many), time };
    return [{ title: handler.id, notes: ["for each event"], times: many, span: handler.span, bound, parts: one.parts }];
  });
}

function minimumsOf(body: Body, place: Place): Minimums {
  const of = new Map<string, Minimum>();
  let total: Amounts<number> = NOTHING;
  for (const node of neededNodes(body)) {
    // What has a value has ended.
    if (place.scope.names.has(node.id)) continue;
    const { bound, shape, extra, one } = nodeBound(node, place);
    place.scope.names.set(node.id, shape);
    of.set(node.id, { all: bound.keep, extra, one: one.keep });
    total = addNumbers(total, bound.keep);
  }
  return { total, of };
}
