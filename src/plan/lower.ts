/**
 * From a checked program to its graph. Every flow without type or callable parameters is lowered; a generic one is
 * lowered once for each way it is called, with its type variables and callables filled in, so that graphs, effects and
 * bounds are static. Models, tools and agents that nothing reaches are left out. Only for programs without errors.
 */
import type { Problems } from "../diagnostics/problems.js";
import type { Typed } from "../semantics/check.js";
import type { Checker } from "../semantics/checker.js";
import { implementations } from "../semantics/effects.js";
import { AGENT_DEFAULTS } from "../semantics/property-table.js";
import { type Callable, childEnv, type DeclSymbol, isCallableDecl, type Local } from "../semantics/symbols.js";
import { ERROR, expand, substitute, type Type, typeText } from "../semantics/types.js";
import type { AgentDecl, Annotation, CallExpr, Expr, OnDecl, Parameter, TemplateExpr, TemplatePart, ToolDecl } from "../syntax/ast.js";
import { children, type Node } from "../syntax/walk.js";
import { answering, mentions, writtenOut } from "./definition.js";
import { hashed } from "./hash.js";
import type {
  AgentIR,
  CalleeRef,
  CapabilityIR,
  ChannelIR,
  EffectKind,
  ExprIR,
  FlowIR,
  GlobalIR,
  Graph,
  HandlerIR,
  McpIR,
  ModelIR,
  ParamIR,
  Policies,
  StateIR,
  TestIR,
  ToolIR,
} from "./ir.js";
import { finishBody, lowerBody } from "./lower-body.js";
import { lowerCall } from "./lower-call.js";
import { lowerBinding, lowerModel, numberOf, propertyOf, symbolNamed, textOf } from "./lower-declarations.js";
import { isImpure, lowerExpr } from "./lower-expr.js";
import { lowerPolicies } from "./lower-policies.js";
import { lowerRegion } from "./lower-region.js";
import { lowerTemplate, templateReadsState } from "./lower-template.js";
import { lowerTest } from "./lower-tests.js";
import { isUntrusted, typeLowering } from "./lower-types.js";
import {
  type Builder,
  builder,
  type CallableArg,
  constant,
  freshId,
  type Lowering,
  ref,
  type SpecialisedCallee,
  typeOf,
  type Unit,
  unit,
} from "./lowering.js";
import { addNode, bodyMayStop, effectOfBody, fit } from "./nodes.js";
import { forEachRef } from "./walk.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function lower(typed: Typed, problems: Problems): Graph {
  const c: Checker = typed.checker;
  const types = typeLowering();
  const flows = new Map<string, FlowIR>();
  const agents = new Map<string, AgentIR>();
  const tools = new Map<string, ToolIR>();
  const capabilities = new Map<string, CapabilityIR>();
  const models = new Map<string, ModelIR>();
  const mcps = new Map<string, McpIR>();
  const states = new Map<string, StateIR>();
  const channels = new Map<string, ChannelIR>();
  const globals = new Map<string, GlobalIR>();
  const stops = new Map<string, boolean>();
  /** What the callables of the graph were made from, by their ids there. */
  const symbols = new Map<string, DeclSymbol>();
  const specialised = new Map<string, SpecialisedCallee>();
  let lambdas = 0;

  const l: Lowering = {
    checker: c,
    problems,
    expr: (e, b) => lowerExpr(l, e, b),
    body: (e, u, naming, loop) => lowerBody(l, e, u, naming, loop),
    finish: (b, result) => finishBody(l, b, result),
    impure: (e, u) => isImpure(l, e, u),
    region: (e, b, annotations, settle) => lowerRegion(l, e, b, annotations, settle),
    call: (call, piped, annotations, span, b) => lowerCall(l, call, piped, annotations, span, b),
    template: (text, b) => lowerTemplate(l, text, b),
    templateReadsState: (text) => templateReadsState(l, text),
    policies: (annotations, b) => policiesOf(annotations, b),
    after: (annotations, b) => afterOf(annotations, b),
    environment: (e) => environment(e),
    callee,
    type: (type, u) => types.type(substitute(type, u.vars)),
    constant: (symbol) => constantOf(symbol),
    stateId: (symbol) => stateOf(symbol),
    model: (symbol) => modelOf(symbol),
    guards: (r) => r.kind === "flow" && mayStopIn(r.id),
    effectOf,
  };

  const entries: Record<string, string> = {};
  for (const decl of typed.resolved.entry.module.declarations) {
    const symbol = typed.resolved.entry.names.get(decl.name.text);
    if (symbol?.decl !== decl || !isCallableDecl(decl)) continue;
    const callable = c.signature(symbol);
    if (callable === undefined || callable.typeParams.length > 0 || callable.params.some((p) => expand(p.type).kind === "callable"))
      continue;
    const made = callee(callable, new Map(), new Map());
    if (decl.kind === "FlowDecl" || decl.kind === "ComposeDecl") entries[decl.name.text] = made.ref.id;
  }
  for (const symbol of typed.resolved.entry.names.values()) {
    if (symbol.decl.kind === "StateDecl") stateOf(symbol);
    if (symbol.decl.kind === "McpDecl") mcpOf(symbol);
    // Models that nothing uses are left out, but for a file that has nothing else, such as `std/models`.
    if (symbol.decl.kind === "ModelDecl" && specialised.size === 0) modelOf(symbol);
  }
  const handlers = typed.resolved.scopes.flatMap((scope) =>
    scope.module.declarations.flatMap((decl, i) => (decl.kind === "OnDecl" ? [handler(decl, unit(scope), i)] : [])),
  );
  const tests = typed.resolved.entry.module.declarations.flatMap((decl): readonly TestIR[] =>
    decl.kind === "TestDecl" ? [lowerTest(l, decl, unit(typed.resolved.entry, new Map(), true))] : [],
  );
  return {
    version: 1,
    file: typed.resolved.entry.module.file,
    entries,
    flows: Object.fromEntries(flows),
    agents: Object.fromEntries(agents),
    tools: Object.fromEntries(tools),
    capabilities: Object.fromEntries(capabilities),
    models: Object.fromEntries(models),
    mcps: Object.fromEntries(mcps),
    states: Object.fromEntries(states),
    channels: Object.fromEntries(channels),
    handlers,
    tests,
    types: types.named,
    globals: [...globals.values()],
  };

  // --------------------------------------------------------------------------------------------- callables

  /** The callable in the graph, made on first use. */
  function callee(callable: Callable, functions: ReadonlyMap<string, CallableArg>, vars: ReadonlyMap<string, Type>): SpecialisedCallee {
    const { symbol, decl } = callable;
    const generic = decl.kind === "FlowDecl" && (functions.size > 0 || callable.typeParams.length > 0);
    const key = generic ? specialisation(symbol.id, functions, vars) : symbol.id;
    const known = specialised.get(key);
    if (known !== undefined) return known;
    const kind = KINDS[decl.kind];
    const plain: SpecialisedCallee = { ref: { kind, id: key }, captured: [] };
    specialised.set(key, plain); // circles were reported before; here they only must not loop
    symbols.set(key, symbol);
    switch (decl.kind) {
      case "AgentDecl":
        agents.set(key, agent(callable, decl));
        return plain;
      case "ToolDecl":
        tools.set(key, tool(callable, decl));
        return plain;
      case "CapabilityDecl": {
        const refs = implementations(c, symbol).flatMap((s) => {
          const found = c.signature(s);
          return found === undefined ? [] : [callee(found, new Map(), new Map()).ref];
        });
        const u = unit(symbol.scope);
        const params = parameters(callable, decl.signature.params, u);
        const policies = policiesOf(decl.annotations, builder(u));
        const own = { effect: c.effectOf(symbol), implementations: refs };
        capabilities.set(
          key,
          hashed({ kind: "capability", ...base(callable, key, params, policies), ...own }, () => [key, refs, ...dependencies(refs)]),
        );
        return plain;
      }
      case "ChannelDecl":
        channels.set(key, {
          id: key,
          name: symbol.name,
          span: decl.name.span,
          message: types.type(c.typeOf(decl.message, symbol.scope)),
          ...(decl.reply === undefined ? {} : { reply: types.type(c.typeOf(decl.reply, symbol.scope)) }),
        });
        return plain;
      case "ComposeDecl":
        flows.set(key, compose(callable, key));
        break;
      case "FlowDecl": {
        const { flow, captured } = specialise(callable, key, functions, vars);
        flows.set(key, flow);
        specialised.set(key, { ref: plain.ref, captured });
        break;
      }
    }
    return specialised.get(key) ?? plain;
  }

  function specialisation(id: string, functions: ReadonlyMap<string, CallableArg>, vars: ReadonlyMap<string, Type>): string {
    const parts = [...[...vars].map(([name, type]) => `${name}=${typeText(type)}`)];
    for (const [name, arg] of functions) {
      const what = arg.kind === "callable" ? arg.callable.symbol.id : arg.kind === "builtin" ? arg.name : `λ${++lambdas}`;
      parts.push(`${name}=${what}`);
    }
    return `${id}<${parts.join(", ")}>`;
  }

  /** A flow with its type variables and callable parameters filled in; what lambdas captured becomes parameters. */
  function specialise(callable: Callable, key: string, functions: ReadonlyMap<string, CallableArg>, vars: ReadonlyMap<string, Type>) {
    const { decl, symbol } = callable;
    if (decl.kind !== "FlowDecl") throw new Error("only flows are specialised");
    const u = unit(symbol.scope, vars);
    const captured: { param: string; local: Local }[] = [];
    const hidden: ParamIR[] = [];
    decl.signature.params.forEach((p) => {
      const given = functions.get(p.name.text);
      const local = c.tables.locals.get(p.name);
      if (given === undefined || local === undefined) return;
      u.callables.set(local, given);
      if (given.kind !== "lambda") return;
      for (const [inner, arg] of given.home.callables) if (!u.callables.has(inner)) u.callables.set(inner, arg);
      for (const outer of capturedBy(given)) {
        if (captured.some((x) => x.local === outer)) continue;
        const id = freshId(u, `captured ${outer.name}`);
        captured.push({ param: id, local: outer });
        hidden.push({ name: id, id, type: types.type(substitute(outer.type, given.home.vars)) });
        u.values.set(outer, ref(id));
      }
    });
    const params = [...parameters(callable, decl.signature.params, u), ...hidden];
    const policies = policiesOf(decl.annotations, builder(u));
    let body = lowerBody(l, decl.body, u);
    const declared = decl.signature.result === undefined ? undefined : callable.result();
    const found = typeOf(l, decl.body, u);
    const result = substitute(declared ?? found, vars);
    if (declared !== undefined) {
      body = { ...body, result: fit(l, body.result, found, result, u) };
    }
    const own = { result: types.type(result), effect: effectOfBody(body), body };
    return { flow: flowOf({ kind: "flow", ...base(callable, key, params, policies), ...own }), captured };
  }

  /** The locals of its home that a lambda mentions, itself or through callables it is given: what it captured. */
  function capturedBy(arg: CallableArg & { kind: "lambda" }): readonly Local[] {
    const found = new Set<Local>();
    const { span } = arg.expr;
    const see = (local: Local): void => {
      const inside = local.span.file === span.file && local.span.start >= span.start && local.span.end <= span.end;
      if (!inside && arg.home.values.has(local)) found.add(local);
    };
    for (const local of mentionedLocals(c, arg.expr.body)) {
      see(local);
      const inner = arg.home.callables.get(local);
      if (inner?.kind === "lambda") for (const outer of capturedBy(inner)) see(outer);
    }
    return [...found];
  }

  function compose(callable: Callable, key: string): FlowIR {
    const { decl, symbol } = callable;
    if (decl.kind !== "ComposeDecl") throw new Error("not a compose");
    const u = unit(symbol.scope);
    const b = builder(u);
    const params = callable.params.map((p): ParamIR => {
      const value = p.default === undefined ? undefined : lowerExpr(l, p.default, builder(unit(symbol.scope)));
      return { name: p.name, id: freshId(u, p.name), type: types.type(p.type), ...(value === undefined ? {} : { default: value }) };
    });
    let piped: ExprIR = constant(null);
    decl.stages.forEach((stage, i) => {
      if (i > 0) {
        const call = c.tables.calls.get(stage);
        if (call !== undefined) piped = l.call(call, piped, stage.annotations, stage.span, b);
        return;
      }
      const first = c.callableOf(
        { kind: "NameExpr", name: stage.callee.text, span: stage.callee.span },
        childEnv(undefined),
        { scope: symbol.scope, owner: undefined, inTest: false, secretAllowed: false },
        true,
      );
      if (first === undefined) return;
      const made = callee(first, new Map(), new Map());
      const given = new Map((stage.args ?? []).map((a) => [a.name?.text ?? "", lowerExpr(l, a.value, b)]));
      const args = first.params.flatMap((p) => {
        const value =
          given.get(p.name) ??
          (params.some((x) => x.name === p.name) ? ref(params.find((x) => x.name === p.name)?.id ?? p.name) : undefined);
        return value === undefined ? [] : [{ param: p.name, value }];
      });
      piped = addNode(
        b,
        { kind: "call", callee: made.ref, args },
        {
          segment: first.symbol.name,
          span: stage.span,
          type: types.type(first.result()),
          effect: l.effectOf(made.ref),
          policies: policiesOf(stage.annotations, b),
        },
      );
    });
    const body = finishBody(l, b, piped);
    const policies = policiesOf(decl.annotations, builder(u));
    return flowOf({ kind: "flow", ...base(callable, key, params, policies), effect: effectOfBody(body), body });
  }

  function flowOf(made: Omit<FlowIR, "hash">): FlowIR {
    const parts = [made.params, made.body, made.policies];
    return hashed(made, () => [...parts, ...dependencies(parts)]);
  }

  function base(callable: Callable, id: string, params: readonly ParamIR[], policies: Policies) {
    const { decl, symbol } = callable;
    return {
      id,
      name: symbol.name,
      params,
      result: types.type(callable.result()),
      span: decl.name.span,
      policies,
      ...(decl.doc === undefined ? {} : { doc: decl.doc }),
    };
  }

  function parameters(callable: Callable, written: readonly Parameter[], u: Unit): readonly ParamIR[] {
    return written.flatMap((p, i): readonly ParamIR[] => {
      const type = callable.params[i]?.type ?? ERROR;
      if (expand(type).kind === "callable") return [];
      const id = freshId(u, p.name.text);
      const local = c.tables.locals.get(p.name);
      if (local !== undefined) u.values.set(local, ref(id));
      const value = p.default === undefined ? undefined : lowerExpr(l, p.default, builder(u));
      return [
        {
          name: p.name.text,
          id,
          type: l.type(type, u),
          ...(value === undefined ? {} : { default: value }),
          ...(p.annotations.some((a) => a.name.text === "redact") ? { redact: true } : {}),
          ...(isUntrusted(type) ? { untrusted: true } : {}),
          ...(p.doc === undefined ? {} : { doc: p.doc }),
        },
      ];
    });
  }

  function agent(callable: Callable, decl: AgentDecl): AgentIR {
    const u = unit(callable.symbol.scope);
    const params = parameters(callable, decl.signature.params, u);
    const property = (name: string) => propertyOf(decl, name);
    const text = (name: string): ExprIR | undefined => {
      const value = property(name);
      return value === undefined ? undefined : lowerExpr(l, value, builder(u));
    };
    const number = (name: string): number | undefined => numberOf(l, property(name));
    const model = property("model");
    const list = property("tools");
    const refs = list?.kind === "List" ? list.elements.flatMap(({ value }) => calleeNamed(value, u) ?? []) : [];
    const modelSymbol = symbolNamed(l, model);
    const system = text("system");
    const examples = text("examples");
    const temperature = number("temperature");
    const maxOutput = number("max_output");
    const own = {
      params,
      model: modelSymbol === undefined ? "" : modelOf(modelSymbol),
      prompt: text("prompt") ?? constant(""),
      tools: refs,
      maxTurns: number("max_turns") ?? AGENT_DEFAULTS.maxTurns,
      maxCallsPerTurn: number("max_calls_per_turn") ?? AGENT_DEFAULTS.maxCallsPerTurn,
      maxToolResult: number("max_tool_result") ?? AGENT_DEFAULTS.maxToolResult,
      repairs: number("repairs") ?? AGENT_DEFAULTS.repairs,
      ...(system === undefined ? {} : { system }),
      ...(examples === undefined ? {} : { examples }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(maxOutput === undefined ? {} : { maxOutput }),
      ...shrinkOf(property("shrink")),
    };
    const policies = policiesOf(decl.annotations, builder(u));
    const all = base(callable, callable.symbol.id, params, policies);
    return hashed({ kind: "agent", ...all, ...own, effect: c.effectOf(callable.symbol) }, () => [
      own,
      all.result,
      all.doc,
      answering(own.model, (id) => models.get(id)),
      ...dependencies([own, all.result]),
    ]);
  }

  function tool(callable: Callable, decl: ToolDecl): ToolIR {
    const u = unit(callable.symbol.scope);
    const params = parameters(callable, decl.signature.params, u);
    const policies = policiesOf(decl.annotations, builder(u));
    const binding = lowerBinding(l, decl, u, callable, mcpOf);
    const all = base(callable, callable.symbol.id, params, policies);
    const untrusted = decl.annotations.some((a) => a.name.text === "untrusted");
    const server = binding.kind === "mcp" ? mcps.get(binding.server) : undefined;
    const parts = [params, all.result, binding, ...(server === undefined ? [] : [server])];
    return hashed({ kind: "tool", ...all, binding, untrusted, effect: c.effectOf(callable.symbol) }, () => [
      ...parts,
      ...dependencies(parts),
    ]);
  }

  // ---------------------------------------------------------------------------------- models, state, handlers

  function modelOf(symbol: DeclSymbol): string {
    const { decl, id } = symbol;
    if (models.has(id) || decl.kind !== "ModelDecl") return id;
    models.set(id, { id, name: symbol.name, span: decl.name.span, options: {} });
    models.set(id, lowerModel(l, symbol, decl));
    return id;
  }

  function mcpOf(symbol: DeclSymbol): string {
    const { decl, id } = symbol;
    if (mcps.has(id) || decl.kind !== "McpDecl") return id;
    const u = unit(symbol.scope);
    const out: Mutable<McpIR> = { id, name: symbol.name, span: decl.name.span };
    for (const name of ["command", "url", "env", "headers"] as const) {
      const value = propertyOf(decl, name);
      if (value !== undefined) out[name] = lowerExpr(l, value, builder(u));
    }
    const { rate } = policiesOf(decl.annotations, builder(u));
    if (rate !== undefined) out.rate = rate.perSecond;
    mcps.set(id, out);
    return id;
  }

  function stateOf(symbol: DeclSymbol): string {
    const { decl, id } = symbol;
    if (states.has(id) || decl.kind !== "StateDecl") return id;
    const scope = textOf(l, propertyOf(decl, "scope"));
    states.set(id, {
      id,
      name: symbol.name,
      span: decl.name.span,
      type: types.type(c.typeOf(decl.type, symbol.scope)),
      initial: lowerExpr(l, decl.value, builder(unit(symbol.scope))),
      scope: scope === "session" || scope === "persistent" ? scope : "run",
    });
    return id;
  }

  function handler(decl: OnDecl, u: Unit, i: number): HandlerIR {
    const param = freshId(u, decl.param.text);
    const local = c.tables.locals.get(decl.param);
    if (local !== undefined) u.values.set(local, ref(param));
    const symbol = u.scope.names.get(decl.field?.text ?? decl.name.text);
    const on: HandlerIR["on"] =
      decl.field === undefined
        ? { kind: "channel", id: symbol?.id ?? decl.name.text }
        : decl.name.text === "state"
          ? { kind: "state", id: symbol === undefined ? decl.field.text : stateOf(symbol) }
          : { kind: "event", name: decl.field.text };
    const policies = policiesOf(decl.annotations, builder(u));
    return {
      id: `on ${decl.name.text}${decl.field === undefined ? "" : `.${decl.field.text}`} ${i}`,
      span: decl.span,
      on,
      param,
      policies,
      body: lowerBody(l, decl.body, u),
    };
  }

  // ------------------------------------------------------------------------------------------------ constants

  function constantOf(symbol: DeclSymbol): ExprIR {
    const { decl } = symbol;
    if (decl.kind !== "LetDecl") return constant(null);
    return lowerExpr(l, decl.value, builder(unit(symbol.scope)));
  }

  function environment(e: CallExpr): ExprIR {
    const kind = e.callee.kind === "NameExpr" ? e.callee.name : "";
    const name = textOf(l, e.args[0]?.value);
    if (name === undefined || (kind !== "env" && kind !== "secret")) return constant(null);
    const fallback = textOf(l, e.args[1]?.value);
    const id = `$${kind} ${name}${fallback === undefined ? "" : ` ${fallback}`}`;
    if (!globals.has(id))
      globals.set(
        id,
        kind === "env" ? { kind: "env", id, name, default: fallback, span: e.span } : { kind: "secret", id, name, span: e.span },
      );
    return ref(id);
  }

  // -------------------------------------------------------------------------------------------------- smaller

  function policiesOf(annotations: readonly Annotation[], b: Builder): Policies {
    if (annotations.length === 0) return NO_POLICIES;
    return lowerPolicies(annotations, {
      expr: (e) => lowerExpr(l, e, b),
      callee: (e) => calleeNamed(e, b.unit),
      candidate: (e) => (e.kind === "NameExpr" ? b.unit.scope.names.get(e.name)?.id : undefined),
      share(e) {
        const t = expand(c.tables.types.get(e) ?? ERROR);
        if (e.kind === "Number") return e.unit === "percent" || e.unit === "float";
        return t.kind === "float" || (t.kind === "literal" && typeof t.value === "number" && !Number.isInteger(t.value));
      },
      policies: c.policies(b.unit.scope),
    });
  }

  function afterOf(annotations: readonly Annotation[], b: Builder): readonly string[] {
    const ids: string[] = [];
    for (const a of annotations) {
      if (a.name.text !== "after") continue;
      for (const arg of a.args ?? []) forEachRef(lowerExpr(l, arg.value, b), (id) => ids.push(id));
    }
    return ids.filter((id) => b.nodes.some((node) => node.id === id));
  }

  function calleeNamed(e: Expr, u: Unit): CalleeRef | undefined {
    const found = e.kind === "NameExpr" ? c.tables.refs.get(e) : undefined;
    if (found?.kind === "local") {
      const arg = u.callables.get(found.local);
      return arg?.kind === "callable" ? callee(arg.callable, new Map(), new Map()).ref : undefined;
    }
    const symbol = symbolNamed(l, e);
    const callable = symbol === undefined ? undefined : c.signature(symbol);
    return callable === undefined ? undefined : callee(callable, new Map(), new Map()).ref;
  }

  /** What stands elsewhere and is part of a definition all the same. */
  function dependencies(of: unknown): readonly unknown[] {
    const found = mentions(of);
    return [[...found.callees.values()].map(hashOfRef), writtenOut(found.types, types.named)];
  }

  function hashOfRef(r: CalleeRef): string {
    return lowered(r)?.hash ?? r.id;
  }

  /** What calling it can reach; of what is still being made, as the checker sees it. */
  function effectOf(r: CalleeRef): EffectKind {
    const known = lowered(r);
    if (known !== undefined) return known.effect;
    const symbol = symbols.get(r.id);
    return symbol === undefined ? "none" : c.effectOf(symbol);
  }

  /** Whether the body of a flow may end it on purpose or wait for a person; of one that is still being made nothing is known. */
  function mayStopIn(id: string): boolean {
    const known = stops.get(id);
    if (known !== undefined) return known;
    const flow = flows.get(id);
    if (flow === undefined) return false;
    const found = bodyMayStop(l, flow.body);
    stops.set(id, found);
    return found;
  }

  function lowered(r: CalleeRef): AgentIR | ToolIR | FlowIR | CapabilityIR | undefined {
    return r.kind === "agent"
      ? agents.get(r.id)
      : r.kind === "tool"
        ? tools.get(r.id)
        : r.kind === "flow"
          ? flows.get(r.id)
          : capabilities.get(r.id);
  }
}

const NO_POLICIES: Policies = {};

const KINDS = {
  AgentDecl: "agent",
  ToolDecl: "tool",
  FlowDecl: "flow",
  ComposeDecl: "flow",
  CapabilityDecl: "capability",
  ChannelDecl: "channel",
} as const;

/** Every local that an expression mentions, in its templates too. */
function mentionedLocals(c: Checker, e: Expr): readonly Local[] {
  const out: Local[] = [];
  const stack: Node[] = [e];
  const inTemplate = (parts: readonly TemplatePart[]): void => {
    for (const part of parts) {
      if (part.kind === "TemplateValue") inTemplateExpr(part.value);
      else if (part.kind === "TemplateBlock") {
        for (const arg of part.args) inTemplateExpr(arg);
        inTemplate(part.body);
        inTemplate(part.otherwise ?? []);
      }
    }
  };
  const inTemplateExpr = (t: TemplateExpr): void => {
    const found = c.tables.templateRefs.get(t);
    if (found?.kind === "local") out.push(found.local);
    if (t.kind === "TemplateCall") for (const inner of [...t.args, ...t.hash.map((h) => h.value)]) inTemplateExpr(inner);
  };
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    stack.push(...children(node));
    if (!("kind" in node)) continue;
    if (node.kind === "NameExpr") {
      const found = c.tables.refs.get(node);
      if (found?.kind === "local") out.push(found.local);
    } else if (node.kind === "Text") {
      const template = c.tables.templates.get(node);
      if (template !== undefined) inTemplate(template.parts);
    }
  }
  return out;
}

/** Parameters that may be made shorter, and how. */
function shrinkOf(value: Expr | undefined): Pick<AgentIR, "shrink"> {
  if (value?.kind !== "Record") return {};
  const shrink = value.entries.flatMap((entry) => {
    if (entry.kind !== "Field" || entry.value.kind !== "Text") return [];
    return [{ param: entry.name.text, how: entry.value.value === "summarise" ? ("summarise" as const) : ("truncate" as const) }];
  });
  return { shrink };
}
