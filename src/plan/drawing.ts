/**
 * What a drawing of a flow shows, whatever it is drawn with: its steps in the order of the source, the edges between
 * them, and regions as steps with parts inside. Nothing of the graph is left out but values that only pass through.
 */
import { bounds } from "./bounds.js";
import { criticalPath } from "./graph.js";
import type { Body, CalleeRef, ExprIR, FlowIR, Graph, NodeIR, Policies } from "./ir.js";
import { expressionText, typeText } from "./text.js";
import { forEachRef, innerBodies, refsOf } from "./walk.js";

export type Shape = "input" | "output" | "agent" | "tool" | "effect" | "flow" | "capability" | "channel" | "value" | "guard" | "region";

export interface DrawnStep {
  /** Unique in the drawing, letters and digits only. */
  readonly id: string;
  /** Its id in the graph; undefined for the inputs and the result. */
  readonly node: string | undefined;
  readonly shape: Shape;
  readonly title: string;
  /** Smaller texts below the title: kind, model, policies. */
  readonly notes: readonly string[];
  readonly parts: readonly DrawnPart[];
  /** Whether it is on the longest chain of its body. */
  readonly critical: boolean;
}

export interface DrawnPart {
  readonly title: string;
  readonly steps: readonly DrawnStep[];
  readonly edges: readonly DrawnEdge[];
}

export interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  /** `value`: needs its value; `order`: only waits for it. */
  readonly kind: "value" | "order";
  readonly critical: boolean;
}

export interface Drawing extends DrawnPart {
  readonly flow: string;
  readonly notes: readonly string[];
  /** Calls in the longest chain. */
  readonly depth: number;
}

/** What a drawing of a flow shows. */
export function drawingOf(graph: Graph, flow: FlowIR): Drawing {
  let count = 0;
  const newId = (): string => `s${++count}`;
  const names = new Map(flow.params.map((param) => [param.id, param.name]));
  const context: Context = { graph, names, newId };
  const { steps, edges, ids } = drawBody(context, flow.body);

  const top: DrawnStep[] = [];
  const all = [...edges];
  // Only the ends of the longest chain are joined to inputs and result in bold.
  const chain = criticalPath(flow.body)
    .steps.map((id) => ids.get(id))
    .filter((id) => id !== undefined);
  if (flow.params.length > 0) {
    const input = plain(newId(), "input", flow.params.map((param) => `${param.name}: ${typeText(param.type)}`).join("\n"));
    top.push(input);
    const params = new Set(flow.params.map((param) => param.id));
    const fed = new Set(edges.map((edge) => edge.to));
    for (const node of flow.body.nodes) {
      const id = ids.get(node.id);
      // A step that comes after others gets the inputs' edge drawn only once, where the inputs come in first.
      if (id !== undefined && !fed.has(id) && [...refsOf(node)].some((ref) => params.has(ref))) {
        all.push({ from: input.id, to: id, kind: "value", critical: id === chain[0] });
      }
    }
  }
  const output = plain(newId(), "output", typeText(flow.result));
  const feeding = feeders(flow.body, ids);
  for (const from of feeding.size > 0 ? feeding : sinksOf(steps, edges)) {
    all.push({ from, to: output.id, kind: "value", critical: from === chain.at(-1) });
  }
  if (steps.length === 0 && top[0] !== undefined) all.push({ from: top[0].id, to: output.id, kind: "value", critical: false });
  return {
    flow: flow.name,
    title: flow.name,
    notes: policyNotes(flow.policies, names),
    depth: criticalPath(flow.body).length,
    steps: [...top, ...steps, output],
    edges: all,
  };
}

interface Context {
  readonly graph: Graph;
  readonly names: Map<string, string>;
  readonly newId: () => string;
}

const plain = (id: string, shape: Shape, title: string): DrawnStep => ({
  id,
  node: undefined,
  shape,
  title,
  notes: [],
  parts: [],
  critical: false,
});

function sinksOf(steps: readonly DrawnStep[], edges: readonly DrawnEdge[]): string[] {
  const left = new Set(edges.map((edge) => edge.from));
  return steps.filter((step) => !left.has(step.id)).map((step) => step.id);
}

interface DrawnBody {
  readonly steps: DrawnStep[];
  readonly edges: DrawnEdge[];
  /** Drawn ids by the node's id. */
  readonly ids: ReadonlyMap<string, string>;
}

/** The drawn steps that a body's result refers to; values that only pass through lead back to what they are made of. */
function feeders(body: Body, ids: ReadonlyMap<string, string>): ReadonlySet<string> {
  const found = new Set<string>();
  const nodes = new Map(body.nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  const visit = (id: string): void => {
    if (seen.has(id)) return;
    seen.add(id);
    const drawn = ids.get(id);
    if (drawn !== undefined) found.add(drawn);
    else nodes.get(id)?.deps.forEach(visit);
  };
  forEachRef(body.result, visit);
  return found;
}

function drawBody(context: Context, body: Body): DrawnBody {
  for (const node of body.nodes) nameNode(context.names, node);
  const shown = body.nodes.filter((node) => node.kind !== "value" || body.nodes.length === 1);
  const hidden = new Map(body.nodes.filter((node) => !shown.includes(node)).map((node) => [node.id, node]));
  const ids = new Map(shown.map((node) => [node.id, context.newId()]));
  const critical = criticalPath(body).steps.filter((id) => ids.has(id));
  const steps = shown.map((node) => drawStep(context, node, ids.get(node.id) ?? "", critical.includes(node.id)));

  /** What a step waits for, with hidden values replaced by what they wait for. */
  const sources = (waits: readonly string[], seen = new Set<string>()): Set<string> => {
    for (const id of waits) {
      const through = hidden.get(id);
      if (through === undefined) seen.add(id);
      else sources([...through.deps, ...through.after], seen);
    }
    return seen;
  };
  const edges: DrawnEdge[] = [];
  for (const node of shown) {
    const values = sources(node.deps);
    const orders = sources(node.after);
    const edge = (from: string, kind: DrawnEdge["kind"]): void => {
      const [a, b] = [ids.get(from), ids.get(node.id)];
      if (a === undefined || b === undefined) return;
      const at = critical.indexOf(from);
      edges.push({ from: a, to: b, kind, critical: at >= 0 && critical[at + 1] === node.id });
    };
    for (const id of values) edge(id, "value");
    for (const id of orders) if (!values.has(id)) edge(id, "order");
  }
  return { steps, edges: withoutShortcuts(edges), ids };
}

/** Leaves out an `order` edge where a chain of other edges says the same. */
function withoutShortcuts(edges: readonly DrawnEdge[]): DrawnEdge[] {
  const next = new Map<string, string[]>();
  for (const edge of edges) next.set(edge.from, [...(next.get(edge.from) ?? []), edge.to]);
  const reaches = (from: string, to: string): boolean => {
    const seen = new Set<string>();
    const waiting = (next.get(from) ?? []).filter((id) => id !== to);
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (id === to) return true;
      if (seen.has(id)) continue;
      seen.add(id);
      waiting.push(...(next.get(id) ?? []));
    }
    return false;
  };
  return edges.filter((edge) => edge.kind === "value" || edges.length > 500 || !reaches(edge.from, edge.to));
}

/** A segment without the number that tells it from its like. */
const plainName = (segment: string): string => segment.replace(/#\d+$/, "");

/** Remembers how the names that a node binds were written, for the texts of expressions. */
function nameNode(names: Map<string, string>, node: NodeIR): void {
  names.set(node.id, plainName(node.id));
}

function drawStep(context: Context, node: NodeIR, id: string, critical: boolean): DrawnStep {
  const parts = innerBodies(node).map(({ name, body }): DrawnPart => {
    const drawn = drawBody(context, body);
    const only = drawn.steps.length === 0 ? [plain(context.newId(), "value", expressionText(body.result, context.names))] : drawn.steps;
    return { title: name, steps: only, edges: drawn.edges };
  });
  const { shape, title, notes } = describe(context, node);
  return {
    id,
    node: node.id,
    shape,
    title,
    notes: [...notes, ...policyNotes(policiesOf(context.graph, node), context.names)],
    parts,
    critical,
  };
}

/** The policies of a node, for a call with those of what is called that it does not override. */
function policiesOf(graph: Graph, node: NodeIR): Policies {
  if (node.kind !== "call") return node.policies;
  const { kind, id } = node.callee;
  const callee = kind === "agent" ? graph.agents[id] : kind === "tool" ? graph.tools[id] : kind === "flow" ? graph.flows[id] : undefined;
  return { ...callee?.policies, ...node.policies };
}

interface Description {
  readonly shape: Shape;
  readonly title: string;
  readonly notes: readonly string[];
}

function describe({ graph, names }: Context, node: NodeIR): Description {
  const text = (expr: ExprIR): string => expressionText(expr, names);
  const region = (title: string, ...notes: string[]): Description => ({ shape: "region", title, notes });
  const guard = (title: string): Description => ({ shape: "guard", title, notes: [] });
  const named = plainName(node.segment);
  const titled = (kind: string): string => (named === kind ? kind : `${kind} ${named}`);
  switch (node.kind) {
    case "call":
      return describeCallee(graph, node.callee, node.policies);
    case "value":
      return { shape: "value", title: `${named} = ${text(node.value)}`, notes: [] };
    case "map":
      return region(
        `${node.settle ? "settle " : ""}${titled("map")}`,
        `over ${text(node.over)}`,
        ...(node.needs === undefined ? [] : [`after ${text(node.needs)}`]),
      );
    case "fork":
      return region(`${node.settle ? "settle " : ""}${titled("fork")}`);
    case "race":
      return region(titled("race"));
    case "vote":
      return region(`vote ${text(node.times)}`, ...(node.early === undefined ? [] : [`early ${text(node.early)}`]));
    case "loop":
      return region(titled("loop"), `up to ${text(node.times)}`);
    case "reduce":
      return region(titled("reduce"), ...(node.groups === undefined ? ["two to one"] : [`groups of ${text(node.groups)}`]));
    case "fold":
      return region(titled("fold"), "left to right");
    case "if":
      return region(`if ${text(node.test)}`);
    case "match":
      return region(`match ${text(node.value)}`);
    case "try":
      return region(titled("try"));
    case "scope":
      return region(named);
    case "assert":
      return guard(`assert ${text(node.test)}`);
    case "stop":
      return guard(`stop when ${text(node.test)}`);
    case "ask":
      return guard(`ask ${text(node.question)}`);
    case "read":
      return { shape: "value", title: `read ${graph.states[node.state]?.name ?? node.state}`, notes: [] };
    case "set":
      return { shape: "effect", title: `set ${graph.states[node.state]?.name ?? node.state}`, notes: [] };
    case "send":
      return { shape: "channel", title: `send ${graph.channels[node.channel]?.name ?? node.channel}`, notes: [] };
    case "orchestrate":
      return { shape: "agent", title: "orchestrate", notes: [`team of ${node.team.length}`] };
  }
}

function describeCallee(graph: Graph, { kind, id }: CalleeRef, policies: Policies): Description {
  switch (kind) {
    case "agent": {
      const agent = graph.agents[id];
      const model = agent === undefined ? undefined : graph.models[agent.model]?.name;
      return { shape: "agent", title: agent?.name ?? id, notes: [model === undefined ? "agent" : `agent · ${model}`] };
    }
    case "tool": {
      const tool = graph.tools[id];
      const effect = tool?.effect === "effect";
      return {
        shape: effect ? "effect" : "tool",
        title: tool?.name ?? id,
        notes: [effect ? "effect tool" : tool?.effect === "reads" ? "tool · reads" : "tool"],
      };
    }
    case "flow":
      return { shape: "flow", title: graph.flows[id]?.name ?? id, notes: ["flow"] };
    case "capability":
      return { shape: "capability", title: graph.capabilities[id]?.name ?? id, notes: [choiceNote(graph, id, policies)] };
    case "channel":
      return { shape: "channel", title: graph.channels[id]?.name ?? id, notes: ["channel"] };
  }
}

/** The implementations that a call may choose, the first choice first. */
function choiceNote(graph: Graph, id: string, policies: Policies): string {
  const capability = graph.capabilities[id];
  if (capability === undefined) return "a choice";
  const [first, ...others] = bounds(graph).possible(capability, policies);
  if (first === undefined) return "nothing fits";
  return others.length === 0 ? first.name : `${first.name}, else ${others.map((offer) => offer.name).join(", ")}`;
}

/** The policies that say how often, how many, how long and for how much. */
function policyNotes(policies: Policies, names: ReadonlyMap<string, string>): string[] {
  const text = (expr: ExprIR): string => expressionText(expr, names);
  const amount = (expr: ExprIR): string =>
    expr.kind === "const" && typeof expr.value === "number" ? expr.value.toLocaleString("en-US") : text(expr);
  const notes: string[] = [];
  const { parallel, minSuccess, retry, timeout, budget, cache, compensate, hedge, approve, isolate, fallback } = policies;
  if (parallel) notes.push(`≤ ${text(parallel.max)} at once`);
  if (minSuccess)
    notes.push(
      minSuccess.share && minSuccess.value.kind === "const" ? `≥ ${Number(minSuccess.value.value) * 100} %` : `≥ ${text(minSuccess.value)}`,
    );
  if (retry) notes.push(`retry ${text(retry.times)}`);
  if (timeout) notes.push(`timeout ${milliseconds(timeout.after, text)}`);
  if (budget?.cost) notes.push(`≤ ${budget.cost.kind === "const" ? `$${Number(budget.cost.value).toFixed(2)}` : text(budget.cost)}`);
  if (budget?.tokens) notes.push(`≤ ${amount(budget.tokens)} tokens`);
  if (budget?.calls) notes.push(`≤ ${amount(budget.calls)} calls`);
  if (budget?.time) notes.push(`≤ ${milliseconds(budget.time, text)}`);
  if (cache) notes.push("cached");
  if (compensate) notes.push(`undone by ${compensate.callee.id}`);
  if (hedge) notes.push(`hedged after ${milliseconds(hedge.after, text)}`);
  if (approve) notes.push("approved by a person");
  if (isolate) notes.push("in a worktree");
  if (fallback) notes.push(`else ${fallback.map((callee) => callee.id).join(", ")}`);
  return notes;
}

function milliseconds(expr: ExprIR, text: (expr: ExprIR) => string): string {
  if (expr.kind !== "const" || typeof expr.value !== "number") return text(expr);
  const ms = expr.value;
  for (const [unit, size] of [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}
