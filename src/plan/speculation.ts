/**
 * Effects where results are thrown away: in a `race` or `vote` an effect must be undone (`@compensate`) or harmless to
 * repeat (`@idempotent`), in every callable that a branch can reach.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Body, CalleeRef, Graph, NodeIR, Policies } from "./ir.js";
import { innerBodies, rootBodies } from "./walk.js";

/** What loses can be undone, was harmless, or stays in a worktree that is thrown away. */
const isKept = ({ compensate, idempotent, isolate }: Policies): boolean =>
  compensate !== undefined || idempotent !== undefined || isolate !== undefined;

export function checkSpeculation(graph: Graph, problems: Problems): void {
  for (const { body } of rootBodies(graph)) visit(body, undefined);

  function visit(body: Body, region: "race" | "vote" | undefined): void {
    for (const node of body.nodes) {
      if (region !== undefined) checkNode(node, region);
      const inner = node.kind === "race" || node.kind === "vote" ? node.kind : region;
      for (const { body: each } of innerBodies(node)) visit(each, inner);
    }
  }

  function checkNode(node: NodeIR, region: "race" | "vote"): void {
    if (node.kind === "set" || node.kind === "send") {
      problems.report(d.speculativeEffect, node.span, { name: node.kind, region });
      return;
    }
    if (node.kind !== "call" || isKept(node.policies)) return;
    const name = lasting(node.callee, new Set());
    if (name !== undefined) problems.report(d.speculativeEffect, node.span, { name, region });
  }

  /** The name of an effect that a callable can reach and nobody undoes. */
  function lasting(ref: CalleeRef, seen: Set<string>): string | undefined {
    const key = `${ref.kind} ${ref.id}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    switch (ref.kind) {
      case "tool": {
        const tool = graph.tools[ref.id];
        const safe = tool === undefined || tool.effect !== "effect" || isKept(tool.policies);
        return safe ? undefined : tool.name;
      }
      case "agent":
        return isKept(graph.agents[ref.id]?.policies ?? {}) ? undefined : first(graph.agents[ref.id]?.tools ?? [], seen);
      case "capability":
        return first(graph.capabilities[ref.id]?.implementations ?? [], seen);
      case "channel":
        return graph.channels[ref.id]?.name;
      case "flow": {
        const flow = graph.flows[ref.id];
        return flow === undefined || flow.effect !== "effect" || isKept(flow.policies) ? undefined : inBody(flow.body, seen);
      }
    }
  }

  function first(refs: readonly CalleeRef[], seen: Set<string>): string | undefined {
    for (const ref of refs) {
      const found = lasting(ref, seen);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  function inBody(body: Body, seen: Set<string>): string | undefined {
    for (const node of body.nodes) {
      if (node.kind === "set" || node.kind === "send") return node.kind;
      if (node.kind === "call" && !isKept(node.policies)) {
        const found = lasting(node.callee, seen);
        if (found !== undefined) return found;
      }
      for (const { body: inner } of innerBodies(node)) {
        const found = inBody(inner, seen);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}
