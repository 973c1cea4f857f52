/** Graphs written by hand, for tests of what only needs the graph. */
import type { Body, ExprIR, FlowIR, Graph, NodeIR, Policies, TypeIR } from "../../src/plan/ir.js";

const span = { file: "a.weave", start: 0, end: 0 };
const text: TypeIR = { kind: "string" };

export const ref = (id: string): ExprIR => ({ kind: "ref", id });
export const constant = (value: number | string | boolean): ExprIR => ({ kind: "const", value });
export const body = (nodes: readonly NodeIR[], result?: ExprIR): Body => ({ nodes, result: result ?? ref(nodes.at(-1)?.id ?? "none") });

interface More {
  readonly deps?: readonly string[];
  readonly after?: readonly string[];
  readonly policies?: Policies;
  readonly args?: readonly string[];
}

const base = (id: string, { deps = [], after = [], policies = {} }: More) =>
  ({ id, segment: id, span, type: text, deps, after, effect: "none", needed: true, policies }) as const;

/** A call of an agent; it uses what it depends on, and `args` beyond that. */
export const call = (id: string, more: More = {}): NodeIR => ({
  ...base(id, more),
  kind: "call",
  callee: { kind: "agent", id },
  args: [...(more.deps ?? []), ...(more.args ?? [])].map((from) => ({ param: from, value: ref(from) })),
});

/** A map with a body. */
export const map = (id: string, over: string, inner: Body, more: More = {}): NodeIR => ({
  ...base(id, more),
  kind: "map",
  over: ref(over),
  item: `${id}.item`,
  settle: false,
  body: inner,
});

/** A fork with a body for each branch. */
export const fork = (id: string, branches: Readonly<Record<string, Body>>, more: More = {}): NodeIR => ({
  ...base(id, more),
  kind: "fork",
  settle: false,
  branches: Object.entries(branches).map(([name, inner]) => ({ name, body: inner })),
});

/** A flow of one parameter `goal`. */
export const flow = (inner: Body, policies: Policies = {}): FlowIR => ({
  kind: "flow",
  id: "main",
  name: "main",
  params: [{ name: "goal", id: "goal", type: text }],
  result: text,
  span,
  policies,
  effect: "none",
  hash: "",
  body: inner,
});

/** A program of one flow. */
export const graphOf = (main: FlowIR): Graph => ({
  version: 1,
  file: "a.weave",
  entries: { main: "main" },
  flows: { main },
  agents: {},
  tools: {},
  capabilities: {},
  models: {},
  mcps: {},
  states: {},
  channels: {},
  handlers: [],
  tests: [],
  types: {},
  globals: [],
});
