/**
 * Which flows have something that their bounds must be compared with: a budget, or a choice among implementations,
 * anywhere in what they can reach. The bounds of all others wait until somebody asks for them, where they have an end.
 */
import type { Body, CalleeRef, FlowIR, Graph, ModelIR, Policies } from "./ir.js";
import { declarationOf, innerBodies, isBare } from "./walk.js";

const membersOf = (model: ModelIR | undefined): readonly string[] => model?.fallback ?? model?.balance ?? [];

/** Tells of a flow whether it can come to a budget or to a choice. */
export function comesToLimits(graph: Graph): (flow: FlowIR) => boolean {
  const known = new Map<string, boolean>();
  const inRef = (ref: CalleeRef): boolean => {
    if (ref.kind === "channel") return false;
    if (ref.kind === "capability") return true;
    const key = `${ref.kind} ${ref.id}`;
    let found = known.get(key);
    if (found === undefined) {
      known.set(key, false); // a circle adds nothing
      const callee = declarationOf(graph, ref);
      found = inPolicies(callee.policies);
      if (callee.kind === "flow") found ||= inBody(callee.body);
      if (callee.kind === "agent") found ||= callee.tools.some(inRef);
      known.set(key, found);
    }
    return found;
  };
  const inPolicies = (policies: Policies): boolean => {
    if (isBare(policies)) return false;
    const { budget, fallback = [], compensate, isolate } = policies;
    const others = [...fallback, compensate?.callee, isolate?.resolve];
    return budget !== undefined || others.some((ref) => ref !== undefined && inRef(ref));
  };
  const inBody = (body: Body): boolean =>
    body.nodes.some(
      (node) =>
        inPolicies(node.policies) || (node.kind === "call" && inRef(node.callee)) || innerBodies(node).some((inner) => inBody(inner.body)),
    );
  // Handlers that set each other off, and groups of models in each other, have no end: that shows only in bounds.
  const isGroup = (id: string): boolean => membersOf(graph.models[id]).length > 0;
  const endless = graph.handlers.length > 0 || Object.values(graph.models).some((model) => membersOf(model).some(isGroup));
  return (flow) => endless || inRef({ kind: "flow", id: flow.id });
}
