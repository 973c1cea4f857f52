/**
 * Expressions: what can be computed at once becomes one pure expression of the graph; a call or region inside becomes a
 * node of the body, and the expression refers to it. A branch that may not be taken keeps its calls to itself: `if`,
 * `match`, `&&`, `||` and `??` become nodes with bodies of their own when a branch calls something.
 */

import type { CallExpr, Expr, MatchArm, Pattern } from "../syntax/ast.js";
import type { ArmIR, ExprIR, PatternIR } from "./ir.js";
import { lowerBlock } from "./lower-body.js";
import { type Builder, callOf, constant, freshId, type Lowering, ref, typeOf, type Unit } from "./lowering.js";
import { addNode, effectOfBody, named } from "./nodes.js";

export function lowerExpr(l: Lowering, e: Expr, b: Builder): ExprIR {
  const { tables } = l.checker;
  switch (e.kind) {
    case "Number":
    case "Bool":
      return constant(e.value);
    case "Null":
    case "Missing":
      return constant(null);
    case "Text":
      return e.value.includes("{{") ? l.template(e, b) : constant(e.value);
    case "Regex":
      return constant(e.source);
    case "NameExpr":
      return lowerName(l, e, b);
    case "FieldRef":
    case "Lambda":
      return constant(null); // only as arguments, where the call takes them
    case "Record":
      return {
        kind: "record",
        entries: e.entries.map((entry) => {
          if (entry.kind === "Spread") return { spread: lowerExpr(l, entry.value, b) };
          return { name: entry.name.text, value: named(l, entry.value, entry.name.text, b) };
        }),
      };
    case "List":
      return { kind: "list", elements: e.elements.map(({ spread, value }) => ({ value: lowerExpr(l, value, b), spread })) };
    case "Block":
      return lowerBlock(l, e, b);
    case "Unary":
      return { kind: e.op === "!" ? "not" : "negate", of: lowerExpr(l, e.operand, b) };
    case "Binary": {
      const left = lowerExpr(l, e.left, b);
      if (e.op === "&&" || e.op === "||" || e.op === "??") return lowerLogic(l, e, left, b);
      return { kind: "binary", op: e.op, left, right: lowerExpr(l, e.right, b), span: e.span };
    }
    case "Cast":
      return { kind: "cast", of: lowerExpr(l, e.value, b), type: l.type(typeOf(l, e, b.unit), b.unit), span: e.span };
    case "Member":
      return {
        kind: "field",
        of: lowerExpr(l, e.object, b),
        name: e.name.text,
        ...(e.optional || isShort(e.object) ? { optional: true } : {}),
      };
    case "Index":
      return { kind: "index", of: lowerExpr(l, e.object, b), at: lowerExpr(l, e.index, b), ...(b.unit.inTest ? { strict: true } : {}) };
    case "If":
      return lowerIf(l, e, b);
    case "Match":
      return lowerMatch(l, e, b);
    case "Call": {
      const call = callOf(l, e);
      if (call === undefined) return lowerSpecialCall(l, e);
      return l.call(call, undefined, [], e.span, b);
    }
    case "Pipe": {
      const piped = lowerExpr(l, e.left, b);
      const call = tables.calls.get(e);
      return call === undefined ? constant(null) : l.call(call, piped, e.stage.annotations, e.span, b);
    }
    case "Annotated":
      return lowerAnnotated(l, e, b);
    case "Settle":
    case "Map":
    case "Fork":
    case "Race":
    case "Vote":
    case "Loop":
    case "Reduce":
    case "Try":
    case "Ask":
    case "Send":
    case "Orchestrate":
      return l.region(e, b, [], false);
  }
}

function isShort(e: Expr): boolean {
  if (e.kind !== "Member" && e.kind !== "Index") return false;
  return (e.kind === "Member" && e.optional) || isShort(e.object);
}

function lowerName(l: Lowering, e: Expr & { kind: "NameExpr" }, b: Builder): ExprIR {
  const found = l.checker.tables.refs.get(e);
  if (found?.kind === "local") return b.unit.values.get(found.local) ?? testValue(e.name, e.span) ?? constant(null);
  if (found?.kind !== "symbol") return constant(null);
  const { symbol } = found;
  if (symbol.decl.kind === "LetDecl") return l.constant(symbol);
  if (symbol.decl.kind === "StateDecl") {
    return addNode(
      b,
      { kind: "read", state: l.stateId(symbol) },
      { segment: `read ${symbol.name}`, span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect: "reads" },
    );
  }
  return constant(null);
}

/** `spend` and `elapsed` in a test. */
function testValue(name: string, span: { file: string; start: number; end: number }): ExprIR | undefined {
  return name === "spend" || name === "elapsed" ? { kind: "builtin", name: `test.${name}`, args: [], span } : undefined;
}

/** `calls(F)` in a test; `env` and `secret`. */
function lowerSpecialCall(l: Lowering, e: CallExpr): ExprIR {
  const name = e.callee.kind === "NameExpr" ? e.callee.name : "";
  const arg = e.args[0]?.value;
  if (name === "calls" && arg?.kind === "NameExpr") {
    const found = l.checker.tables.refs.get(arg);
    const callable = found?.kind === "symbol" ? l.checker.signature(found.symbol) : undefined;
    if (callable === undefined) return constant(null);
    const { ref: callee } = l.callee(callable, new Map(), new Map());
    return { kind: "builtin", name: "test.calls", args: [constant(callee.id)], span: e.span };
  }
  return l.environment(e);
}

function lowerLogic(l: Lowering, e: Expr & { kind: "Binary" }, left: ExprIR, b: Builder): ExprIR {
  const kind = e.op === "&&" ? "and" : e.op === "||" ? "or" : "default";
  if (!isImpure(l, e.right, b.unit)) return { kind, left, right: lowerExpr(l, e.right, b) };
  const id = freshId(b.unit, kind);
  const value = addNode(
    b,
    { kind: "value", value: left },
    { segment: kind, span: e.left.span, type: l.type(typeOf(l, e.left, b.unit), b.unit), effect: "none", id },
  );
  const test: ExprIR = kind === "default" ? { kind: "binary", op: "!=", left: value, right: constant(null), span: e.opSpan } : value;
  const kept = { nodes: [], result: kind === "default" ? value : constant(kind === "or") };
  const other = l.body(e.right, b.unit, b.naming);
  const [then, otherwise] = kind === "and" ? [other, kept] : [kept, other];
  return addNode(
    b,
    { kind: "if", test, then, else: otherwise },
    { segment: b.naming ?? kind, span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect: effectOfBody(other) },
  );
}

function lowerIf(l: Lowering, e: Expr & { kind: "If" }, b: Builder): ExprIR {
  const test = lowerExpr(l, e.test, b);
  if (!isImpure(l, e.then, b.unit) && (e.else === undefined || !isImpure(l, e.else, b.unit))) {
    const otherwise = e.else === undefined ? constant(null) : lowerExpr(l, e.else, b);
    return { kind: "cond", test, then: lowerExpr(l, e.then, b), else: otherwise, span: e.span };
  }
  const then = l.body(e.then, b.unit, b.naming);
  const otherwise = e.else === undefined ? { nodes: [], result: constant(null) } : l.body(e.else, b.unit, b.naming);
  const effects = [effectOfBody(then), effectOfBody(otherwise)];
  const effect = effects.includes("effect") ? "effect" : effects.includes("reads") ? "reads" : "none";
  return addNode(
    b,
    { kind: "if", test, then, else: otherwise },
    { segment: b.naming ?? "if", span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect },
  );
}

function lowerMatch(l: Lowering, e: Expr & { kind: "Match" }, b: Builder): ExprIR {
  const value = lowerExpr(l, e.value, b);
  if (e.arms.every((arm) => !isImpure(l, arm.body, b.unit))) {
    return {
      kind: "switch",
      value,
      arms: e.arms.map((arm) => ({
        patterns: arm.patterns.map((p) => pattern(l, p, b.unit)),
        body: lowerExpr(l, arm.body, b),
        span: arm.span,
      })),
    };
  }
  const arms = e.arms.map((arm): ArmIR => {
    const name = armName(arm);
    return { name, patterns: arm.patterns.map((p) => pattern(l, p, b.unit)), body: l.body(arm.body, b.unit, name), span: arm.span };
  });
  const effects = arms.map((arm) => effectOfBody(arm.body));
  const effect = effects.includes("effect") ? "effect" : effects.includes("reads") ? "reads" : "none";
  return addNode(
    b,
    { kind: "match", value, arms },
    { segment: b.naming ?? "match", span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect },
  );
}

function armName(arm: MatchArm): string {
  return arm.patterns.map(patternName).join("|");
}

function patternName(p: Pattern): string {
  switch (p.kind) {
    case "LiteralPattern":
      return String(p.value);
    case "RangePattern":
      return `${p.low ?? ""}..${p.high ?? ""}`;
    case "RecordPattern":
      return p.fields.map((f) => (f.pattern === undefined ? f.name.text : `${f.name.text}:${patternName(f.pattern)}`)).join(",");
    case "WildcardPattern":
    case "MissingPattern":
      return "_";
  }
}

function pattern(l: Lowering, p: Pattern, u: Unit): PatternIR {
  switch (p.kind) {
    case "LiteralPattern":
      return { kind: "literal", value: p.value };
    case "RangePattern":
      return { kind: "range", ...(p.low === undefined ? {} : { low: p.low }), ...(p.high === undefined ? {} : { high: p.high }) };
    case "WildcardPattern":
    case "MissingPattern":
      return { kind: "any" };
    case "RecordPattern":
      return {
        kind: "record",
        fields: p.fields.map((f) => {
          if (f.pattern !== undefined) return { name: f.name.text, pattern: pattern(l, f.pattern, u) };
          const bind = freshId(u, f.name.text);
          const local = l.checker.tables.locals.get(f.name);
          if (local !== undefined) u.values.set(local, ref(bind));
          return { name: f.name.text, bind };
        }),
      };
  }
}

function lowerAnnotated(l: Lowering, e: Expr & { kind: "Annotated" }, b: Builder): ExprIR {
  const { inner, annotations } = e;
  switch (inner.kind) {
    case "Call": {
      const call = callOf(l, inner);
      return call === undefined ? lowerExpr(l, inner, b) : l.call(call, undefined, annotations, inner.span, b);
    }
    case "Settle":
    case "Map":
    case "Fork":
    case "Race":
    case "Vote":
    case "Loop":
    case "Reduce":
    case "Send":
    case "Orchestrate":
      return l.region(inner, b, annotations, false);
    default: {
      const policies = l.policies(annotations, b);
      const after = l.after(annotations, b);
      const body = l.body(inner, b.unit, b.naming);
      return addNode(
        b,
        { kind: "scope", body },
        {
          segment: b.naming ?? "scope",
          span: e.span,
          type: l.type(typeOf(l, e, b.unit), b.unit),
          effect: effectOfBody(body),
          policies,
          after,
        },
      );
    }
  }
}

/** Whether an expression has something that must be a node: a call of a callable, a region, a read of state. */
export function isImpure(l: Lowering, e: Expr, u: Unit): boolean {
  switch (e.kind) {
    case "Number":
    case "Bool":
    case "Null":
    case "Missing":
    case "Regex":
    case "FieldRef":
      return false;
    case "Text":
      return e.value.includes("{{") && l.templateReadsState(e);
    case "NameExpr": {
      const found = l.checker.tables.refs.get(e);
      return found?.kind === "symbol" && found.symbol.decl.kind === "StateDecl";
    }
    case "Lambda":
      return isImpure(l, e.body, u);
    case "Unary":
      return isImpure(l, e.operand, u);
    case "Cast":
      return isImpure(l, e.value, u);
    case "Member":
      return isImpure(l, e.object, u);
    default: {
      const known = u.impure.get(e);
      if (known !== undefined) return known;
      const found = hasImpureParts(l, e, u);
      u.impure.set(e, found);
      return found;
    }
  }
}

function hasImpureParts(l: Lowering, e: Expr, u: Unit): boolean {
  switch (e.kind) {
    case "Record":
      return e.entries.some((x) => isImpure(l, x.value, u));
    case "List":
      return e.elements.some((x) => isImpure(l, x.value, u));
    case "Block":
      return e.statements.some((s) => {
        switch (s.kind) {
          case "Assert":
          case "Stop":
          case "Set":
            return true;
          case "Expr":
            return isImpure(l, s.value, u) || s !== e.statements[e.statements.length - 1];
          default:
            return isImpure(l, s.value, u);
        }
      });
    case "Binary":
      return isImpure(l, e.left, u) || isImpure(l, e.right, u);
    case "Index":
      return isImpure(l, e.object, u) || isImpure(l, e.index, u);
    case "If":
      return isImpure(l, e.test, u) || isImpure(l, e.then, u) || (e.else !== undefined && isImpure(l, e.else, u));
    case "Match":
      return isImpure(l, e.value, u) || e.arms.some((arm) => isImpure(l, arm.body, u));
    case "Call":
    case "Pipe": {
      const call = callOf(l, e);
      const args = e.kind === "Call" ? e.args : (e.stage.args ?? []);
      if (call === undefined) return false;
      if (call.target.kind === "callable") return true;
      if (e.kind === "Pipe" && isImpure(l, e.left, u)) return true;
      if (call.target.kind === "local") {
        const target = u.callables.get(call.target.local);
        if (target === undefined || target.kind === "callable") return true;
        if (target.kind === "lambda" && isImpure(l, target.expr.body, target.home)) return true;
      }
      return args.some((a) => isImpure(l, a.value, u) || isImpureCallable(l, a.value, u));
    }
    default:
      return true;
  }
}

/** A callable passed by name to a built-in function makes that call a region. */
function isImpureCallable(l: Lowering, e: Expr, u: Unit): boolean {
  if (e.kind !== "NameExpr") return false;
  const found = l.checker.tables.refs.get(e);
  if (found?.kind === "local") {
    const arg = u.callables.get(found.local);
    return arg !== undefined && (arg.kind === "callable" || (arg.kind === "lambda" && isImpure(l, arg.expr.body, arg.home)));
  }
  return found?.kind === "symbol" && found.symbol.decl.kind !== "LetDecl";
}
