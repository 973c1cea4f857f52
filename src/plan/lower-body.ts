/**
 * Bodies: nodes are added in source order, and each is told what it must wait for beyond its data: the guards above it,
 * and for what reaches the outside the effects (law 2). When a body is finished, dependencies are read off what its
 * nodes mention, and what nothing needs is marked so that it never runs.
 */

import { d } from "../diagnostics/catalogue/catalogue.js";
import { substitute, type Type } from "../semantics/types.js";
import type { Span } from "../source/source.js";
import type { BlockExpr, Expr, Statement } from "../syntax/ast.js";
import type { Body, ExprIR } from "./ir.js";
import { type Builder, builder, constant, freshId, type Lowering, type OpenNode, ref, typeOf, type Unit } from "./lowering.js";
import { addNode, effectOfBody, failsOnPurpose, fit, mayStop } from "./nodes.js";
import { forEachRef, forEachRefOf } from "./walk.js";

/** The body that an expression is, in a frame of its own. */
export function lowerBody(l: Lowering, e: Expr, u: Unit, naming?: string, loop?: { readonly state: string }): Body {
  const b = builder(u, loop);
  b.naming = naming;
  const result = e.kind === "Block" ? lowerStatements(l, e.statements, b) : l.expr(e, b);
  return l.finish(b, result);
}

/** A block inside an expression: its statements join the body around, unless something in it may stop what follows. */
export function lowerBlock(l: Lowering, e: BlockExpr, b: Builder): ExprIR {
  if (!l.impure(e, b.unit)) return pureBlock(l, e.statements, b, 0);
  const stops = e.statements.some((s, i) => s.kind === "Assert" || s.kind === "Stop" || (s.kind === "Expr" && i < e.statements.length - 1));
  if (!stops) return lowerStatements(l, e.statements, b);
  const body = l.body(e, b.unit, b.naming);
  return addNode(
    b,
    { kind: "scope", body },
    { segment: b.naming ?? "block", span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect: effectOfBody(body) },
  );
}

function pureBlock(l: Lowering, statements: readonly Statement[], b: Builder, from: number): ExprIR {
  const statement = statements[from];
  if (statement === undefined) return constant(null);
  const last = from === statements.length - 1;
  switch (statement.kind) {
    case "Let": {
      const value = letValue(l, statement, b);
      if (last) return constant(null);
      const id = freshId(b.unit, statement.names[0]?.text ?? "value");
      bindLet(l, statement, ref(id), b.unit);
      return { kind: "let", id, value, body: pureBlock(l, statements, b, from + 1) };
    }
    case "Expr":
      if (last) return l.expr(statement.value, b);
      return pureBlock(l, statements, b, from + 1);
    default:
      return pureBlock(l, statements, b, from + 1);
  }
}

function letValue(l: Lowering, statement: Statement & { kind: "Let" }, b: Builder): ExprIR {
  const value = l.expr(statement.value, b);
  if (statement.type === undefined) return value;
  const declared = substitute(l.checker.typeOf(statement.type, b.unit.scope), b.unit.vars);
  return fit(l, value, typeOf(l, statement.value, b.unit), declared, b.unit);
}

/** The span that the node of a call or region has: annotations stand before it. */
function spanOfNode(e: Expr): Span {
  return e.kind === "Annotated" || e.kind === "Settle" ? spanOfNode(e.inner) : e.span;
}

function bindLet(l: Lowering, statement: Statement & { kind: "Let" }, value: ExprIR, u: Unit): void {
  for (const name of statement.names) {
    const local = l.checker.tables.locals.get(name);
    if (local === undefined) continue;
    u.values.set(local, statement.destructured ? { kind: "field", of: value, name: name.text } : value);
  }
}

export function lowerStatements(l: Lowering, statements: readonly Statement[], b: Builder): ExprIR {
  let result: ExprIR = constant(null);
  const outer = b.naming;
  statements.forEach((statement, i) => {
    const last = i === statements.length - 1;
    const first = b.nodes.length;
    b.naming = last ? outer : undefined;
    switch (statement.kind) {
      case "Let": {
        const name = statement.names[0]?.text ?? "value";
        b.naming = name;
        b.named = statement.destructured ? undefined : { span: spanOfNode(statement.value), name };
        const value = letValue(l, statement, b);
        b.named = undefined;
        const type: Type =
          statement.type === undefined
            ? typeOf(l, statement.value, b.unit)
            : substitute(l.checker.typeOf(statement.type, b.unit.scope), b.unit.vars);
        const made =
          value.kind === "ref" || value.kind === "const"
            ? value
            : addNode(b, { kind: "value", value }, { segment: name, span: statement.span, type: l.type(type, b.unit), effect: "none" });
        bindLet(l, statement, made, b.unit);
        break;
      }
      case "Assert": {
        const test = l.expr(statement.test, b);
        const message = statement.message === undefined ? undefined : l.expr(statement.message, b);
        guard(
          b,
          addNode(
            b,
            { kind: "assert", test, ...(message === undefined ? {} : { message }) },
            { segment: "assert", span: statement.span, type: { kind: "null" }, effect: "none" },
          ),
        );
        break;
      }
      case "Stop": {
        const test = l.expr(statement.test, b);
        guard(b, addNode(b, { kind: "stop", test }, { segment: "stop", span: statement.span, type: { kind: "null" }, effect: "none" }));
        break;
      }
      case "Next":
        b.naming = "next";
        result = l.expr(statement.value, b);
        break;
      case "Set": {
        const symbol = b.unit.scope.names.get(statement.name.text);
        if (symbol === undefined) break;
        const value = l.expr(statement.value, b);
        addNode(
          b,
          { kind: "set", state: l.stateId(symbol), value },
          { segment: `set ${symbol.name}`, span: statement.span, type: { kind: "null" }, effect: "effect" },
        );
        break;
      }
      case "Expr": {
        const value = l.expr(statement.value, b);
        if (last) {
          result = value;
          break;
        }
        drop(l, value, statement.value, first, b);
      }
    }
  });
  b.naming = outer;
  return result;
}

/** A statement whose value nobody takes: a guard when it may stop the block, else perhaps a mistake. */
function drop(l: Lowering, value: ExprIR, e: Expr, first: number, b: Builder): void {
  const made = b.nodes.slice(first);
  const stoppers = made.filter((node) => mayStop(l, node));
  if (failsOnPurpose(value)) {
    const node = addNode(b, { kind: "value", value }, { segment: "check", span: e.span, type: { kind: "null" }, effect: "none" });
    guard(b, node, ...stoppers.map((n) => ref(n.id)));
    return;
  }
  if (stoppers.length > 0) {
    guard(b, ...stoppers.map((n) => ref(n.id)));
    return;
  }
  const ids = new Set<string>();
  forEachRef(value, (id) => ids.add(id));
  b.dropped.push({
    ids: [...ids],
    span: e.span,
    what: e.kind === "Call" || e.kind === "Pipe" || e.kind === "Annotated" ? "call" : "expression",
  });
}

function guard(b: Builder, ...nodes: readonly ExprIR[]): void {
  const ids = nodes.flatMap((n) => (n.kind === "ref" ? [n.id] : []));
  for (const id of ids) b.required.add(id);
  b.guards = ids;
}

export function finishBody(l: Lowering, b: Builder, result: ExprIR): Body {
  const { nodes } = b;
  if (nodes.length === 0 && b.dropped.length === 0) return { nodes, result };
  const own = new Map<string, OpenNode>();
  for (const node of nodes) own.set(node.id, node);
  const deps = new Set<string>();
  for (const node of nodes) {
    if (own.size === 1) break;
    forEachRefOf(node, (id) => {
      if (id !== node.id && own.has(id)) deps.add(id);
    });
    if (deps.size === 0) continue;
    node.deps = [...deps];
    deps.clear();
  }
  const needed = new Set<string>();
  const waiting: string[] = [];
  const need = (id: string): void => {
    if (!own.has(id) || needed.has(id)) return;
    needed.add(id);
    waiting.push(id);
  };
  forEachRef(result, need);
  for (const node of nodes) if (node.effect === "effect" || b.required.has(node.id)) need(node.id);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) for (const dep of own.get(id)?.deps ?? []) need(dep);
  for (const { ids, span, what } of b.dropped) {
    if (!ids.some((id) => needed.has(id))) l.problems.report(d.unusedValue, span, { what });
  }
  for (const node of nodes) {
    if (node.after.length > 0) node.after = node.after.filter((id) => needed.has(id) && !node.deps.includes(id));
    node.needed = needed.has(node.id);
  }
  return { nodes, result };
}
