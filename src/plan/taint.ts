/**
 * Information flow: text that came from an `@untrusted` tool (or a parameter or field typed `untrusted`) must not become
 * an argument of an effect, nor be shown to an agent that holds effects, unless a person approves or the program says
 * `trust`. Followed through the specialised graph: flows are analysed once for each set of parameters that carry
 * untrusted text, records field by field. A value whose type holds no free text is never untrusted.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Span } from "../source/source.js";
import type { AgentIR, Body, CalleeRef, Graph, NodeIR, ParamIR, Policies, ToolIR, TypeIR } from "./ir.js";
import {
  bindings,
  CLEAN,
  firstSource,
  including,
  isTainted,
  type Known,
  masked,
  merge,
  type Scope,
  type Taint,
  taintOf,
} from "./taint-values.js";

export function checkInformationFlow(graph: Graph, problems: Problems): void {
  const results = new Map<string, Taint>();
  const fetches = new Map<string, string | undefined>();
  const states = new Map<string, Taint>();

  if (!hasSource()) return;
  // State may carry text from a later reader to an earlier one: twice is enough, taint only grows.
  for (let round = 0; round < 2; round++) {
    results.clear();
    for (const id of Object.values(graph.entries)) flowResult(id, []);
    for (const handler of graph.handlers) {
      const scope: Scope = new Map([
        [handler.param, { taint: handler.on.kind === "state" ? (states.get(handler.on.id) ?? CLEAN) : CLEAN, type: undefined }],
      ]);
      walkBody(handler.body, scope);
    }
  }
  for (const agent of Object.values(graph.agents)) checkHolder(agent, undefined, agent.span);

  /** Whether any text of the program can be untrusted: nearly all programs have none, and nothing to follow. */
  function hasSource(): boolean {
    if (Object.values(graph.tools).some((tool) => tool.untrusted)) return true;
    return Object.values(graph.flows).some((flow) => flow.params.some((p) => declared(p) !== CLEAN));
  }

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
    return p.untrusted === true ? { source: `the parameter \`${p.name}\`` } : ofType(p.type);
  }

  /** What a declared type says: its `untrusted` fields. */
  function ofType(type: TypeIR): Taint {
    if (type.kind !== "record") return type.kind === "list" ? ofType(type.of) : CLEAN;
    let fields: Map<string, Taint> | undefined;
    for (const f of type.fields) {
      const taint = f.untrusted === true ? { source: `the field \`${f.name}\`` } : ofType(f.type);
      if (taint === CLEAN) continue;
      fields ??= new Map();
      fields.set(f.name, taint);
    }
    return fields === undefined ? CLEAN : { source: undefined, fields };
  }

  function walkBody(body: Body, scope: Scope): Taint {
    for (const node of body.nodes) scope.set(node.id, { taint: masked(walkNode(node, scope), node.type), type: node.type });
    return taintOf(body.result, scope).taint;
  }

  function walkNode(node: NodeIR, scope: Scope): Taint {
    const inside = (body: Body, ...bound: readonly (readonly [string, Known])[]): Taint => walkBody(body, including(scope, bound));
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
        return node.arms.map((arm) => inside(arm.body, ...arm.patterns.flatMap((p) => bindings(p, value)))).reduce(merge, CLEAN);
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
        const shown = [node.goal, ...(node.context === undefined ? [] : [node.context])]
          .map((e) => taintOf(e, scope).taint)
          .reduce(merge, CLEAN);
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
    const why = shown === undefined ? `It can fetch text with ${source}` : `It is given text from ${source}`;
    problems.report(d.untrustedAgentEffects, shown === undefined ? agent.span : span, {
      agent: agent.name,
      tools: [...new Set(held)],
      source: why,
    });
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
