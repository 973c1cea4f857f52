/**
 * Which fields of a record name other records of the same list: `map t in tasks by t.id after t.needs` says that what
 * stands in `needs` are values of `id`. Whoever makes up such lists keeps to it.
 */
import type { ExprIR, Graph } from "./ir.js";
import { bodiesOf } from "./walk.js";

export interface Reference {
  readonly key: string;
  readonly needs: string;
}

const known = new WeakMap<Graph, readonly Reference[]>();

/** All that a program's maps say, each once. */
export function referencesOf(graph: Graph): readonly Reference[] {
  const before = known.get(graph);
  if (before !== undefined) return before;
  const found = new Map<string, Reference>();
  for (const flow of Object.values(graph.flows)) {
    for (const { nodes } of bodiesOf(flow.body)) {
      for (const node of nodes) {
        if (node.kind !== "map") continue;
        const key = fieldOf(node.key, node.item);
        const needs = fieldOf(node.needs, node.item);
        if (key !== undefined && needs !== undefined) found.set(`${key} ${needs}`, { key, needs });
      }
    }
  }
  const all = [...found.values()];
  known.set(graph, all);
  return all;
}

/** The name in `item.name`. */
function fieldOf(expr: ExprIR | undefined, item: string): string | undefined {
  return expr?.kind === "field" && expr.of.kind === "ref" && expr.of.id === item ? expr.name : undefined;
}
