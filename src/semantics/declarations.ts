/**
 * What stands between the braces of models, MCP servers, agents and states, and right of a tool's `=`: the tables of
 * properties, asked with the names that are in scope there.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { AgentDecl, Expr, McpDecl, ModelDecl, StateDecl, ToolDecl } from "../syntax/ast.js";
import type { Checker, Context } from "./checker.js";
import { checkBinding, checkProperties, type PropertyContext } from "./properties.js";
import { assignable } from "./relate.js";
import { childEnv, type DeclSymbol, type Env, lookup } from "./symbols.js";
import { expand, isError, members, type Type, typeText } from "./types.js";

export function checkModel(c: Checker, decl: ModelDecl, context: Context): void {
  checkProperties("model", decl.name, decl.properties, propertyContext(c, childEnv(undefined), context));
}

export function checkMcp(c: Checker, decl: McpDecl, context: Context): void {
  checkProperties("mcp", decl.name, decl.properties, propertyContext(c, childEnv(undefined), context));
}

export function checkState(c: Checker, decl: StateDecl, context: Context): void {
  const env = childEnv(undefined);
  c.expect(decl.value, env, context, c.typeOf(decl.type, context.scope));
  checkProperties("state", decl.name, decl.properties, propertyContext(c, env, context));
}

export function checkAgent(c: Checker, decl: AgentDecl, env: Env, context: Context): void {
  const values = checkProperties("agent", decl.name, decl.properties, propertyContext(c, env, context));
  const shrink = values.get("shrink");
  if (shrink?.kind !== "Record") return;
  for (const entry of shrink.entries) {
    if (entry.kind !== "Field") continue;
    const { text, span } = entry.name;
    const names = decl.signature.params.map((param) => param.name.text);
    const type = names.includes(text) ? lookup(env, text)?.type : undefined;
    const how = entry.value.kind === "Text" ? entry.value.value : "";
    if (type === undefined) c.problems.report(d.shrinkUnknown, span, { agent: decl.name.text, name: text, near: nearest(text, names) });
    else if (!isError(type) && !canShrink(type, how))
      c.problems.report(d.shrinkForm, span, { name: text, type: typeText(type), summarise: how === "summarise" });
  }
}

/** A text can be cut and summarised, a list only cut. */
function canShrink(type: Type, how: string): boolean {
  return members(type).every((member) => {
    const t = expand(member.kind === "untrusted" ? member.of : member);
    return t.kind === "null" || (t.kind === "string" && t.pattern === undefined) || (t.kind === "list" && how !== "summarise");
  });
}

export function checkToolBinding(c: Checker, decl: ToolDecl, env: Env, context: Context): void {
  checkBinding(decl.binding, propertyContext(c, env, context));
}

function propertyContext(c: Checker, env: Env, outer: Context): PropertyContext {
  const context: Context = { ...outer, environment: true };
  return {
    problems: c.problems,
    expect(expr, type, secret, media = false) {
      const inner = { ...context, secretAllowed: secret, mediaAllowed: media };
      const found = c.infer(expr, env, inner, type);
      if (!assignable(found, type)) c.reportMismatch(expr, found, type);
      return found;
    },
    infer: (expr, expected) => c.infer(expr, env, context, expected),
    constant: (expr) => isConstant(c, expr, context),
    model: (expr) => {
      modelNamed(c, expr, context);
    },
    callable: (expr) => {
      c.callableOf(expr, env, context);
    },
    server: (expr) => {
      const symbol = expr.kind === "NameExpr" ? context.scope.names.get(expr.name) : undefined;
      if (symbol?.decl.kind === "McpDecl" && expr.kind === "NameExpr") {
        context.scope.used.add(expr.name);
        c.tables.refs.set(expr, { kind: "symbol", symbol });
        return;
      }
      const name = expr.kind === "NameExpr" ? expr.name : "";
      if (context.scope.failed.has(name)) return;
      const servers = [...context.scope.names.values()].filter((s) => s.decl.kind === "McpDecl").map((s) => s.name);
      c.problems.report(d.unknownName, expr.span, { name: name === "" ? "this" : name, near: nearest(name, servers) });
    },
  };
}

/** The model an expression names. */
export function modelNamed(c: Checker, expr: Expr, context: Context): DeclSymbol | undefined {
  if (expr.kind === "Missing") return undefined;
  const symbol = expr.kind === "NameExpr" ? context.scope.names.get(expr.name) : undefined;
  if (expr.kind === "NameExpr" && symbol?.decl.kind === "ModelDecl") {
    context.scope.used.add(expr.name);
    c.tables.refs.set(expr, { kind: "symbol", symbol });
    return symbol;
  }
  const name = expr.kind === "NameExpr" ? expr.name : undefined;
  if (name !== undefined && context.scope.failed.has(name)) return undefined;
  if (name !== undefined) context.scope.used.add(name);
  const models = [...context.scope.names.values()].filter((s) => s.decl.kind === "ModelDecl").map((s) => s.name);
  const near = name === undefined ? undefined : nearest(name, models);
  const fixes = writing(expr.span, near);
  c.problems.report(d.modelNotDeclared, expr.span, { name, near, models }, { fixes });
  return undefined;
}

/** Whether a value is known at compile time: literals and what is made of them and of constants. */
function isConstant(c: Checker, expr: Expr, context: Context): boolean {
  switch (expr.kind) {
    case "Number":
    case "Bool":
    case "Null":
      return true;
    case "Text":
      return !expr.value.includes("{{");
    case "NameExpr": {
      const decl = context.scope.names.get(expr.name)?.decl;
      return decl?.kind === "LetDecl" && isConstant(c, decl.value, context);
    }
    case "Unary":
      return isConstant(c, expr.operand, context);
    case "Binary":
      return isConstant(c, expr.left, context) && isConstant(c, expr.right, context);
    case "List":
      return expr.elements.every((e) => isConstant(c, e.value, context));
    case "Record":
      return expr.entries.every((e) => isConstant(c, e.value, context));
    default:
      return false;
  }
}
