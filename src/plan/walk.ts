/**
 * Walks over a graph: the bodies inside a node, the expressions of a node, the names an expression refers to. Whoever
 * adds a kind of node or expression adds it here, and everything that only walks is right again.
 */
import type { AgentIR, Body, CalleeRef, CapabilityIR, ExprIR, FlowIR, Graph, NodeIR, Policies, TemplatePartIR, ToolIR } from "./ir.js";

/** A body inside a node; `name` is that of the branch, arm or part, empty where a node has only one. */
export interface InnerBody {
  readonly name: string;
  readonly body: Body;
}

/** The bodies inside a node, in source order. */
export function innerBodies(node: NodeIR): readonly InnerBody[] {
  switch (node.kind) {
    case "map":
    case "vote":
    case "loop":
    case "reduce":
    case "fold":
    case "scope":
      return [{ name: "", body: node.body }];
    case "fork":
    case "race":
      return node.branches;
    case "if":
      return [
        { name: "then", body: node.then },
        { name: "else", body: node.else },
      ];
    case "match":
      return node.arms;
    case "try":
      return [
        { name: "try", body: node.body },
        { name: "recover", body: node.recover },
      ];
    case "ask":
      return node.otherwise === undefined ? [] : [{ name: "else", body: node.otherwise }];
    case "value":
    case "call":
    case "assert":
    case "stop":
    case "read":
    case "set":
    case "send":
    case "orchestrate":
      return NO_BODIES;
    default:
      return unknownKind(node);
  }
}

const NO_BODIES: readonly InnerBody[] = [];

/** Every body of a flow's body, itself included, outermost first. */
export function* bodiesOf(body: Body): Generator<Body> {
  const waiting = [body];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next;
    for (const node of next.nodes) for (const inner of innerBodies(node)) waiting.push(inner.body);
  }
}

/** Every outermost body of a program, with the name of what it belongs to. */
export function* rootBodies(graph: Graph): Generator<InnerBody> {
  for (const flow of Object.values(graph.flows)) yield { name: flow.name, body: flow.body };
  for (const handler of graph.handlers) yield { name: handler.id, body: handler.body };
  for (const test of graph.tests) for (const step of test.steps) if (step.kind !== "order") yield { name: test.title, body: step.body };
}

/**
 * Calls back with every expression that a node evaluates itself, and every expression in it: those of its policies
 * included, those of its bodies not.
 */
export function forEachExprOf(node: NodeIR, visit: (e: ExprIR) => void): void {
  switch (node.kind) {
    case "value":
    case "match":
    case "set":
    case "send":
      forEachExpr(node.value, visit);
      break;
    case "call":
      for (const arg of node.args) forEachExpr(arg.value, visit);
      break;
    case "map":
      forEachExpr(node.over, visit);
      forEachIn(node.where, visit);
      forEachIn(node.key, visit);
      forEachIn(node.needs, visit);
      break;
    case "vote":
      forEachExpr(node.times, visit);
      forEachIn(node.key?.value, visit);
      forEachIn(node.early, visit);
      break;
    case "loop":
      forEachExpr(node.init, visit);
      forEachExpr(node.times, visit);
      break;
    case "reduce":
      forEachExpr(node.over, visit);
      forEachIn(node.groups, visit);
      break;
    case "fold":
      forEachExpr(node.over, visit);
      forEachExpr(node.start, visit);
      break;
    case "if":
    case "stop":
      forEachExpr(node.test, visit);
      break;
    case "assert":
      forEachExpr(node.test, visit);
      forEachIn(node.message, visit);
      break;
    case "ask":
      forEachExpr(node.question, visit);
      forEachIn(node.within, visit);
      break;
    case "orchestrate":
      forEachExpr(node.goal, visit);
      forEachIn(node.context, visit);
      forEachExpr(node.repairs, visit);
      break;
    case "fork":
    case "race":
    case "try":
    case "scope":
    case "read":
      break;
    default:
      unknownKind(node);
  }
  if (!isBare(node.policies)) for (const expr of policyExpressions(node.policies)) forEachExpr(expr, visit);
}

/** The same for an expression that may be left out. */
function forEachIn(expr: ExprIR | undefined, visit: (e: ExprIR) => void): void {
  if (expr !== undefined) forEachExpr(expr, visit);
}

/** Whether nothing is annotated, as nearly everywhere. */
export function isBare(policies: Policies): boolean {
  for (const _ in policies) return false;
  return true;
}

/** The expressions of policies. */
function policyExpressions(policies: Policies): readonly ExprIR[] {
  const found: ExprIR[] = [];
  for (const policy of Object.values(policies)) {
    if (typeof policy !== "object" || Array.isArray(policy)) continue;
    for (const part of Object.values(policy)) if (isExpression(part)) found.push(part);
  }
  return found;
}

const isExpression = (value: unknown): value is ExprIR =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  !["agent", "tool", "flow", "capability", "channel"].includes(String(value.kind));

/** Calls back with every id that an expression refers to, inner names included. */
export function forEachRef(expr: ExprIR, visit: (id: string) => void): void {
  forEachExpr(expr, (e) => {
    if (e.kind === "ref") visit(e.id);
  });
}

/** Calls back with an expression and every expression in it, outermost first. */
export function forEachExpr(expr: ExprIR, visit: (e: ExprIR) => void): void {
  visit(expr);
  switch (expr.kind) {
    case "const":
    case "ref":
      return;
    case "field":
    case "not":
    case "negate":
    case "cast":
    case "cut":
      forEachExpr(expr.of, visit);
      return;
    case "index":
      forEachExpr(expr.of, visit);
      forEachExpr(expr.at, visit);
      return;
    case "record":
      for (const entry of expr.entries) forEachExpr("spread" in entry ? entry.spread : entry.value, visit);
      return;
    case "list":
      for (const element of expr.elements) forEachExpr(element.value, visit);
      return;
    case "binary":
    case "and":
    case "or":
    case "default":
      forEachExpr(expr.left, visit);
      forEachExpr(expr.right, visit);
      return;
    case "cond":
      forEachExpr(expr.test, visit);
      forEachExpr(expr.then, visit);
      forEachExpr(expr.else, visit);
      return;
    case "let":
      forEachExpr(expr.value, visit);
      forEachExpr(expr.body, visit);
      return;
    case "switch":
      forEachExpr(expr.value, visit);
      for (const arm of expr.arms) forEachExpr(arm.body, visit);
      return;
    case "lambda":
      forEachExpr(expr.body, visit);
      return;
    case "builtin":
      for (const arg of expr.args) forEachExpr(arg, visit);
      return;
    case "template":
      forEachInParts(expr.parts, visit);
      return;
    default:
      unknownKind(expr);
  }
}

function forEachInParts(parts: readonly TemplatePartIR[], visit: (e: ExprIR) => void): void {
  for (const part of parts) {
    switch (part.kind) {
      case "text":
        break;
      case "value":
        forEachExpr(part.value, visit);
        break;
      case "if":
        forEachExpr(part.test, visit);
        forEachInParts(part.then, visit);
        forEachInParts(part.else, visit);
        break;
      case "each":
        forEachExpr(part.over, visit);
        forEachInParts(part.body, visit);
        forEachInParts(part.else, visit);
        break;
      case "with":
        forEachExpr(part.value, visit);
        forEachInParts(part.body, visit);
        forEachInParts(part.else, visit);
        break;
      default:
        unknownKind(part);
    }
  }
}

/** Every id that a node's expressions and bodies refer to, those bound inside it included. */
export function refsOf(node: NodeIR): ReadonlySet<string> {
  const found = new Set<string>();
  forEachRefOf(node, (id) => found.add(id));
  return found;
}

/** Calls back with those ids, one that is mentioned again more than once. */
export function forEachRefOf(node: NodeIR, visit: (id: string) => void): void {
  const see = (e: ExprIR): void => {
    if (e.kind === "ref") visit(e.id);
  };
  const waiting = [node];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    forEachExprOf(next, see);
    for (const { body } of innerBodies(next)) {
      waiting.push(...body.nodes);
      forEachExpr(body.result, see);
    }
  }
}

function unknownKind(value: never): never {
  throw new Error(`a kind that the graph does not have: ${JSON.stringify(value)}`);
}

/** The declaration of a callable. */
export type Declaration = FlowIR | AgentIR | ToolIR | CapabilityIR;

export function declarationOf(graph: Graph, ref: CalleeRef): Declaration {
  const found =
    ref.kind === "flow"
      ? graph.flows[ref.id]
      : ref.kind === "agent"
        ? graph.agents[ref.id]
        : ref.kind === "tool"
          ? graph.tools[ref.id]
          : graph.capabilities[ref.id];
  if (found === undefined) throw new Error(`the graph has no ${ref.kind} ${ref.id}`);
  return found;
}

/** The nodes of a body that run: those that must, and what they need the value of. */
export function neededNodes(body: Body): readonly NodeIR[] {
  if (body.nodes.every((node) => node.needed)) return body.nodes;
  const byId = new Map(body.nodes.map((node) => [node.id, node]));
  const needed = new Set<string>();
  const waiting = body.nodes.filter((node) => node.needed);
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (needed.has(node.id)) continue;
    needed.add(node.id);
    for (const id of node.deps) {
      const dependency = byId.get(id);
      if (dependency !== undefined) waiting.push(dependency);
    }
  }
  return body.nodes.filter((node) => needed.has(node.id));
}
