/**
 * Information flow: text that came from an `@untrusted` tool (or a parameter or field typed `untrusted`) must not become
 * an argument of an effect, nor be shown to an agent that holds effects, unless a person approves or the program says
 * `trust`. Followed through the specialised graph: flows are analysed once for each set of parameters that carry
 * untrusted text, records field by field. A value whose type holds no free text is never untrusted.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Span } from "../source/source.js";
import type { AgentIR, Body, CalleeRef, ExprIR, Graph, NodeIR, ParamIR, PatternIR, Policies, ToolIR, TypeIR } from "./ir.js";

/** Where untrusted text came from, in words: "`fetch_page`". Undefined: none. Fields where they differ. */
interface Taint {
  readonly source: string | undefined;
  readonly fields?: ReadonlyMap<string, Taint>;
}

const CLEAN: Taint = { source: undefined };

interface Known {
  readonly taint: Taint;
  readonly type: TypeIR | undefined;
}

type Scope = Map<string, Known>;

export function checkInformationFlow(graph: Graph, problems: Problems): void {
  const results = new Map<string, Taint>();
  const fetches = new Map<string, string | undefined>();
  const states = new Map<string, Taint>();

  // State may carry text from a later reader to an earlier one: twice is enough, taint only grows.
  for (let round = 0; round < 2; round++) {
    results.clear();
    for (const id of Object.values(graph.entries)) flowResult(id, []);
    for (const handler of graph.handlers) {
      const scope: Scope = new Map([[handler.param, { taint: handler.on.kind === "state" ? (states.get(handler.on.id) ?? CLEAN) : CLEAN, type: undefined }]]);
      walkBody(handler.body, scope);
    }
  }
  for (const agent of Object.values(graph.agents)) checkHolder(agent, undefined, agent.span);

  function flowResult(id: string, args: readonly Taint[]): Taint {
    const flow = graph.flows[id];
    if (flow === undefined) return CLEAN;
    const key = `${id} ${args.map((t) => (isTainted(t) ? "1" : "0")).join("")}`;
    const known = results.get(key);
    if (known !== undefined) return known;
    results.set(key, CLEAN);
    const scope: Scope = new Map(flow.params.map((p, i) => [p.id, { taint: merge(args[i] ?? CLEAN, declared(p)), type: p.type }]));
    const result = masked(walkBody(flow.body, scope), flow.result);
    results.set(key, result);
    return result;
  }

  function declared(p: ParamIR): Taint {
    return p.untrusted === true ? { source: `the parameter \`${p.name}\`` } : ofType(p.type, `the parameter \`${p.name}\``);
  }

  /** What a declared type says: its `untrusted` fields. */
  function ofType(type: TypeIR, owner: string): Taint {
    if (type.kind !== "record") return type.kind === "list" ? ofType(type.of, owner) : CLEAN;
    const fields = new Map<string, Taint>();
    for (const f of type.fields) {
      const taint = f.untrusted === true ? { source: `the field \`${f.name}\`` } : ofType(f.type, owner);
      if (isTainted(taint)) fields.set(f.name, taint);
    }
    return fields.size === 0 ? CLEAN : { source: undefined, fields };
  }

  function walkBody(body: Body, scope: Scope): Taint {
    for (const node of body.nodes) scope.set(node.id, { taint: masked(walkNode(node, scope), node.type), type: node.type });
    return taintOf(body.result, scope).taint;
  }

  function walkNode(node: NodeIR, scope: Scope): Taint {
    const inside = (body: Body, ...bound: readonly (readonly [string, Known])[]): Taint => walkBody(body, new Map([...scope, ...bound]));
    switch (node.kind) {
      case "value":
        return taintOf(node.value, scope).taint;
      case "call":
        return walkCall(node, scope);
      case "map": {
        const over = taintOf(node.over, scope);
        const item: Known = { taint: over.taint, type: over.type?.kind === "list" ? over.type.of : undefined };
        const bound: (readonly [string, Known])[] = [[node.item, item]];
        if (node.index !== undefined) bound.push([node.index, { taint: CLEAN, type: { kind: "int" } }]);
        const first = inside(node.body, ...bound);
        return node.giving === undefined ? first : inside(node.body, ...bound, [node.giving, { taint: first, type: undefined }]);
      }
      case "fork":
        return { source: undefined, fields: new Map(node.branches.map((branch) => [branch.name, inside(branch.body)])) };
      case "race":
        return node.branches.map((branch) => inside(branch.body)).reduce(merge, CLEAN);
      case "vote":
      case "scope":
        return inside(node.body);
      case "loop": {
        const init = taintOf(node.init, scope);
        const first = inside(node.body, [node.state, { taint: init.taint, type: node.type }]);
        const again = merge(init.taint, first);
        return merge(again, inside(node.body, [node.state, { taint: again, type: node.type }]));
      }
      case "reduce":
      case "fold": {
        const over = taintOf(node.over, scope).taint;
        const start = node.kind === "fold" ? merge(over, taintOf(node.start, scope).taint) : over;
        const names = node.kind === "fold" ? [node.acc, node.item] : node.params;
        return merge(start, inside(node.body, ...names.map((name) => [name, { taint: start, type: undefined }] as const)));
      }
      case "if":
        return merge(inside(node.then), inside(node.else));
      case "match": {
        const value = taintOf(node.value, scope);
        return node.arms
          .map((arm) => inside(arm.body, ...arm.patterns.flatMap((p) => bindings(p, value))))
          .reduce(merge, CLEAN);
      }
      case "try":
        return merge(inside(node.body), inside(node.recover, [node.error, { taint: inside(node.body), type: undefined }]));
      case "ask":
        return node.otherwise === undefined ? CLEAN : inside(node.otherwise);
      case "read":
        return states.get(node.state) ?? CLEAN;
      case "set": {
        const value = taintOf(node.value, scope).taint;
        states.set(node.state, merge(states.get(node.state) ?? CLEAN, value));
        return CLEAN;
      }
      case "send":
        flowOfMessage(node.channel, taintOf(node.value, scope).taint);
        return CLEAN;
      case "orchestrate": {
        const shown = [node.goal, ...(node.context === undefined ? [] : [node.context])].map((e) => taintOf(e, scope).taint).reduce(merge, CLEAN);
        const from = firstSource(shown) ?? node.team.map(canFetch).find((s) => s !== undefined);
        return from === undefined ? CLEAN : { source: from };
      }
      case "assert":
      case "stop":
        return CLEAN;
    }
  }

  function flowOfMessage(channel: string, taint: Taint): Taint {
    let out = CLEAN;
    for (const handler of graph.handlers) {
      if (handler.on.kind !== "channel" || handler.on.id !== channel || !isTainted(taint)) continue;
      out = merge(out, walkBody(handler.body, new Map([[handler.param, { taint, type: undefined }]])));
    }
    return out;
  }

  function walkCall(node: NodeIR & { kind: "call" }, scope: Scope): Taint {
    const given = new Map(node.args.map((arg) => [arg.param, { arg, known: taintOf(arg.value, scope) }]));
    const params = paramsOf(node.callee);
    const taints = params.map((p): Taint => {
      const found = given.get(p.name);
      return found === undefined ? CLEAN : masked(found.known.taint, found.known.type ?? p.type);
    });
    const from = taints.map(firstSource).find((s) => s !== undefined);
    switch (node.callee.kind) {
      case "flow":
        return flowResult(node.callee.id, taints);
      case "channel":
        return flowOfMessage(node.callee.id, taints[0] ?? CLEAN);
      case "capability": {
        const implementations = graph.capabilities[node.callee.id]?.implementations ?? [];
        return implementations.map((ref) => callOf(ref, params, taints, given, node, from)).reduce(merge, CLEAN);
      }
      default:
        return callOf(node.callee, params, taints, given, node, from);
    }
  }

  function callOf(
    ref: CalleeRef,
    params: readonly ParamIR[],
    taints: readonly Taint[],
    given: ReadonlyMap<string, { readonly arg: { readonly span?: Span } }>,
    node: NodeIR,
    from: string | undefined,
  ): Taint {
    if (ref.kind === "flow") return flowResult(ref.id, taints);
    const tool = ref.kind === "tool" ? graph.tools[ref.id] : undefined;
    if (tool !== undefined) {
      if (tool.effect === "effect" && !approved(tool, node.policies)) {
        params.forEach((p, i) => {
          const source = firstSource(masked(taints[i] ?? CLEAN, p.type));
          if (source === undefined) return;
          problems.report(d.untrustedToEffect, given.get(p.name)?.arg.span ?? node.span, { param: p.name, callee: tool.name, source });
        });
      }
      if (tool.untrusted) return masked({ source: `\`${tool.name}\`` }, tool.result);
      return masked(from === undefined ? CLEAN : { source: from }, tool.result);
    }
    const agent = ref.kind === "agent" ? graph.agents[ref.id] : undefined;
    if (agent === undefined) return CLEAN;
    const shown = from ?? canFetch(ref);
    if (from !== undefined) checkHolder(agent, from, node.span);
    return shown === undefined ? CLEAN : masked({ source: shown }, agent.result);
  }

  /** The tool by which a callable can get untrusted text of its own, if any. */
  function canFetch(ref: CalleeRef): string | undefined {
    const key = `${ref.kind} ${ref.id}`;
    if (fetches.has(key)) return fetches.get(key);
    fetches.set(key, undefined);
    let found: string | undefined;
    if (ref.kind === "tool") found = graph.tools[ref.id]?.untrusted === true ? `\`${graph.tools[ref.id]?.name ?? ref.id}\`` : undefined;
    else if (ref.kind === "agent") found = graph.agents[ref.id]?.tools.map(canFetch).find((s) => s !== undefined);
    else if (ref.kind === "flow") found = firstSource(flowResult(ref.id, []));
    fetches.set(key, found);
    return found;
  }

  /** An agent that sees untrusted text may hold no effects, unless each is approved by a person. */
  function checkHolder(agent: AgentIR, shown: string | undefined, span: Span): void {
    const fetched = agent.tools.map(canFetch).find((s) => s !== undefined);
    const source = shown ?? fetched;
    if (source === undefined) return;
    const held = agent.tools.flatMap((ref) => effectsOf(ref));
    if (held.length === 0) return;
    const why = shown === undefined ? `It can fetch text with ${source}` : `It is given text that ${source} returned`;
    problems.report(d.untrustedAgentEffects, shown === undefined ? agent.span : span, { agent: agent.name, tools: [...new Set(held)], source: why });
  }

  function effectsOf(ref: CalleeRef): readonly string[] {
    if (ref.kind === "tool") {
      const tool = graph.tools[ref.id];
      return tool === undefined || tool.effect !== "effect" || approved(tool, {}) ? [] : [tool.name];
    }
    if (ref.kind === "agent") return graph.agents[ref.id]?.tools.flatMap(effectsOf) ?? [];
    const flow = graph.flows[ref.id];
    return flow?.effect === "effect" && flow.policies.approve === undefined ? [flow.name] : [];
  }

  function approved(tool: ToolIR, policies: Policies): boolean {
    return tool.policies.approve !== undefined || policies.approve !== undefined;
  }

  function paramsOf(ref: CalleeRef): readonly ParamIR[] {
    switch (ref.kind) {
      case "agent":
        return graph.agents[ref.id]?.params ?? [];
      case "tool":
        return graph.tools[ref.id]?.params ?? [];
      case "flow":
        return graph.flows[ref.id]?.params ?? [];
      case "capability":
        return graph.capabilities[ref.id]?.params ?? [];
      case "channel": {
        const channel = graph.channels[ref.id];
        return channel === undefined ? [] : [{ name: "message", id: "message", type: channel.message }];
      }
    }
  }
}

function taintOf(e: ExprIR, scope: Scope): Known {
  switch (e.kind) {
    case "const":
    case "not":
      return { taint: CLEAN, type: e.kind === "not" ? { kind: "bool" } : undefined };
    case "ref":
      return scope.get(e.id) ?? { taint: CLEAN, type: undefined };
    case "field": {
      const of = taintOf(e.of, scope);
      const type = fieldType(of.type, e.name);
      const taint = of.taint.fields?.get(e.name) ?? (of.taint.fields !== undefined && of.taint.source === undefined ? CLEAN : { source: of.taint.source });
      return { taint: type === undefined ? taint : masked(taint, type), type };
    }
    case "index": {
      const of = taintOf(e.of, scope);
      return { taint: flat(of.taint), type: of.type?.kind === "list" || of.type?.kind === "map" ? of.type.of : undefined };
    }
    case "record": {
      let source: string | undefined;
      const fields = new Map<string, Taint>();
      for (const entry of e.entries) {
        if ("spread" in entry) {
          const spread = taintOf(entry.spread, scope).taint;
          source ??= spread.source;
          for (const [name, taint] of spread.fields ?? []) fields.set(name, taint);
        } else fields.set(entry.name, taintOf(entry.value, scope).taint);
      }
      return { taint: { source, fields }, type: undefined };
    }
    case "list":
      return { taint: e.elements.map((x) => taintOf(x.value, scope).taint).reduce(merge, CLEAN), type: undefined };
    case "negate":
    case "binary":
      return { taint: CLEAN, type: undefined }; // numbers, money, durations and tests hold no text
    case "and":
    case "or":
      return { taint: CLEAN, type: { kind: "bool" } };
    case "default": {
      const left = taintOf(e.left, scope);
      return { taint: merge(left.taint, taintOf(e.right, scope).taint), type: left.type };
    }
    case "cond": {
      const then = taintOf(e.then, scope);
      return { taint: merge(then.taint, taintOf(e.else, scope).taint), type: undefined };
    }
    case "let":
      return taintOf(e.body, new Map([...scope, [e.id, taintOf(e.value, scope)]]));
    case "switch": {
      const value = taintOf(e.value, scope);
      const taints = e.arms.map((arm) => taintOf(arm.body, new Map([...scope, ...arm.patterns.flatMap((p) => bindings(p, value))])).taint);
      return { taint: taints.reduce(merge, CLEAN), type: undefined };
    }
    case "lambda":
      return taintOf(e.body, scope);
    case "builtin":
      return builtinTaint(e, scope);
    case "cast":
      return { taint: masked(taintOf(e.of, scope).taint, e.type), type: e.type };
    case "cut":
      return { taint: taintOf(e.of, scope).taint, type: e.type };
    case "template": {
      let taint = CLEAN;
      for (const part of e.parts) taint = merge(taint, partTaint(part, scope));
      return { taint, type: { kind: "string" } };
    }
  }
}

function partTaint(part: (ExprIR & { kind: "template" })["parts"][number], scope: Scope): Taint {
  const parts = (list: readonly (typeof part)[], inner: Scope): Taint => list.map((p) => partTaint(p, inner)).reduce(merge, CLEAN);
  switch (part.kind) {
    case "text":
      return CLEAN;
    case "value": {
      const { taint, type } = taintOf(part.value, scope);
      return type === undefined ? flat(taint) : flat(masked(taint, type));
    }
    case "if":
      return merge(parts(part.then, scope), parts(part.else, scope));
    case "each": {
      const over = taintOf(part.over, scope);
      const item: Known = { taint: over.taint, type: over.type?.kind === "list" || over.type?.kind === "map" ? over.type.of : undefined };
      return merge(parts(part.body, new Map([...scope, [part.item, item], [part.key, { taint: over.taint, type: { kind: "string" } }]])), parts(part.else, scope));
    }
    case "with":
      return merge(parts(part.body, new Map([...scope, [part.id, taintOf(part.value, scope)]])), parts(part.else, scope));
  }
}

/** Functions whose result cannot hold text of their arguments. */
const TEXTLESS: ReadonlySet<string> = new Set(["len", "count", "any", "all", "sum", "mean", "range", "round", "floor", "ceil", "abs", "clamp", "div", "contains", "starts_with", "ends_with", "matches", "estimate_tokens", "has", "trust"]);

/** Functions that give items of their list. */
const ITEMS: ReadonlySet<string> = new Set(["first", "last", "find", "max_by", "min_by"]);
const LISTS: ReadonlySet<string> = new Set(["take", "drop", "filter", "sort_by", "reverse", "unique", "slice"]);

function builtinTaint(e: ExprIR & { kind: "builtin" }, scope: Scope): Known {
  if (TEXTLESS.has(e.name)) return { taint: CLEAN, type: undefined };
  const args = e.args.map((a) => (a.kind === "lambda" ? undefined : taintOf(a, scope)));
  const [first] = args;
  if (ITEMS.has(e.name)) return { taint: first?.taint ?? CLEAN, type: first?.type?.kind === "list" ? first.type.of : undefined };
  if (LISTS.has(e.name)) return first ?? { taint: CLEAN, type: undefined };
  if (e.name === "flatten") return { taint: first?.taint ?? CLEAN, type: first?.type?.kind === "list" ? first.type.of : undefined };
  return { taint: args.map((a) => (a === undefined ? CLEAN : flat(a.taint))).reduce(merge, CLEAN), type: undefined };
}

function bindings(p: PatternIR, value: Known): readonly (readonly [string, Known])[] {
  if (p.kind !== "record") return [];
  return p.fields.flatMap((f): readonly (readonly [string, Known])[] => {
    const type = fieldType(value.type, f.name);
    const own = value.taint.fields?.get(f.name) ?? { source: value.taint.source };
    const known: Known = { taint: type === undefined ? own : masked(own, type), type };
    return [...(f.bind === undefined ? [] : [[f.bind, known] as const]), ...(f.pattern === undefined ? [] : bindings(f.pattern, known))];
  });
}

function fieldType(type: TypeIR | undefined, name: string): TypeIR | undefined {
  if (type?.kind === "record") return type.fields.find((f) => f.name === name)?.type;
  if (type?.kind !== "union") return undefined;
  const types = type.of.flatMap((m) => (m.kind === "null" ? [] : [fieldType(m, name)]));
  if (types.some((t) => t === undefined)) return undefined;
  return { kind: "union", of: types.filter((t) => t !== undefined) };
}

function isTainted(t: Taint): boolean {
  return firstSource(t) !== undefined;
}

function firstSource(t: Taint): string | undefined {
  if (t.source !== undefined) return t.source;
  for (const inner of t.fields?.values() ?? []) {
    const found = firstSource(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function flat(t: Taint): Taint {
  return { source: firstSource(t) };
}

function merge(a: Taint, b: Taint): Taint {
  if (a === CLEAN) return b;
  if (b === CLEAN) return a;
  const source = a.source ?? b.source;
  if (a.fields === undefined && b.fields === undefined) return { source };
  const fields = new Map<string, Taint>(a.fields);
  for (const [name, taint] of b.fields ?? []) fields.set(name, merge(fields.get(name) ?? CLEAN, taint));
  return { source, fields };
}

/** Takes off what a type has no room for. */
function masked(t: Taint, type: TypeIR): Taint {
  if (t === CLEAN || !hasText(type)) return CLEAN;
  if (type.kind !== "record") return t;
  const fields = new Map<string, Taint>();
  for (const f of type.fields) {
    const own = masked(t.fields?.get(f.name) ?? { source: t.source }, f.type);
    if (isTainted(own)) fields.set(f.name, own);
  }
  return fields.size === 0 ? CLEAN : { source: undefined, fields };
}

/** Whether a value of the type can hold text that nobody listed beforehand. */
function hasText(type: TypeIR): boolean {
  switch (type.kind) {
    case "string":
    case "json":
    case "image":
    case "audio":
    case "document":
    case "map":
    case "ref":
    case "secret":
      return true;
    case "list":
      return hasText(type.of);
    case "record":
      return type.fields.some((f) => hasText(f.type));
    case "union":
      return type.of.some(hasText);
    default:
      return false;
  }
}
