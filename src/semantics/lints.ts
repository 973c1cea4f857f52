/**
 * Lints: what compiles and runs, and is still a known bad habit. They read the checked program and report nothing in
 * files of the standard library. A lint never guesses at intent: where the program could be meant as it is, it is a
 * note that says what follows from it.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { AgentDecl, Annotation, BlockExpr, CallExpr, Declaration, Expr, MapExpr, ModelDecl, Name, Statement } from "../syntax/ast.js";
import { children, type Node, walk } from "../syntax/walk.js";
import { expandPolicy } from "./annotations.js";
import type { Checker } from "./checker.js";
import { effectOfNode, effectOfSymbol } from "./effects.js";
import { type DeclSymbol, isCallableDecl } from "./symbols.js";
import { expand, holdsFreeText } from "./types.js";

/** Reports the bad habits of a checked program. */
export function lint(c: Checker): void {
  const agents = agentReach(c);
  for (const scope of c.resolved.scopes) {
    if (scope.isPrelude || scope.label.startsWith("std/")) continue;
    for (const decl of scope.module.declarations) {
      lintName(decl, c.problems);
      if (decl.kind === "ModelDecl") lintModel(decl, c.problems);
      const symbol = scope.names.get(decl.name.text);
      if (symbol?.decl !== decl) continue;
      if (decl.kind === "AgentDecl") {
        lintContext(c, decl, symbol);
        lintOrchestrator(c, decl, symbol, agents);
      }
      if (decl.kind === "FlowDecl") lintBody(c, decl.body, decl.annotations, symbol, agents);
    }
  }
}

type Reaches = (symbol: DeclSymbol) => boolean;

/** Whether calling a symbol can reach an agent; asked for each symbol once. */
function agentReach(c: Checker): Reaches {
  const known = new Map<DeclSymbol, boolean>();
  const reaches = (symbol: DeclSymbol): boolean => {
    if (symbol.decl.kind === "AgentDecl") return true;
    const before = known.get(symbol);
    if (before !== undefined) return before;
    known.set(symbol, false);
    const found = [...(c.tables.references.get(symbol)?.keys() ?? [])].some(reaches);
    known.set(symbol, found);
    return found;
  };
  return reaches;
}

// --------------------------------------------------------------------------------------------------- names

const PASCAL: Readonly<Partial<Record<Declaration["kind"], string>>> = {
  TypeDecl: "types",
  AgentDecl: "agents",
  CapabilityDecl: "capabilities",
};
const SNAKE: Readonly<Partial<Record<Declaration["kind"], string>>> = {
  ToolDecl: "tools",
  FlowDecl: "flows",
  ComposeDecl: "composes",
  PolicyDecl: "policies",
  StateDecl: "states",
  ChannelDecl: "channels",
  ModelDecl: "models",
  McpDecl: "MCP servers",
};

function lintName(decl: Declaration, problems: Problems): void {
  const { text, span } = decl.name;
  const pascal = PASCAL[decl.kind];
  if (pascal !== undefined && !/^_*[A-Z][A-Za-z0-9]*$/.test(text)) {
    if (text !== "") problems.report(d.nameCase, span, { name: text, what: pascal, style: "PascalCase", mend: toPascal(text) });
  }
  const snake = SNAKE[decl.kind];
  if (snake !== undefined && /[A-Z]/.test(text))
    problems.report(d.nameCase, span, { name: text, what: snake, style: "snake_case", mend: toSnake(text) });
  if (!("signature" in decl)) return;
  for (const { name } of decl.signature.params) {
    if (/[A-Z]/.test(name.text))
      problems.report(d.nameCase, name.span, { name: name.text, what: "parameters", style: "snake_case", mend: toSnake(name.text) });
  }
}

function toPascal(text: string): string {
  const parts = text.split("_").filter((part) => part !== "");
  return parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
}

const toSnake = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();

// --------------------------------------------------------------------------------------------------- models

/** Providers whose names have a dated form, and what that looks like. */
const DATED: Readonly<Record<string, RegExp>> = { anthropic: /\d{8}/, openai: /\d{4}-\d{2}-\d{2}|^ft:/ };

function lintModel(decl: ModelDecl, problems: Problems): void {
  const find = (name: string): Expr | undefined => decl.properties.find((p) => p.name.text === name)?.value;
  const provider = find("provider");
  const name = find("name");
  if (provider?.kind !== "Text") return;
  if (name?.kind === "Text") {
    const dated = DATED[provider.value];
    const floats = /-latest$/.test(name.value) || (dated !== undefined && !dated.test(name.value));
    if (floats) problems.report(d.floatingModel, name.span, { name: name.value });
  }
  if (provider.value !== "sim" && find("price") === undefined)
    problems.report(d.modelWithoutPrice, decl.name.span, { name: decl.name.text });
}

// --------------------------------------------------------------------------------------------------- agents

/** A parameter of many fields of which the prompt uses few. */
function lintContext(c: Checker, decl: AgentDecl, symbol: DeclSymbol): void {
  const callable = c.signature(symbol);
  if (callable === undefined) return;
  for (const [i, param] of decl.signature.params.entries()) {
    const type = callable.params[i]?.type;
    const t = type === undefined ? undefined : expand(type);
    if (t?.kind !== "record") continue;
    const texts = t.fields.filter((f) => holdsFreeText(f.type));
    const used = fieldsUsed(c, decl, param.name);
    if (used === undefined || used.size === 0) continue;
    const idle = texts.filter((f) => !used.has(f.name));
    if (idle.length < 3 || used.size * 3 > t.fields.length) continue;
    c.problems.report(d.wideContext, param.span, {
      agent: decl.name.text,
      param: param.name.text,
      used: [...used],
      total: t.fields.length,
    });
  }
}

/** The fields of a parameter that an agent's texts mention; undefined when it is used as a whole. */
function fieldsUsed(c: Checker, decl: AgentDecl, param: Name): ReadonlySet<string> | undefined {
  const used = new Set<string>();
  let whole = false;
  const mention = (path: readonly string[]): void => {
    const [first] = path;
    if (first === undefined) whole = true;
    else used.add(first);
  };
  for (const property of decl.properties) {
    walk(property.value, (node) => {
      if (!("kind" in node)) return;
      if (node.kind === "Member" && node.object.kind === "NameExpr" && node.object.name === param.text) {
        mention([node.name.text]);
        return false;
      }
      if (node.kind === "NameExpr" && node.name === param.text) mention([]);
      return;
    });
  }
  for (const ref of c.tables.templateRefs.values()) {
    if (ref.kind === "local" && ref.local.span.start === param.span.start && ref.local.span.file === param.span.file) mention(ref.path);
  }
  return whole ? undefined : used;
}

/** An agent with other agents and effects among its tools. */
function lintOrchestrator(c: Checker, decl: AgentDecl, symbol: DeclSymbol, agents: Reaches): void {
  const tools = decl.properties.find((p) => p.name.text === "tools");
  if (tools?.value.kind !== "List") return;
  const team: string[] = [];
  const effects: string[] = [];
  for (const { value } of tools.value.elements) {
    const target = value.kind === "NameExpr" ? symbol.scope.names.get(value.name) : undefined;
    if (target === undefined || !isCallableDecl(target.decl)) continue;
    if (agents(target)) team.push(target.name);
    else if (effectOfSymbol(c, target) === "effect") effects.push(target.name);
  }
  if (team.length > 0 && effects.length > 0)
    c.problems.report(d.busyOrchestrator, tools.value.span, { agent: decl.name.text, team, effects });
}

// --------------------------------------------------------------------------------------------------- bodies

interface Around {
  /** Something around bounds how much runs at once. */
  readonly limited: boolean;
  /** Something around says what happens to failures. */
  readonly handled: boolean;
}

/** Goes through a flow's body with what the annotations and regions around a place say. */
function lintBody(c: Checker, body: Expr, annotations: readonly Annotation[], owner: DeclSymbol, agents: Reaches): void {
  const policies = c.policies(owner.scope);
  const has = (list: readonly Annotation[], names: readonly string[]): boolean =>
    list.some((a) => {
      const policy = policies.get(a.name.text);
      return (
        names.includes(a.name.text) ||
        (policy !== undefined && expandPolicy(policy, policies).some((held) => names.includes(held.name.text)))
      );
    });
  const open: { readonly node: Node; readonly around: Around }[] = [
    { node: body, around: { limited: has(annotations, ["parallel"]), handled: false } },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node } = next;
    let { around } = next;
    if ("kind" in node) {
      if (node.kind === "Annotated") {
        around = {
          limited: around.limited || has(node.annotations, ["parallel"]),
          handled: around.handled || has(node.annotations, ["min_success"]),
        };
      } else if (node.kind === "Settle" || node.kind === "Try") around = { ...around, handled: true };
      else if (node.kind === "Map") lintFanOut(c, node, around, owner, agents, has);
      else if (node.kind === "Block") lintOrder(c, node, owner, agents);
    }
    for (const child of children(node)) open.push({ node: child, around });
  }
}

/** How many items a fan-out may have before somebody should have thought of limits and failures. */
const SMALL = 20;

function lintFanOut(
  c: Checker,
  map: MapExpr,
  around: Around,
  owner: DeclSymbol,
  agents: Reaches,
  has: (list: readonly Annotation[], names: readonly string[]) => boolean,
): void {
  const over = c.tables.types.get(map.over);
  const items = over === undefined ? undefined : expand(over);
  if (items?.kind !== "list" || items.max <= SMALL) return;
  let reaches = false;
  let { handled, limited } = around;
  walk(map.body, (node) => {
    if (!("kind" in node)) return;
    if (node.kind === "Try" || node.kind === "Settle") handled = true;
    if (node.kind === "Annotated" && has(node.annotations, ["retry", "fallback"])) handled = true;
    const name = node.kind === "NameExpr" ? node.name : node.kind === "Stage" ? node.callee.text : undefined;
    const target = name === undefined ? undefined : owner.scope.names.get(name);
    if (target === undefined || !isCallableDecl(target.decl) || !agents(target)) return;
    reaches = true;
    if (has(target.decl.annotations, ["retry", "fallback"])) handled = true;
    if (has(target.decl.annotations, ["rate"])) limited = true;
  });
  if (!reaches || (limited && handled)) return;
  const most = Number.isFinite(items.max) ? String(items.max) : "any number of";
  const word = { ...map.span, end: map.span.start + "map".length };
  c.problems.report(d.fanOut, word, { limit: !limited, policy: !handled, most });
}

/** Calls of agents that wait for each other only because both have effects. */
function lintOrder(c: Checker, block: BlockExpr, owner: DeclSymbol, agents: Reaches): void {
  let first: { readonly name: string; readonly statement: Statement } | undefined;
  let touched = new Set<string>();
  for (const statement of block.statements) {
    const mentions = first !== undefined && mentionsAny(statement, touched);
    if (first !== undefined && mentions) for (const name of boundBy(statement)) touched.add(name);
    const effectful = statement.kind === "Assert" || effectOfNode(c, owner, statement) === "effect";
    if (!effectful) continue;
    const call = slowCall(statement, owner, agents);
    if (first !== undefined && call !== undefined && !mentions) {
      const [a, b] = [label(first.statement, first.name), label(statement, call.name)];
      const together = `fork { ${a}: ${first.name}(…), ${a === b ? `${b}_too` : b}: ${call.name}(…) }`;
      c.problems.report(d.needlessOrder, call.callee.span, { first: first.name, second: call.name, together });
    }
    first = call === undefined ? undefined : { name: call.name, statement };
    touched = new Set(call === undefined ? [] : boundBy(statement));
  }
}

/** The call of a callable that reaches an agent, where a statement is nothing but that call. */
function slowCall(statement: Statement, owner: DeclSymbol, agents: Reaches): { readonly name: string; readonly callee: Expr } | undefined {
  if (statement.kind !== "Let" && statement.kind !== "Expr") return undefined;
  let value: Expr = statement.value;
  if (value.kind === "Annotated") {
    if (value.annotations.some((a) => a.name.text === "after")) return undefined;
    value = value.inner;
  }
  const call: CallExpr | undefined = value.kind === "Call" ? value : undefined;
  if (call?.callee.kind !== "NameExpr") return undefined;
  const { name } = call.callee;
  const target = owner.scope.names.get(name);
  return target !== undefined && isCallableDecl(target.decl) && agents(target) ? { name, callee: call.callee } : undefined;
}

const boundBy = (statement: Statement): readonly string[] => (statement.kind === "Let" ? statement.names.map((n) => n.text) : []);

const label = (statement: Statement, callee: string): string => boundBy(statement)[0] ?? toSnake(callee);

/** Whether a statement mentions one of some names, in templates too. */
function mentionsAny(statement: Statement, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  let found = false;
  walk(statement, (node) => {
    if (!("kind" in node)) return;
    if (node.kind === "NameExpr" && names.has(node.name)) found = true;
    if (node.kind === "Text" && node.value.includes("{{") && [...names].some((name) => new RegExp(`\\b${name}\\b`).test(node.value)))
      found = true;
  });
  return found;
}
