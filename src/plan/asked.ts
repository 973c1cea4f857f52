/** What a flow may ask a person: its questions and approvals, and those of the flows it calls, in the order of the source. */
import type { Body, CalleeRef, ExprIR, FlowIR, Graph, Policies } from "./ir.js";
import { expressionText, typeText } from "./text.js";
import { declarationOf, innerBodies } from "./walk.js";

export interface Asked {
  readonly kind: "ask" | "approve";
  /** As it is written. */
  readonly question: string;
  /** The type of the answer. */
  readonly answer: string;
  /** The flow it stands in, or the callable that is approved. */
  readonly by: string;
}

const ROOM = 72;
const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** Every question that a run of the flow may ask, each once. */
export function askedBy(graph: Graph, flow: FlowIR): readonly Asked[] {
  const found: Asked[] = [];
  const seen = new Set<string>();
  const say = (expr: ExprIR): string => expressionText(expr, NO_NAMES, ROOM);
  const approval = ({ approve }: Policies, by: string): void => {
    if (approve !== undefined) found.push({ kind: "approve", question: say(approve.why), answer: "bool", by });
  };
  const callee = (ref: CalleeRef): void => {
    const key = `${ref.kind} ${ref.id}`;
    if (ref.kind === "channel" || seen.has(key)) return;
    seen.add(key);
    const ir = declarationOf(graph, ref);
    approval(ir.policies, ir.name);
    for (const other of ir.policies.fallback ?? []) callee(other);
    if (ir.kind === "flow") body(ir.body, ir.name);
    if (ir.kind === "capability") for (const other of ir.implementations) callee(other);
    if (ir.kind === "agent") for (const tool of ir.tools) callee(tool);
  };
  const body = (of: Body, by: string): void => {
    for (const node of of.nodes) {
      approval(node.policies, node.kind === "call" ? nameOf(graph, node.callee) : by);
      if (node.kind === "ask") found.push({ kind: "ask", question: say(node.question), answer: typeText(node.answer), by });
      if (node.kind === "call") callee(node.callee);
      for (const other of node.policies.fallback ?? []) callee(other);
      for (const inner of innerBodies(node)) body(inner.body, by);
    }
  };
  callee({ kind: "flow", id: flow.id });
  return found;
}

const nameOf = (graph: Graph, ref: CalleeRef): string => (ref.kind === "channel" ? ref.id : declarationOf(graph, ref).name);
