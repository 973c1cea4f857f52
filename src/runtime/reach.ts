/** What a flow can reach: its callables and models, so that a run can load and check them before it starts. */
import type { Body, CalleeRef, Graph, NodeIR } from "../plan/ir.js";
import { declaration } from "./program.js";
import { assertNever } from "./values.js";

/** The bodies inside a node. */
export function bodiesOf(node: NodeIR): readonly Body[] {
  switch (node.kind) {
    case "map":
    case "vote":
    case "loop":
    case "reduce":
    case "fold":
    case "scope":
      return [node.body];
    case "fork":
    case "race":
      return node.branches.map((branch) => branch.body);
    case "if":
      return [node.then, node.else];
    case "match":
      return node.arms.map((arm) => arm.body);
    case "try":
      return [node.body, node.recover];
    case "ask":
      return node.otherwise === undefined ? [] : [node.otherwise];
    case "value":
    case "call":
    case "assert":
    case "stop":
    case "read":
    case "set":
    case "send":
    case "orchestrate":
      return [];
    default:
      return assertNever(node);
  }
}

/** Callables that a body calls directly or in the bodies inside it. */
export function callsOf(body: Body): readonly CalleeRef[] {
  return body.nodes.flatMap((node) => [...(node.kind === "call" ? [node.callee] : []), ...bodiesOf(node).flatMap(callsOf)]);
}

export interface Reach {
  readonly callables: readonly CalleeRef[];
  readonly models: readonly string[];
}

/** Everything that calling these can reach; what `stops` holds for is not looked into. */
export function reach(graph: Graph, from: readonly CalleeRef[], stops: (ref: CalleeRef) => boolean = () => false): Reach {
  const callables = new Map<string, CalleeRef>();
  const models = new Set<string>();
  const model = (id: string): void => {
    if (models.has(id)) return;
    models.add(id);
    const found = graph.models[id];
    for (const other of [...(found?.fallback ?? []), ...(found?.balance ?? [])]) model(other);
  };
  const callee = (ref: CalleeRef): void => {
    const key = `${ref.kind} ${ref.id}`;
    if (callables.has(key) || ref.kind === "channel") return;
    callables.set(key, ref);
    const ir = declaration(graph, ref);
    for (const fallback of ir.policies.fallback ?? []) callee(fallback);
    if (stops(ref)) return;
    if (ir.kind === "flow") body(ir.body);
    if (ir.kind === "capability") for (const implementation of ir.implementations) callee(implementation);
    if (ir.kind === "agent") {
      model(ir.model);
      for (const tool of ir.tools) callee(tool);
    }
  };
  const body = (of: Body): void => {
    for (const node of of.nodes) {
      for (const fallback of node.policies.fallback ?? []) callee(fallback);
      if (node.kind === "call") callee(node.callee);
      for (const inner of bodiesOf(node)) body(inner);
    }
  };
  for (const ref of from) callee(ref);
  return { callables: [...callables.values()], models: [...models] };
}
