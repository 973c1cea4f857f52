/** What a flow can reach: its callables and models, so that a run can load and check them before it starts. */
import type { Body, CalleeRef, Graph, NodeIR, Policies } from "../plan/ir.js";
import { declarationOf, innerBodies, isBare } from "../plan/walk.js";

/** Callables that a body calls directly or in the bodies inside it. */
export function callsOf(body: Body): readonly CalleeRef[] {
  return body.nodes.flatMap((node) => [
    ...(node.kind === "call" ? [node.callee] : []),
    ...innerBodies(node).flatMap(({ body: inner }) => callsOf(inner)),
  ]);
}

/** A set of callables: tells whether one is new in it. */
export function refSet(): (ref: CalleeRef) => boolean {
  const byKind = new Map<string, Set<string>>();
  return ({ kind, id }) => {
    let ids = byKind.get(kind);
    if (ids === undefined) {
      ids = new Set();
      byKind.set(kind, ids);
    }
    return ids.size < ids.add(id).size;
  };
}

/** Whether something holds for a node or for what a declaration or node is annotated with. */
export function somewhere(graph: Graph, holds: (node: NodeIR | undefined, policies: Policies) => boolean): boolean {
  const inBody = ({ nodes }: Body): boolean => {
    for (const node of nodes) {
      if (holds(node, node.policies)) return true;
      for (const { body } of innerBodies(node)) if (inBody(body)) return true;
    }
    return false;
  };
  const flows = Object.values(graph.flows);
  const declared = [...flows, ...Object.values(graph.agents), ...Object.values(graph.tools)];
  return declared.some((callable) => holds(undefined, callable.policies)) || flows.some((flow) => inBody(flow.body));
}

export interface Reach {
  readonly callables: readonly CalleeRef[];
  readonly models: readonly string[];
}

/** Everything that calling these can reach; what `stops` holds for is not looked into. */
export function reach(graph: Graph, from: readonly CalleeRef[], stops: (ref: CalleeRef) => boolean = () => false): Reach {
  const callables: CalleeRef[] = [];
  const isNew = refSet();
  const models = new Set<string>();
  const model = (id: string): void => {
    if (models.has(id)) return;
    models.add(id);
    const found = graph.models[id];
    for (const other of [...(found?.fallback ?? []), ...(found?.balance ?? [])]) model(other);
  };
  const callee = (ref: CalleeRef): void => {
    if (ref.kind === "channel" || !isNew(ref)) return;
    callables.push(ref);
    const ir = declarationOf(graph, ref);
    policies(ir.policies);
    if (stops(ref)) return;
    if (ir.kind === "flow") body(ir.body);
    if (ir.kind === "capability") for (const implementation of ir.implementations) callee(implementation);
    if (ir.kind === "agent") {
      model(ir.model);
      for (const tool of ir.tools) callee(tool);
    }
  };
  const policies = ({ fallback, compensate, isolate }: Policies): void => {
    for (const ref of fallback ?? []) callee(ref);
    if (compensate !== undefined) callee(compensate.callee);
    if (isolate?.resolve !== undefined) callee(isolate.resolve);
  };
  const body = (of: Body): void => {
    for (const node of of.nodes) {
      if (!isBare(node.policies)) policies(node.policies);
      if (node.kind === "call") callee(node.callee);
      for (const inner of innerBodies(node)) body(inner.body);
    }
  };
  for (const ref of from) callee(ref);
  return { callables, models: [...models] };
}
