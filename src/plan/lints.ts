/**
 * Lints: what compiles and runs and is still a known bad habit. They look at the entry program only, never at standard
 * modules, and each says what to write instead.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Typed } from "../semantics/check.js";
import { expand } from "../semantics/types.js";
import type { AgentDecl, Declaration, TemplateExpr, TemplatePart } from "../syntax/ast.js";
import type { AgentIR, Body, Graph, NodeIR, Policies } from "./ir.js";
import { innerBodies } from "./walk.js";

export function lint(typed: Typed, graph: Graph, problems: Problems): void {
  for (const scope of typed.resolved.scopes) {
    if (scope.isPrelude || scope.label.startsWith("std/") || scope.module.file.startsWith("std:")) continue;
    for (const decl of scope.module.declarations) {
      nameCase(decl, problems);
      if (decl.kind === "AgentDecl") wideContext(decl, typed, problems);
    }
  }
  const own = (file: string) => !file.startsWith("std:");
  for (const model of Object.values(graph.models)) {
    if (!own(model.span.file) || model.provider === undefined || model.provider === "sim" || model.provider === "command") continue;
    if (model.model !== undefined && floats(model.provider, model.model))
      problems.report(d.floatingModel, model.span, { name: model.model });
    if (model.price === undefined) problems.report(d.modelWithoutPrice, model.span, { name: model.name });
  }
  for (const agent of Object.values(graph.agents)) {
    const team = agent.tools.filter((r) => r.kind === "agent").map((r) => graph.agents[r.id]?.name ?? r.id);
    const effects = agent.tools.flatMap((r) =>
      r.kind === "tool" && graph.tools[r.id]?.effect === "effect" ? [graph.tools[r.id]?.name ?? r.id] : [],
    );
    if (own(agent.span.file) && team.length > 0 && effects.length > 0)
      problems.report(d.busyOrchestrator, agent.span, { agent: agent.name, team, effects });
  }
  for (const agent of Object.values(graph.agents)) if (own(agent.span.file)) multipliedAttempts(agent, graph, problems);
  for (const flow of Object.values(graph.flows))
    if (own(flow.span.file)) lintBody(flow.body, flow.policies, { limited: false, forgiving: false }, graph, problems);
}

const SNAKE = /^_?[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const UPPER = /^_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;
const PASCAL = /^_?[A-Z][A-Za-z0-9]*$/;

function nameCase(decl: Declaration, problems: Problems): void {
  const { text, span } = decl.name;
  if (text === "") return;
  switch (decl.kind) {
    case "TypeDecl":
      if (!PASCAL.test(text)) problems.report(d.nameCase, span, { name: text, what: "types", style: "PascalCase", mend: pascal(text) });
      return;
    case "FlowDecl":
    case "ModelDecl":
    case "PolicyDecl":
    case "StateDecl":
    case "McpDecl":
      if (!SNAKE.test(text)) {
        const what = { FlowDecl: "flows", ModelDecl: "models", PolicyDecl: "policies", StateDecl: "states", McpDecl: "servers" }[decl.kind];
        problems.report(d.nameCase, span, { name: text, what, style: "snake_case", mend: snake(text) });
      }
      return;
    case "LetDecl":
      if (!SNAKE.test(text) && !UPPER.test(text))
        problems.report(d.nameCase, span, { name: text, what: "constants", style: "snake_case or UPPER_CASE", mend: snake(text) });
      return;
    default:
      return; // agents, capabilities and tools are named as their field does
  }
}

const words = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .split("_")
    .filter((w) => w !== "");
const snake = (name: string) =>
  words(name)
    .map((w) => w.toLowerCase())
    .join("_");
const pascal = (name: string) =>
  words(name)
    .map((w) => w.charAt(0).toUpperCase() + w.slice(1))
    .join("");

/** A record parameter of many fields of which the prompt shows few. */
function wideContext(decl: AgentDecl, typed: Typed, problems: Problems): void {
  const { tables } = typed.checker;
  for (const param of decl.signature.params) {
    const local = tables.locals.get(param.name);
    const type = local === undefined ? undefined : expand(local.type);
    if (local === undefined || type?.kind !== "record" || type.fields.length < 6) continue;
    const used = new Set<string>();
    let whole = false;
    const seeExpr = (e: TemplateExpr): void => {
      if (e.kind === "TemplateCall") for (const inner of [...e.args, ...e.hash.map((h) => h.value)]) seeExpr(inner);
      const found = tables.templateRefs.get(e);
      if (found?.kind !== "local" || found.local !== local) return;
      const [field] = found.path;
      if (field === undefined) whole = true;
      else used.add(field);
    };
    const see = (parts: readonly TemplatePart[]): void => {
      for (const part of parts) {
        if (part.kind === "TemplateValue") seeExpr(part.value);
        else if (part.kind === "TemplateBlock") {
          for (const arg of part.args) seeExpr(arg);
          see(part.body);
          see(part.otherwise ?? []);
        }
      }
    };
    for (const property of decl.properties) {
      if (property.value.kind === "Text") see(tables.templates.get(property.value)?.parts ?? []);
    }
    if (!whole && used.size > 0 && used.size * 2 <= type.fields.length) {
      problems.report(d.wideContext, param.span, {
        agent: decl.name.text,
        param: param.name.text,
        used: [...used],
        total: type.fields.length,
      });
    }
  }
}

/** A provider's name that carries no date or fixed revision. */
function floats(provider: string, name: string): boolean {
  if (/latest|preview$/.test(name)) return true;
  if (provider === "openai" || provider === "anthropic") return !/\d{4}-?\d{2}-?\d{2}/.test(name);
  return false;
}

/** From how many requests for one answer on it is worth a word. */
const MANY_ATTEMPTS = 9;

/** Retries, fallbacks and the models of a fallback multiply: the worst case is said. */
function multipliedAttempts(agent: AgentIR, graph: Graph, problems: Problems): void {
  const { retry, fallback } = agent.policies;
  const times = retry?.times.kind === "const" && typeof retry.times.value === "number" ? retry.times.value + 1 : 1;
  const models = graph.models[agent.model]?.fallback?.length ?? 1;
  const others = (fallback?.length ?? 0) + 1;
  const total = times * models * others;
  if ([times, models, others].filter((n) => n > 1).length < 2 || total < MANY_ATTEMPTS) return;
  const parts = [
    ...(times > 1 ? [`${times} attempts`] : []),
    ...(models > 1 ? [`${models} models`] : []),
    ...(others > 1 ? [`${others} callables`] : []),
  ];
  problems.report(d.multipliedAttempts, agent.span, { agent: agent.name, total, parts });
}

interface Around {
  readonly limited: boolean;
  readonly forgiving: boolean;
}

function lintBody(body: Body, policies: Policies, around: Around, graph: Graph, problems: Problems): void {
  const here: Around = { limited: around.limited || policies.parallel !== undefined, forgiving: around.forgiving };
  needlessOrder(body, graph, problems);
  for (const node of body.nodes) {
    if (node.kind === "map") fanOut(node, here, graph, problems);
    const inner: Around = {
      limited: here.limited || node.policies.parallel !== undefined,
      forgiving: here.forgiving || node.kind === "try" || node.policies.minSuccess !== undefined || (node.kind === "map" && node.settle),
    };
    for (const { body: each } of innerBodies(node)) lintBody(each, node.policies, inner, graph, problems);
  }
}

/** From how many items on a map without a limit is worth a word. */
const MANY = 50;

function fanOut(node: NodeIR & { kind: "map" }, around: Around, graph: Graph, problems: Problems): void {
  const max = node.size?.max;
  if (max !== undefined && max <= MANY) return;
  const agents = directAgents(node.body, graph);
  if (agents.length === 0) return;
  const limit = !around.limited && node.policies.parallel === undefined;
  const retried = agents.every((a) => a.retried);
  const policy = !around.forgiving && node.policies.minSuccess === undefined && !node.settle && !retried;
  if (limit || policy)
    problems.report(
      d.fanOut,
      { ...node.span, end: Math.min(node.span.end, node.span.start + 3) },
      { limit, policy, most: max === undefined ? "any number of" : `up to ${max}` },
    );
}

function directAgents(body: Body, graph: Graph): readonly { readonly retried: boolean }[] {
  return body.nodes.flatMap((node) => {
    if (node.kind === "call" && node.callee.kind === "agent") {
      return [{ retried: node.policies.retry !== undefined || graph.agents[node.callee.id]?.policies.retry !== undefined }];
    }
    return innerBodies(node).flatMap(({ body: inner }) => directAgents(inner, graph));
  });
}

/** Two calls of one effect, the second of which waits only for the order. */
function needlessOrder(body: Body, graph: Graph, problems: Problems): void {
  let known: ReadonlyMap<string, NodeIR> | undefined;
  const nodeOf = (id: string): NodeIR | undefined => {
    known ??= new Map(body.nodes.map((node) => [node.id, node]));
    return known.get(id);
  };
  const needs = (node: NodeIR, id: string, seen: Set<string>): boolean =>
    node.deps.some((dep) => {
      if (dep === id) return true;
      const next = nodeOf(dep);
      if (next === undefined || seen.has(dep)) return false;
      seen.add(dep);
      return needs(next, id, seen);
    });
  for (const node of body.nodes) {
    if (node.kind !== "call" || node.effect !== "effect" || node.callee.kind !== "agent") continue;
    for (const id of node.after) {
      const before = nodeOf(id);
      if (before?.kind !== "call" || before.callee.id !== node.callee.id || needs(node, id, new Set())) continue;
      const name = graph.agents[node.callee.id]?.name ?? node.callee.id;
      const together = `fork { first: ${name}(…), second: ${name}(…) }`;
      problems.report(d.needlessOrder, node.span, { name, together }, { related: [{ span: before.span, message: "runs first" }] });
    }
  }
}
