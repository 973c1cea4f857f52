/**
 * What tests can reach in a program: its agents, the arms of `match` and `if`, the bodies of `recover`, and fallbacks.
 * `instrument` lists them and makes a graph that says, while it runs, which arm it enters; whatever stands more than
 * once in the graph (a generic flow that is used twice) counts once, by its place in the source.
 */
import type { Span } from "../source/source.js";
import type { Body, Graph, Json, Policies } from "./ir.js";
import { bodiesOf } from "./walk.js";

export interface Coverable {
  readonly kind: "agent" | "arm" | "recover" | "fallback";
  /** What a report calls it. */
  readonly name: string;
  readonly span: Span;
  /** What is told when it is reached. */
  readonly key: string;
}

/** The function that an instrumented graph calls with the key of an arm; it gives its second argument. */
export const REACHED = "test.reached";

export interface Instrumented {
  readonly graph: Graph;
  readonly coverable: readonly Coverable[];
}

type Data = Readonly<Record<string, unknown>>;

/** The graph with its arms marked, and all that can be reached in it. */
export function instrument(graph: Graph): Instrumented {
  const found = new Map<string, Coverable>();
  const note = (kind: Coverable["kind"], name: string, span: Span, key = `${kind} ${span.file}:${span.start} ${name}`): string => {
    if (!span.file.startsWith("std:") && !found.has(key)) found.set(key, { kind, name, span, key });
    return key;
  };
  const flows = Object.fromEntries(
    Object.entries(graph.flows).map(([id, flow]) => [id, { ...flow, body: marked(flow.body, note) as unknown as Body }]),
  );
  const handlers = graph.handlers.map((handler) => ({ ...handler, body: marked(handler.body, note) as unknown as Body }));
  for (const agent of Object.values(graph.agents)) note("agent", agent.name, agent.span, agentKey(agent.name));
  noteFallbacks(graph, note);
  return { graph: { ...graph, flows, handlers }, coverable: [...found.values()] };
}

export const agentKey = (name: string): string => `agent ${name}`;
/** `from` is empty for an expression that is no call. */
export const fallbackKey = (from: string, to: string): string => `fallback ${from} ${to}`;

type Note = (kind: Coverable["kind"], name: string, span: Span, key?: string) => string;

function noteFallbacks(graph: Graph, note: Note): void {
  const nameOf = (id: string): string => (graph.agents[id] ?? graph.tools[id] ?? graph.flows[id] ?? graph.capabilities[id])?.name ?? id;
  const each = (policies: Policies, from: string, span: Span): void => {
    for (const { id } of policies.fallback ?? [])
      note("fallback", from === "" ? `to ${nameOf(id)}` : `of ${from} to ${nameOf(id)}`, span, fallbackKey(from, nameOf(id)));
  };
  for (const all of [graph.agents, graph.tools, graph.flows])
    for (const callable of Object.values(all)) each(callable.policies, callable.name, callable.span);
  for (const flow of Object.values(graph.flows)) {
    for (const body of bodiesOf(flow.body)) {
      for (const node of body.nodes) each(node.policies, node.kind === "call" ? nameOf(node.callee.id) : "", node.span);
    }
  }
}

/** A copy in which every arm tells when it is entered. */
function marked(value: unknown, note: Note): unknown {
  if (Array.isArray(value)) return value.map((each) => marked(each, note));
  if (typeof value !== "object" || value === null || ("kind" in value && value.kind === "const")) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) copy[name] = name === "span" || name === "type" ? inner : marked(inner, note);
  return isNode(copy) ? markedNode(copy, note) : markedExpression(copy, note);
}

/** Parts of templates have kinds like those of nodes, but no policies. */
const isNode = (value: Data): boolean => "policies" in value && "segment" in value;

function markedNode(node: Data, note: Note): Data {
  const span = node["span"] as Span;
  switch (node["kind"]) {
    case "if": {
      // What `&&`, `||` and `??` become has no arms; an `else` that was not written has nothing inside.
      if (node["segment"] === "and" || node["segment"] === "or" || node["segment"] === "default") return node;
      const otherwise = node["else"] as Body;
      const empty = otherwise.nodes.length === 0 && isNull(otherwise.result);
      return {
        ...node,
        then: entering(node["then"] as Body, note("arm", "then of `if`", span), span),
        else: empty ? otherwise : entering(otherwise, note("arm", "else of `if`", span), span),
      };
    }
    case "match":
      return {
        ...node,
        arms: (node["arms"] as readonly { readonly name: string; readonly body: Body; readonly span?: Span }[]).map((arm) => ({
          ...arm,
          body: entering(arm.body, note("arm", "of `match`", arm.span ?? span), span),
        })),
      };
    case "try":
      return { ...node, recover: entering(node["recover"] as Body, note("recover", "", span), span) };
    default:
      return node;
  }
}

function markedExpression(expr: Data, note: Note): Data {
  if (expr["kind"] === "cond" && expr["span"] !== undefined) {
    const span = expr["span"] as Span;
    return {
      ...expr,
      then: telling(expr["then"], note("arm", "then of `if`", span), span),
      else: isNull(expr["else"]) ? expr["else"] : telling(expr["else"], note("arm", "else of `if`", span), span),
    };
  }
  if (expr["kind"] !== "switch") return expr;
  const arms = expr["arms"] as readonly { readonly body: unknown; readonly span?: Span }[];
  return {
    ...expr,
    arms: arms.map((arm) =>
      arm.span === undefined ? arm : { ...arm, body: telling(arm.body, note("arm", "of `match`", arm.span), arm.span) },
    ),
  };
}

const isNull = (value: unknown): boolean => {
  const expr = value as { readonly kind?: unknown; readonly value?: Json };
  return expr.kind === "const" && expr.value === null;
};

/** The expression, telling that it is worked out. */
const telling = (value: unknown, key: string, span: Span): Data => ({
  kind: "builtin",
  name: REACHED,
  args: [{ kind: "const", value: key }, value],
  span,
});

/** The body, telling that it is entered. */
function entering(body: Body, key: string, span: Span): Data {
  const node = {
    ...{ kind: "value", id: key, segment: key, span, type: { kind: "null" }, deps: [], after: [], effect: "none", needed: true },
    ...{ policies: {}, value: telling({ kind: "const", value: null }, key, span) },
  };
  return { ...body, nodes: [node, ...body.nodes] };
}
