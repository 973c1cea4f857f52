/** Programs written by hand as graphs, with tools that are JavaScript functions, and a way to run them. */

import { realClock, virtualClock } from "../../src/host/clock.js";
import type {
  AgentIR,
  BindingIR,
  Body,
  CalleeRef,
  EffectKind,
  ExprIR,
  FlowIR,
  Graph,
  ModelIR,
  NodeIR,
  ParamIR,
  Policies,
  ToolIR,
  TypeIR,
} from "../../src/plan/ir.js";
import type { Clock } from "../../src/runtime/clock.js";
import type { RunEvent } from "../../src/runtime/events.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { RunHandle, RunOptions, RunResult } from "../../src/runtime/run.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { running as runningNow } from "./always-replay.js";
import { functionsOnly } from "./tools.js";

export const span = { file: "test.weave", start: 0, end: 0 };
export const json: TypeIR = { kind: "json" };
export const int: TypeIR = { kind: "int" };
export const text: TypeIR = { kind: "string" };
export const bool: TypeIR = { kind: "bool" };
export const list = (of: TypeIR, more: { min?: number; max?: number } = {}): TypeIR => ({ kind: "list", of, ...more });
export const record = (fields: Readonly<Record<string, TypeIR>>): TypeIR => ({
  kind: "record",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, optional: false })),
});

export const k = (value: ExprIR extends { kind: "const"; value: infer V } ? V : unknown): ExprIR => ({
  kind: "const",
  value: value as never,
});
export const r = (id: string): ExprIR => ({ kind: "ref", id });
export const fieldOf = (of: ExprIR, name: string): ExprIR => ({ kind: "field", of, name });
export const listOf = (...values: readonly ExprIR[]): ExprIR => ({
  kind: "list",
  elements: values.map((value) => ({ value, spread: false })),
});
export const recordOf = (entries: Readonly<Record<string, ExprIR>>): ExprIR => ({
  kind: "record",
  entries: Object.entries(entries).map(([name, value]) => ({ name, value })),
});
export const fn = (name: string, ...args: readonly ExprIR[]): ExprIR => ({ kind: "builtin", name, args, span });
export const op = (operator: "+" | "-" | "*" | "==" | "!=" | "<" | "<=" | ">" | ">=", left: ExprIR, right: ExprIR): ExprIR => ({
  kind: "binary",
  op: operator,
  left,
  right,
  span,
});

export interface NodeMore {
  readonly deps?: readonly string[];
  readonly after?: readonly string[];
  readonly policies?: Policies;
  readonly segment?: string;
  readonly effect?: EffectKind;
  readonly type?: TypeIR;
  readonly needed?: boolean;
}

export const base = (id: string, more: NodeMore = {}) => ({
  id,
  segment: more.segment ?? id,
  span,
  type: more.type ?? json,
  deps: more.deps ?? [],
  after: more.after ?? [],
  effect: more.effect ?? ("none" as const),
  needed: more.needed ?? true,
  policies: more.policies ?? {},
});

export const call = (
  id: string,
  callee: string,
  args: Readonly<Record<string, ExprIR>>,
  more: NodeMore & { kind?: CalleeRef["kind"] } = {},
): NodeIR => ({
  ...base(id, { segment: callee, ...more }),
  kind: "call",
  callee: { kind: more.kind ?? "tool", id: callee },
  args: Object.entries(args).map(([param, value]) => ({ param, value })),
});
export const value = (id: string, of: ExprIR, more: NodeMore = {}): NodeIR => ({ ...base(id, more), kind: "value", value: of });
/** Nodes that have a segment in common get one of their own each, as the compiler gives it. */
export const body = (nodes: readonly NodeIR[], result: ExprIR): Body => {
  const counts = new Map<string, number>();
  const own = nodes.map((node) => {
    const count = (counts.get(node.segment) ?? 0) + 1;
    counts.set(node.segment, count);
    return count === 1 ? node : { ...node, segment: `${node.segment}#${count}` };
  });
  return { nodes: own, result };
};

export interface MapMore extends NodeMore {
  readonly index?: string;
  readonly where?: ExprIR;
  readonly key?: ExprIR;
  readonly needs?: ExprIR;
  readonly giving?: string;
  readonly settle?: boolean;
}
export const map = (id: string, over: ExprIR, item: string, inner: Body, more: MapMore = {}): NodeIR => {
  const { index, where, key, needs, giving } = more;
  return {
    ...base(id, more),
    kind: "map",
    over,
    item,
    settle: more.settle ?? false,
    body: inner,
    ...(index === undefined ? {} : { index }),
    ...(where === undefined ? {} : { where }),
    ...(key === undefined ? {} : { key }),
    ...(needs === undefined ? {} : { needs }),
    ...(giving === undefined ? {} : { giving }),
  };
};

export const param = (name: string, type: TypeIR = json, more: Partial<ParamIR> = {}): ParamIR => ({ name, id: name, type, ...more });

export const flow = (
  id: string,
  params: readonly ParamIR[],
  inner: Body,
  more: { policies?: Policies; result?: TypeIR; effect?: EffectKind } = {},
): FlowIR => ({
  kind: "flow",
  id,
  name: id,
  params,
  result: more.result ?? json,
  span,
  policies: more.policies ?? {},
  effect: more.effect ?? "none",
  hash: id,
  body: inner,
});

export interface ToolMore {
  readonly params?: readonly ParamIR[];
  readonly result?: TypeIR;
  readonly policies?: Policies;
  readonly effect?: EffectKind;
  readonly binding?: BindingIR;
}
export const tool = (id: string, more: ToolMore = {}): ToolIR => ({
  kind: "tool",
  id,
  name: id,
  params: more.params ?? [param("x")],
  result: more.result ?? json,
  span,
  policies: more.policies ?? {},
  effect: more.effect ?? "none",
  hash: id,
  binding: more.binding ?? { kind: "module", file: "test", export: id },
  untrusted: false,
});

export const agent = (id: string, more: Partial<AgentIR> = {}): AgentIR => ({
  kind: "agent",
  id,
  name: id,
  params: [param("x")],
  result: text,
  span,
  policies: {},
  effect: "none",
  hash: id,
  model: "m",
  prompt: {
    kind: "template",
    parts: [
      { kind: "text", text: `${id} ` },
      { kind: "value", value: fn("json", r("x")), as: "plain" },
    ],
  },
  tools: [],
  maxTurns: 10,
  maxCallsPerTurn: 8,
  maxToolResult: 64_000,
  repairs: 2,
  ...more,
});

export const model = (id: string, more: Partial<ModelIR> = {}): ModelIR => ({
  id,
  name: id,
  span,
  provider: "sim",
  model: id,
  price: { input: 1, output: 5 },
  context: 200_000,
  maxOutput: 1000,
  options: {},
  ...more,
});

export interface Parts {
  readonly flows: readonly FlowIR[];
  readonly tools?: readonly ToolIR[];
  readonly agents?: readonly AgentIR[];
  readonly models?: readonly ModelIR[];
  readonly types?: Readonly<Record<string, TypeIR>>;
}
const byId = <T extends { readonly id: string }>(xs: readonly T[]): Record<string, T> => Object.fromEntries(xs.map((x) => [x.id, x]));

export function graph(parts: Parts): Graph {
  return {
    version: 1,
    file: "test.weave",
    entries: Object.fromEntries(parts.flows.map((each) => [each.name, each.id])),
    flows: byId(parts.flows),
    agents: byId(parts.agents ?? []),
    tools: byId(parts.tools ?? []),
    capabilities: {},
    models: byId(parts.models ?? [model("m")]),
    mcps: {},
    states: {},
    channels: {},
    handlers: [],
    tests: [],
    types: parts.types ?? {},
    globals: [],
  };
}

export interface Running {
  readonly tools?: Readonly<Record<string, ToolFunction>>;
  readonly provider?: Provider;
  readonly clock?: Clock;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly options?: Partial<RunOptions>;
  readonly flow?: string;
}

/** Starts the flow `main`; time is virtual unless a clock is given. */
export function start(of: Graph, running: Running = {}): { readonly handle: RunHandle; readonly events: RunEvent[] } {
  const events: RunEvent[] = [];
  const options: RunOptions = {
    clock: running.clock ?? virtualClock(),
    tools: functionsOnly((wanted) => {
      const found = running.tools?.[wanted.id];
      return found === undefined ? Promise.reject(new Error(`no function for ${wanted.id}`)) : Promise.resolve(found);
    }),
    models: { provider: () => running.provider ?? { missing: "provider", known: [] } },
    environment: () => undefined,
    onEvent: (event) => events.push(event),
    ...running.options,
  };
  return { handle: runningNow(of, running.flow ?? "main", running.inputs ?? {}, options), events };
}

export async function finish(
  of: Graph,
  running: Running = {},
): Promise<{ readonly result: RunResult; readonly events: readonly RunEvent[] }> {
  const { handle, events } = start(of, running);
  return { result: await handle.result, events };
}

/** A tool that takes a while on the clock of the run. */
export function takes(ms: number | ((x: unknown) => number), then: (x: unknown) => unknown = (x) => x): ToolFunction {
  return ({ x }, context) => onClock(context.clock, typeof ms === "number" ? ms : ms(x), context).then(() => then(x));
}

/** Waits on the run's clock, and stops waiting when aborted. */
export function onClock(clock: Clock, ms: number, context?: { readonly signal: AbortSignal }): Promise<void> {
  clock.release();
  return new Promise<void>((resolve, reject) => {
    const done = (finish: () => void) => () => {
      clock.hold();
      finish();
    };
    const cancelTimer = clock.after(ms, done(resolve));
    context?.signal.addEventListener("abort", () => {
      cancelTimer();
      done(() => reject(new DOMException("aborted", "AbortError")))();
    });
  });
}

export { realClock, virtualClock };
