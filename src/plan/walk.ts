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

/** The expressions that a node evaluates itself, those of its policies included, those of its bodies not. */
export function expressionsOf(node: NodeIR): readonly ExprIR[] {
  const own = ownExpressions(node);
  return isBare(node.policies) ? own : [...own, ...policyExpressions(node.policies)];
}

function ownExpressions(node: NodeIR): readonly ExprIR[] {
  switch (node.kind) {
    case "value":
    case "match":
    case "set":
    case "send":
      return [node.value];
    case "call":
      return node.args.map((arg) => arg.value);
    case "map":
      return present(node.over, node.where, node.key, node.needs);
    case "vote":
      return present(node.times, node.key?.value, node.early);
    case "loop":
      return [node.init, node.times];
    case "reduce":
      return present(node.over, node.groups);
    case "fold":
      return [node.over, node.start];
    case "if":
    case "stop":
      return [node.test];
    case "assert":
      return present(node.test, node.message);
    case "ask":
      return present(node.question, node.within);
    case "orchestrate":
      return present(node.goal, node.context, node.repairs);
    case "fork":
    case "race":
    case "try":
    case "scope":
    case "read":
      return NO_EXPRESSIONS;
    default:
      return unknownKind(node);
  }
}

const NO_EXPRESSIONS: readonly ExprIR[] = [];
const present = (...all: readonly (ExprIR | undefined)[]): readonly ExprIR[] => all.filter((each) => each !== undefined);

/** Whether nothing is annotated, as nearly everywhere. */
export function isBare(policies: Policies): boolean {
  for (const _ in policies) return false;
  return true;
}

/** The expressions of policies. */
export function policyExpressions(policies: Policies): readonly ExprIR[] {
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
    for (const expr of expressionsOf(next)) forEachExpr(expr, see);
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
