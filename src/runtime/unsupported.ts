/**
 * What a flow reaches that cannot be carried out, by this version or without a store; a run with any of it is refused
 * before it starts.
 */
import type { Body, CalleeRef, Graph, NodeIR, Policies } from "../plan/ir.js";
import { declarationOf, innerBodies, isBare } from "../plan/walk.js";
import type { Span } from "../source/source.js";
import { refSet } from "./reach.js";

export interface Unsupported {
  readonly construct: string;
  /** It is carried out where the run is kept in a store. */
  readonly needsStore: boolean;
  readonly span: Span;
}

const nodes: Readonly<Partial<Record<NodeIR["kind"], string>>> = {
  read: "state",
  set: "set",
  send: "send",
  orchestrate: "orchestrate",
};

/** Every construct that stands in the way of calling these, each place once; what `stops` holds for is not looked into. */
export function unsupported(
  graph: Graph,
  roots: readonly CalleeRef[],
  stops: (ref: CalleeRef) => boolean = () => false,
): readonly Unsupported[] {
  const found: Unsupported[] = [];
  const seen = new Set<string>();
  const report = (construct: string, span: Span, needsStore = false): void => {
    const key = `${construct} ${span.file} ${span.start}`;
    if (!seen.has(key)) found.push({ construct, needsStore, span });
    seen.add(key);
  };
  const visited = refSet();
  const visitPolicies = (policies: Policies, span: Span): void => {
    if (isBare(policies)) return;
    if (policies.compensate !== undefined) visitCallee(policies.compensate.callee, span);
    if (policies.isolate?.resolve !== undefined) visitCallee(policies.isolate.resolve, span);
    if (policies.lock?.scope === "global") report("@lock across runs", span, true);
    for (const ref of policies.fallback ?? []) visitCallee(ref, span);
  };
  const visitCallee = (ref: CalleeRef, span: Span): void => {
    if (!visited(ref)) return;
    if (ref.kind === "channel") report("channels", span);
    else {
      const ir = declarationOf(graph, ref);
      visitPolicies(ir.policies, ir.span);
      if (stops(ref)) return;
      if (ir.kind === "flow") visitBody(ir.body);
      if (ir.kind === "capability") for (const implementation of ir.implementations) visitCallee(implementation, ir.span);
      if (ir.kind === "agent") for (const tool of ir.tools) visitCallee(tool, ir.span);
    }
  };
  const visitBody = (body: Body): void => {
    for (const node of body.nodes) {
      const construct = nodes[node.kind];
      if (construct !== undefined) report(construct, node.span);
      visitPolicies(node.policies, node.span);
      if (node.kind === "call") visitCallee(node.callee, node.span);
      for (const inner of innerBodies(node)) visitBody(inner.body);
    }
  };
  for (const handler of graph.handlers) report("handlers (on …)", handler.span);
  for (const root of roots) visitCallee(root, { file: graph.file, start: 0, end: 0 });
  return found;
}
