/**
 * Bounds of calls. An agent's attempt is its requests and whatever its tools do; a tool's is what it declares to cost; a
 * flow is bounded for the sizes of what it is called with, once for each; a capability for the dearest candidate that
 * could be chosen. Handlers count where a message or a state sets them off.
 */

import { grouped } from "../source/digits.js";
import type { Span } from "../source/source.js";
import { type Count, isNumber, times } from "./bound-algebra.js";
import { type Amounts, add, addNumbers, type Bound, capped, multiply, NO_BOUND, NOTHING, oneOfBounds, perhaps } from "./bound-amounts.js";
import { choice } from "./bound-choice.js";
import { type Scope, scopeIn, shapeOf } from "./bound-expressions.js";
import { meanBound } from "./bound-means.js";
import { nameLists, paramScope, paramShapes } from "./bound-params.js";
import { capsOf, mostOf, type Policed, type PolicySource, policyOf, underPolicies } from "./bound-policies.js";
import { mediaWeights, plainRequests, promptBytes, requestCount, requestsOf, toolCallCount } from "./bound-requests.js";
import { ANY, meet, rangeOf, type Shape, shapeOfType } from "./bound-sizes.js";
import type { Args, Called, Evaluated, Part, Place, World } from "./bound-world.js";
import type { AgentIR, CalleeRef, FlowIR, HandlerIR, Policies } from "./ir.js";
import { type Declaration, declarationOf } from "./walk.js";

/** The bound of a call, with the policies of the place and of the declaration. */
export function callBound(
  ref: CalleeRef,
  args: Args,
  own: Policies,
  place: Place,
  span: Span,
  mostCost: number = Number.POSITIVE_INFINITY,
): Called {
  const { world, scope } = place;
  if (ref.kind === "channel") return channelBound(ref.id, args, place, span);
  const callee = declarationOf(world.graph, ref);
  const params = paramShapes(callee.params, args, scope);
  if (callee.kind === "flow") for (const [name, shape] of params) params.set(name, nameLists(shape, `${callee.name}.${name}`));
  const inner = paramScope(callee.params, params, scope.types);
  const sources: readonly PolicySource[] = [
    { policies: own, scope },
    { policies: callee.policies, scope: inner },
  ];
  const known = meanCall(callee, place, span);
  if (known !== undefined) return known;
  const one = within(attemptOf(callee, params, inner, sources, place, span), mostCost);
  const made = underPolicies(one, sources, place, { name: callee.name, span, args: params });
  const shape = meet(one.shape, callee.result, scope.types);
  const part: Part = {
    title: callee.name,
    notes: [...made.notes, ...one.notes],
    times: made.attempts,
    span,
    bound: made.bound,
    parts: made.parts,
  };
  return { bound: made.bound, shape, parts: made.parts, part, extra: made.extra };
}

/**
 * One attempt of a call under the policies of its declaration, when nothing goes wrong: what the limits of a choice
 * compare. An agent's answers fit, so nothing is repaired, and the first model of a fallback gives them.
 */
export function attemptBound(ref: CalleeRef, args: Args, place: Place, span: Span): Bound {
  if (ref.kind === "channel") return NO_BOUND;
  const { world, scope } = place;
  const callee = declarationOf(world.graph, ref);
  const params = paramShapes(callee.params, args, scope);
  const inner = paramScope(callee.params, params, scope.types);
  const sources: readonly PolicySource[] = [{ policies: callee.policies, scope: inner }];
  const { bound } = attemptOf(callee, params, inner, sources, place, span, true);
  const { budget } = callee.policies;
  return budget === undefined ? bound : capped(bound, capsOf(budget, inner));
}

/** A call as it was on average, where that is asked for and known. */
function meanCall(callee: Declaration, { world, scope }: Place, span: Span): Called | undefined {
  if (world.means === undefined || (callee.kind !== "agent" && callee.kind !== "tool")) return undefined;
  const mean = world.means.of.get(callee.id);
  if (mean === undefined) {
    if (callee.kind === "agent" || callee.policies.cost !== undefined) world.means.unknown.add(callee.name);
    return undefined;
  }
  world.means.met.add(callee.name);
  const bound = meanBound(mean);
  return {
    bound,
    shape: shapeOfType(callee.result, scope.types),
    parts: [],
    part: { title: callee.name, notes: ["on average"], times: 1, span, bound, parts: [] },
    extra: 0,
  };
}

/** An attempt that is made only where it costs no more than this. */
const within = (one: Attempt, cost: number): Attempt =>
  cost === Number.POSITIVE_INFINITY ? one : { ...one, bound: capped(one.bound, { cost }) };

interface Attempt extends Evaluated {
  readonly notes: readonly string[];
}

/** One attempt, without policies; a plain one is one in which nothing goes wrong. */
function attemptOf(
  callee: Declaration,
  params: Args,
  scope: Scope,
  sources: readonly PolicySource[],
  place: Place,
  span: Span,
  plain = false,
): Attempt {
  switch (callee.kind) {
    case "tool": {
      const cost = costOf(sources);
      const call = { ...NOTHING, calls: 1, toolCalls: 1 };
      const bound: Bound = {
        most: { ...call, cost: cost.most },
        least: { ...call, cost: cost.least },
        keep: { ...call, cost: cost.least },
        time: timeOf(sources),
      };
      return { bound, shape: shapeOfType(callee.result, scope.types), parts: [], notes: [] };
    }
    case "agent":
      return agentAttempt(callee, scope, sources, place, span, plain);
    case "flow":
      return { ...flowBound(place.world, callee, params), notes: [] };
    case "capability":
      return choice(callee, params, sources, place, span);
  }
}

function agentAttempt(agent: AgentIR, scope: Scope, sources: readonly PolicySource[], place: Place, span: Span, plain: boolean): Attempt {
  const { graph, call } = place.world;
  const optional = (expr: AgentIR["system"]): Shape | undefined => (expr === undefined ? undefined : shapeOf(expr, scope));
  const bytes = promptBytes(agent, graph, {
    prompt: shapeOf(agent.prompt, { ...scopeIn(scope), media: mediaWeights(graph, agent.model) }),
    system: optional(agent.system),
    examples: optional(agent.examples),
  });
  const requests = requestsOf(agent, graph, bytes);
  const asked = plain ? plainRequests(agent, graph, bytes) : requests.most;
  const cost = costOf(sources);
  const own = { ...NOTHING, calls: 1 };
  const used = toolCallCount(agent);
  const tools = used === 0 ? [] : agent.tools.map((ref) => call(ref, new Map(), {}, { ...place, prefix: `${agent.name}.` }, span));
  // The model may choose the dearest tool every time.
  const most = multiply(oneOfBounds(tools.map((tool) => tool.bound)).most, used);
  const kept = { ...own, cost: cost.least };
  const bound: Bound = {
    most: [{ ...own, cost: cost.most }, most].reduce<Amounts>(add, asked),
    least: addNumbers(kept, requests.least),
    keep: addNumbers(kept, requests.keep),
    time: timeOf(sources),
  };
  const count = requestCount(agent);
  const model = graph.models[agent.model]?.name ?? agent.model;
  const notes = [
    `${count === 1 ? "1 request" : `${count} requests`} to ${model}`,
    ...(used === 0 ? [] : [`${grouped(used)} calls of tools`]),
    ...(isLimited(bytes.most) ? [] : unlimited(agent, scope)),
  ];
  const costly = tools.filter((tool) => tool.bound.most.cost !== 0);
  const part: Part = {
    title: "its tools",
    notes: ["the dearest every time"],
    times: used,
    span,
    bound: { ...NO_BOUND, most },
    parts: costly.map((tool) => tool.part),
  };
  return { bound, shape: shapeOfType(agent.result, scope.types), parts: costly.length === 0 ? [] : [part], notes };
}

/** Which parameters make a prompt as long as its context allows. */
function unlimited(agent: AgentIR, scope: Scope): readonly string[] {
  const open: string[] = [];
  for (const param of agent.params) open.push(...openPlaces(scope.names.get(param.id) ?? ANY, param.name));
  if (open.length === 0) return [];
  const shown = open.slice(0, 3).map((place) => `\`${place}\``);
  const more = open.length > 3 ? ` and ${open.length - 3} more` : "";
  return [`${shown.join(", ")}${more} ${open.length === 1 ? "has" : "have"} no limit: each fills the context`];
}

/** Where in a value nothing limits how long it is: `findings`, `findings[].file`. */
function openPlaces(shape: Shape, name: string): readonly string[] {
  switch (shape.kind) {
    case "text":
      return isLimited(shape.bytes) ? [] : [name];
    case "list":
      return isLimited(shape.max) ? openPlaces(shape.of, `${name}[]`) : [name];
    case "record":
      return [...shape.fields].flatMap(([field, of]) => openPlaces(of, `${name}.${field}`));
    case "either":
      return [...new Set(shape.of.flatMap((of) => openPlaces(of, name)))];
    case "map":
    case "any":
      return [name];
    case "number":
    case "small":
      return [];
  }
}

/** Whether a count is a number. */
const isLimited = (count: Count): boolean => isNumber(count) && Number.isFinite(count);

/** What a call costs by declaration, in nano-dollars. */
function costOf(sources: readonly PolicySource[]): { readonly least: number; readonly most: Count } {
  const found = policyOf(sources, "cost");
  if (found === undefined) return { least: 0, most: 0 };
  const { min } = rangeOf(shapeOf(found.policy.value, found.scope));
  const most = mostOf(found.policy.value, found.scope);
  const nano = (dollars: number): number => Math.ceil(dollars * 1e9 - 1e-6);
  return { least: nano(Math.max(0, min)), most: isNumber(most) ? nano(most) : times(most, 1e9) };
}

/** The time of an attempt as it is declared; what `@timeout` says is put around it. */
function timeOf(sources: readonly PolicySource[]): Bound["time"] {
  const latency = policyOf(sources, "latency");
  if (latency === undefined) return { most: Number.POSITIVE_INFINITY, least: 0 };
  const { min } = rangeOf(shapeOf(latency.policy.value, latency.scope));
  return { most: mostOf(latency.policy.value, latency.scope), least: Number.isFinite(min) ? Math.max(0, min) : 0 };
}

/** The body of a flow for what it is called with; the same sizes give the same bound. */
function flowBound(world: World, flow: FlowIR, params: Args): Evaluated {
  const key = `${flow.id}\u0000${[...params.values()].map(digest).join("\u0000")}`;
  let found = world.flows.get(key);
  if (found === undefined) {
    const scope = paramScope(flow.params, params, world.graph.types);
    found = world.body(flow.body, { world, scope, prefix: `${flow.name}.` });
    world.flows.set(key, found);
  }
  return found;
}

function digest(shape: Shape): string {
  switch (shape.kind) {
    case "text":
      return `t${countText(shape.bytes)},${countText(shape.json)},${shape.least}`;
    case "number":
      return `n${shape.min},${countText(shape.max)}`;
    case "small":
      return `s${shape.bytes},${shape.json}`;
    case "list":
      return `[${shape.min},${countText(shape.max)},${digest(shape.of)}]`;
    case "map":
      return `<${countText(shape.max)},${digest(shape.key)},${digest(shape.of)}>`;
    case "record":
      return `{${[...shape.fields].map(([name, of]) => `${name}:${digest(of)}`).join()}}`;
    case "either":
      return `(${shape.of.map(digest).join("|")})`;
    case "any":
      return "a";
  }
}

function countText(count: Count): string {
  return isNumber(count) ? String(count) : `${count.constant}+${[...count.terms].map(([key, term]) => `${term.times}${key}`).join("+")}`;
}

function channelBound(id: string, args: Args, place: Place, span: Span): Called {
  const { graph } = place.world;
  const reply = graph.channels[id]?.reply;
  const made = handlersOf("channel", id, [...args.values()][0] ?? ANY, place);
  const shape = reply === undefined ? ANY : shapeOfType(reply, graph.types);
  return {
    ...made,
    shape,
    extra: 0,
    part: { title: graph.channels[id]?.name ?? id, notes: [], times: 1, span, bound: made.bound, parts: made.parts },
  };
}

/** What the handlers of a channel or state do when it is used. */
export function handlersOf(on: "channel" | "state", id: string, message: Shape, place: Place): Evaluated {
  const parts: Part[] = [];
  let bound = NO_BOUND;
  for (const handler of place.world.graph.handlers) {
    if (handler.on.kind === "event" || handler.on.kind !== on || handler.on.id !== id) continue;
    const made = handlerBound(place.world, handler, on === "state" ? ANY : message);
    bound = perhaps(bound, made.bound);
    parts.push({ title: handler.id, notes: made.notes, times: made.attempts, span: handler.span, bound: made.bound, parts: made.parts });
  }
  return { bound, shape: ANY, parts };
}

/** One run of a handler. */
export function handlerBound(world: World, handler: HandlerIR, message: Shape): Policed {
  const scope: Scope = { types: world.graph.types, names: new Map([[handler.param, message]]), outer: undefined };
  const place: Place = { world, scope, prefix: `${handler.id}.` };
  const body = world.body(handler.body, { ...place, scope: scopeIn(scope) });
  return underPolicies(body, [{ policies: handler.policies, scope }], place, { name: handler.id, span: handler.span });
}
