/**
 * What an edited program still has of a run: the places of calls, without the keys of items and the numbers of rounds, of
 * every call that a flow can make. An effect that was carried out and has no place any more must not be forgotten.
 */
import type { Body, CalleeRef, Graph } from "../plan/ir.js";
import { declarationOf, innerBodies } from "../plan/walk.js";
import { inside } from "./body.js";
import type { StoredRun } from "./store.js";

/** A path without keys and numbers. */
export function placeOf(path: string): string {
  let out = "";
  let depth = 0;
  for (const char of path) {
    if (char === "[") depth++;
    else if (char === "]" && depth > 0) depth--;
    else if (depth === 0) out += char;
  }
  return out.replace(/~\d+/g, "");
}

/** Effects that a run carried out and whose place is gone. */
export function vanished(stored: StoredRun, graph: Graph): readonly string[] {
  const { start, events } = stored;
  const done = new Set<string>();
  const effects = new Set<string>();
  for (const event of events) {
    if (event.kind === "call.attempted" && event.effect) effects.add(event.path);
    if (event.kind === "call.completed" && effects.has(event.path)) done.add(event.path);
    if (event.kind === "call.completed" && event.path.endsWith("/undo")) done.delete(event.path.slice(0, -"/undo".length));
  }
  const places = placesOfFlow(graph, start.flow);
  return [...done].filter((path) => !path.endsWith("/undo") && !places.has(placeOf(path)));
}

/** The places of every call that a flow can make. */
export function placesOfFlow(graph: Graph, flow: string): ReadonlySet<string> {
  const places = new Set<string>();
  const id = graph.entries[flow] ?? flow;
  if (graph.flows[id] !== undefined) placesIn(graph, { kind: "flow", id }, flow, places);
  return places;
}

function placesIn(graph: Graph, ref: CalleeRef, path: string, places: Set<string>): void {
  places.add(path);
  if (ref.kind === "channel") return;
  const ir = declarationOf(graph, ref);
  for (const other of ir.policies.fallback ?? []) placesIn(graph, other, `${path}/${declarationOf(graph, other).name}`, places);
  if (ir.kind === "flow") placesOf(graph, ir.body, path, places);
  if (ir.kind === "capability")
    for (const other of ir.implementations) placesIn(graph, other, `${path}/${declarationOf(graph, other).name}`, places);
  if (ir.kind === "agent")
    for (const tool of ir.tools) {
      const name = declarationOf(graph, tool).name;
      // A model may call a tool again and again.
      for (let i = 1; i <= ir.maxTurns * ir.maxCallsPerTurn; i++) placesIn(graph, tool, `${path}/${name}${i > 1 ? `#${i}` : ""}`, places);
    }
}

function placesOf(graph: Graph, body: Body, path: string, places: Set<string>): void {
  for (const node of body.nodes) {
    const at = inside(path, node.segment);
    if (node.kind === "call") {
      placesIn(graph, node.callee, at, places);
      for (const other of node.policies.fallback ?? []) placesIn(graph, other, `${at}/${declarationOf(graph, other).name}`, places);
      continue;
    }
    if (node.kind === "if") {
      placesOf(graph, node.then, `${at}/then`, places);
      placesOf(graph, node.else, `${at}/else`, places);
    } else if (node.kind === "match") for (const arm of node.arms) placesOf(graph, arm.body, `${at}/${arm.name}`, places);
    else if (node.kind === "fork" || node.kind === "race")
      for (const branch of node.branches) placesOf(graph, branch.body, `${at}/${branch.name}`, places);
    else if (node.kind === "try") {
      placesOf(graph, node.body, at, places);
      placesOf(graph, node.recover, `${at}/recover`, places);
    } else if (node.kind === "ask" && node.otherwise !== undefined) placesOf(graph, node.otherwise, `${at}/else`, places);
    else for (const inner of innerBodies(node)) placesOf(graph, inner.body, at, places);
  }
}
