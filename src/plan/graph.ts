/**
 * The only door to graphlib. A lowered graph is checked here (every step it waits for exists, none waits for itself,
 * none whose value is needed is left out), brought into an order, and its critical path found. What is found wrong is a
 * problem, never an exception; nothing here recurses, so a chain of any length passes.
 */
import { Graph as Digraph } from "@dagrejs/graphlib";
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Body, Graph, NodeIR } from "./ir.js";
import { bodiesOf, forEachRef, innerBodies, rootBodies } from "./walk.js";

/** The steps of one body as a graphlib graph: an edge from each step to those that wait for it. */
export function buildGraph(body: Body): Digraph {
  const graph = new Digraph();
  for (const node of body.nodes) graph.setNode(node.id, node);
  for (const node of body.nodes) {
    for (const before of [...node.deps, ...node.after]) if (graph.hasNode(before)) graph.setEdge(before, node.id);
  }
  return graph;
}

/** Reports what is wrong with the graph of a program. */
export function checkGraph(graph: Graph, problems: Problems): void {
  for (const { body } of rootBodies(graph)) for (const inner of bodiesOf(body)) validateBody(inner, problems);
}

function validateBody(body: Body, problems: Problems): void {
  if (body.nodes.length === 0) return;
  const ids = new Map<string, number>();
  for (const node of body.nodes) ids.set(node.id, ids.size);
  let inOrder = true;
  const check = (before: readonly string[], node: NodeIR): void => {
    for (const id of before) {
      const at = ids.get(id);
      if (at === undefined) problems.report(d.unknownStep, node.span, { step: node.segment, missing: id });
      else if (at >= (ids.get(node.id) ?? 0)) inOrder = false;
    }
  };
  for (const node of body.nodes) {
    check(node.deps, node);
    check(node.after, node);
  }
  // Lowering follows the source, where a value stands above its uses: only an `@after` can point forwards.
  if (!inOrder) reportCycle(body, problems);
  reportUnstarted(body, ids, problems);
}

function reportCycle(body: Body, problems: Problems): void {
  const graph = buildGraph(body);
  const rest = waitingForever(graph);
  const [first] = rest;
  if (first === undefined) return;
  const nodes = new Map(body.nodes.map((node) => [node.id, node]));
  // Whoever waits for ever waits for another that does: going backwards must come round.
  const path: string[] = [];
  let at: string | undefined = first;
  while (at !== undefined && !path.includes(at)) {
    path.push(at);
    at = graph.predecessors(at)?.find((before) => rest.has(before));
  }
  const cycle = [...path.slice(path.indexOf(at ?? first)), at ?? first].reverse();
  const steps = cycle.map((id) => nodes.get(id)).filter((node) => node !== undefined);
  const [start] = steps;
  if (start === undefined) return;
  problems.report(
    d.stepsWait,
    start.span,
    { cycle: steps.map((node) => node.segment) },
    {
      related: [...new Set(steps.slice(1, -1))].map((node) => ({ span: node.span, message: `\`${node.segment}\` is part of it` })),
    },
  );
}

/** Steps that can never start, because they wait for each other or for one that does. */
function waitingForever(graph: Digraph): ReadonlySet<string> {
  const order = new Set(orderOf(graph));
  return new Set(graph.nodes().filter((id) => !order.has(id)));
}

/** The steps in an order in which each comes after those it waits for; steps of a cycle are left out. */
function orderOf(graph: Digraph): string[] {
  const open = new Map(graph.nodes().map((id) => [id, graph.predecessors(id)?.length ?? 0]));
  const order = graph.sources();
  for (let i = 0; i < order.length; i++) {
    for (const next of graph.successors(order[i] ?? "") ?? []) {
      const left = (open.get(next) ?? 0) - 1;
      open.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  return order;
}

/** A step whose value is needed, by the result or by a step that runs, must run. */
function reportUnstarted(body: Body, ids: ReadonlyMap<string, number>, problems: Problems): void {
  if (body.nodes.every((node) => node.needed)) return;
  const report = (id: string): void => {
    const node = body.nodes[ids.get(id) ?? -1];
    if (node !== undefined && !node.needed) problems.report(d.unstartedStep, node.span, { step: node.segment });
  };
  forEachRef(body.result, report);
  for (const node of body.nodes) if (node.needed) node.deps.forEach(report);
}

/** The steps of a body in an order in which each comes after those it waits for. */
export function topologicalOrder(body: Body): readonly NodeIR[] {
  const nodes = new Map(body.nodes.map((node) => [node.id, node]));
  return orderOf(buildGraph(body))
    .map((id) => nodes.get(id))
    .filter((node) => node !== undefined);
}

export interface CriticalPath {
  readonly length: number;
  /** Ids of the steps on it, first to last. */
  readonly steps: readonly string[];
}

/** The longest chain of steps that wait for each other, by the weight of each. */
export function criticalPath(body: Body, weightOf: (node: NodeIR) => number = unitWeight): CriticalPath {
  const ends = new Map<string, { readonly length: number; readonly from: string | undefined }>();
  let last: string | undefined;
  let longest = 0;
  const graph = buildGraph(body);
  for (const node of topologicalOrder(body)) {
    let from: string | undefined;
    let before = 0;
    for (const id of graph.predecessors(node.id) ?? []) {
      const { length } = ends.get(id) ?? { length: 0 };
      if (length > before || from === undefined) [from, before] = [id, length];
    }
    const length = before + weightOf(node);
    ends.set(node.id, { length, from });
    if (length > longest || last === undefined) [last, longest] = [node.id, length];
  }
  const steps: string[] = [];
  for (let id = last; id !== undefined; id = ends.get(id)?.from) steps.push(id);
  return { length: longest, steps: steps.reverse() };
}

/** A call counts one, a pure value nothing, a region the longest chain inside it. */
export function unitWeight(node: NodeIR): number {
  switch (node.kind) {
    case "call":
    case "orchestrate":
    case "ask":
      return 1;
    case "try":
      return criticalPath(node.body).length + criticalPath(node.recover).length;
    default:
      return innerBodies(node).reduce((most, { body }) => Math.max(most, criticalPath(body).length), 0);
  }
}
