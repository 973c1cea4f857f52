/**
 * Calls: of a built-in function an expression, of anything else a node. A callable parameter is known here (flows are
 * specialised): a callable is called, a lambda is put in place. A function that calls something and is given to a
 * built-in one (`filter(xs, x => Check(x).ok)`) is computed for all items by a map first; `fold` has a node of its own.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { ResolvedArg, ResolvedCall } from "../semantics/checker.js";
import type { Callable } from "../semantics/symbols.js";
import { ERROR, expand, substitute, type Type } from "../semantics/types.js";
import type { Span } from "../source/source.js";
import type { Annotation, Expr } from "../syntax/ast.js";
import type { ArgIR, Body, ExprIR } from "./ir.js";
import { lowerBuiltinOverItems } from "./lower-region.js";
import { type Builder, builder, builtin, type CallableArg, constant, freshId, type Lowering, ref, typeOf } from "./lowering.js";
import { addNode, effectOfBody, fieldPath, fit, inlineLambda, named } from "./nodes.js";

export function lowerCall(
  l: Lowering,
  call: ResolvedCall,
  piped: ExprIR | undefined,
  annotations: readonly Annotation[],
  span: Span,
  b: Builder,
): ExprIR {
  switch (call.target.kind) {
    case "builtin":
      return lowerBuiltin(l, call, call.target.name, piped, span, b);
    case "callable":
      return lowerCallable(l, call.target.callable, call, piped, annotations, span, b);
    case "local": {
      const target = b.unit.callables.get(call.target.local);
      const args = call.args.flatMap((arg) => {
        const value = argValue(l, arg, piped, b);
        return value === undefined ? [] : [value];
      });
      if (target === undefined) return constant(null);
      return applyCallable(l, target, args, annotations, span, substitute(call.result, b.unit.vars), b);
    }
  }
}

/** Calls what a callable parameter stands for, with arguments by position. */
export function applyCallable(
  l: Lowering,
  target: CallableArg,
  args: readonly ExprIR[],
  annotations: readonly Annotation[],
  span: Span,
  result: Type,
  b: Builder,
): ExprIR {
  switch (target.kind) {
    case "lambda": {
      if (annotations.length === 0) return inlineLambda(l, target.expr, target.home, args, b);
      const inner = builder(b.unit);
      const value = inlineLambda(l, target.expr, target.home, args, inner);
      const body = l.finish(inner, value);
      return addNode(
        b,
        { kind: "scope", body },
        {
          segment: b.naming ?? "scope",
          span,
          type: l.type(result, b.unit),
          effect: effectOfBody(body),
          policies: l.policies(annotations, b),
          after: l.after(annotations, b),
        },
      );
    }
    case "builtin":
      return builtin(target.name, args, span);
    case "callable": {
      const { callable } = target;
      const callee = l.callee(callable, new Map(), new Map());
      return addNode(
        b,
        {
          kind: "call",
          callee: callee.ref,
          args: callable.params.flatMap((p, i) => (args[i] === undefined ? [] : [{ param: p.name, value: args[i] }])),
        },
        {
          segment: callable.symbol.name,
          span,
          type: l.type(result, b.unit),
          effect: l.effectOf(callee.ref),
          policies: l.policies(annotations, b),
          after: l.after(annotations, b),
        },
      );
    }
  }
}

/** The value of an argument; undefined where the callee's default holds. */
function argValue(l: Lowering, arg: ResolvedArg, piped: ExprIR | undefined, b: Builder): ExprIR | undefined {
  const { source } = arg;
  const type = substitute(arg.type, b.unit.vars);
  switch (source.kind) {
    case "expr":
      return fit(l, named(l, source.expr, arg.param, b), typeOf(l, source.expr, b.unit), type, b.unit);
    case "piped":
      return piped === undefined ? undefined : fit(l, piped, substitute(source.type, b.unit.vars), type, b.unit);
    case "pipedField":
      return piped === undefined ? undefined : fit(l, fieldPath(piped, source.path), substitute(source.type, b.unit.vars), type, b.unit);
    case "default":
    case "absent":
      return undefined;
  }
}

/** The callable that an argument expression stands for. */
function callableArg(l: Lowering, e: Expr, b: Builder): CallableArg | undefined {
  if (e.kind === "Lambda") return { kind: "lambda", expr: e, home: b.unit };
  if (e.kind !== "NameExpr") return undefined;
  const found = l.checker.tables.refs.get(e);
  if (found?.kind === "local") return b.unit.callables.get(found.local);
  if (found?.kind === "builtin") return { kind: "builtin", name: found.name };
  if (found?.kind !== "symbol") return undefined;
  const callable = l.checker.signature(found.symbol);
  return callable === undefined ? undefined : { kind: "callable", callable };
}

function lowerCallable(
  l: Lowering,
  callable: Callable,
  call: ResolvedCall,
  piped: ExprIR | undefined,
  annotations: readonly Annotation[],
  span: Span,
  b: Builder,
): ExprIR {
  const functions = new Map<string, CallableArg>();
  const args: ArgIR[] = [];
  for (const arg of call.args) {
    if (expand(arg.type).kind === "callable" && arg.source.kind === "expr") {
      const found = callableArg(l, arg.source.expr, b);
      if (found !== undefined) functions.set(arg.param, found);
      continue;
    }
    const value = argValue(l, arg, piped, b);
    if (value !== undefined) args.push({ param: arg.param, value, ...(arg.source.kind === "expr" ? { span: arg.source.expr.span } : {}) });
  }
  const vars = new Map([...call.vars].map(([name, type]): [string, Type] => [name, substitute(type, b.unit.vars)]));
  const callee = l.callee(callable, functions, vars);
  for (const { param, local } of callee.captured) {
    const value = b.unit.values.get(local);
    if (value !== undefined) args.push({ param, value });
  }
  return addNode(
    b,
    { kind: "call", callee: callee.ref, args },
    {
      segment: callable.symbol.name,
      span,
      type: l.type(substitute(call.result, b.unit.vars), b.unit),
      effect: l.effectOf(callee.ref),
      policies: l.policies(annotations, b),
      after: l.after(annotations, b),
    },
  );
}

function lowerBuiltin(l: Lowering, call: ResolvedCall, name: string, piped: ExprIR | undefined, span: Span, b: Builder): ExprIR {
  const functionArg = call.args.find((arg) => expand(arg.type).kind === "callable" && arg.source.kind === "expr");
  const target = functionArg?.source.kind === "expr" ? callableArg(l, functionArg.source.expr, b) : undefined;
  if (functionArg !== undefined && target !== undefined && callsSomething(l, target)) {
    return overItems(l, call, name, functionArg, target, piped, span, b);
  }
  const args = call.args.map((arg): ExprIR | undefined => {
    if (arg === functionArg && target !== undefined) return pureFunction(l, target, arg, b, span);
    const value = argValue(l, arg, piped, b);
    return value?.kind === "cut" && takesAnyRecord(arg) ? value.of : value;
  });
  while (args.length > 0 && args[args.length - 1] === undefined) args.pop();
  return builtin(
    name,
    args.map((a) => a ?? constant(null)),
    span,
  );
}

/** Whether a parameter of a built-in function says nothing about the fields of its record, which all stay. */
function takesAnyRecord(arg: ResolvedArg): boolean {
  const type = expand(arg.type);
  return type.kind === "record" && type.fields.length === 0;
}

function callsSomething(l: Lowering, target: CallableArg): boolean {
  return target.kind === "callable" || (target.kind === "lambda" && l.impure(target.expr.body, target.home));
}

/** A function without calls, as a lambda of the graph. */
function pureFunction(l: Lowering, target: CallableArg, arg: ResolvedArg, b: Builder, span: Span): ExprIR {
  const type = expand(arg.type);
  const count = type.kind === "callable" ? type.params.length : 1;
  if (target.kind === "lambda") {
    const params = target.expr.params.map((p) => freshId(b.unit, p.text));
    return { kind: "lambda", params, body: inlineLambda(l, target.expr, target.home, params.map(ref), b) };
  }
  const params = Array.from({ length: count }, (_, i) => freshId(b.unit, `x${i + 1}`));
  return { kind: "lambda", params, body: target.kind === "builtin" ? builtin(target.name, params.map(ref), span) : constant(null) };
}

/** A built-in function whose function calls something. */
function overItems(
  l: Lowering,
  call: ResolvedCall,
  name: string,
  functionArg: ResolvedArg,
  target: CallableArg,
  piped: ExprIR | undefined,
  span: Span,
  b: Builder,
): ExprIR {
  const [first] = call.args;
  const items = first === undefined ? constant(null) : (argValue(l, first, piped, b) ?? constant(null));
  const listType = first === undefined ? ERROR : expand(substitute(first.type, b.unit.vars));
  const element: Type = listType.kind === "list" ? listType.of : ERROR;
  const fn = expand(substitute(functionArg.type, b.unit.vars));
  const value: Type = fn.kind === "callable" ? fn.result : ERROR;
  const result = substitute(call.result, b.unit.vars);
  if (name === "fold") {
    const start = call.args[1] === undefined ? constant(null) : (argValue(l, call.args[1], undefined, b) ?? constant(null));
    const acc = freshId(b.unit, "acc");
    const item = freshId(b.unit, "item");
    const inner = builder(b.unit);
    const body = l.finish(inner, applyCallable(l, target, [ref(acc), ref(item)], [], span, value, inner));
    return addNode(
      b,
      { kind: "fold", over: items, start, acc, item, body },
      { segment: b.naming ?? "fold", span, type: l.type(result, b.unit), effect: effectOfBody(body) },
    );
  }
  if (!OVER_ITEMS.has(name)) {
    l.problems.report(d.callInFunction, span, { name });
    return constant(null);
  }
  const { pairs } = lowerBuiltinOverItems(l, name, items, (item, inner) => applyCallable(l, target, [item], [], span, value, inner), b, {
    span,
    result: l.type(result, b.unit),
    element,
    value,
  });
  const p = freshId(b.unit, "pair");
  const right: ExprIR = { kind: "field", of: ref(p), name: "right" };
  const byRight: ExprIR = { kind: "lambda", params: [p], body: right };
  const rest = call.args.slice(2).map((arg) => argValue(l, arg, undefined, b) ?? constant(null));
  const left = (e: ExprIR): ExprIR => ({ kind: "field", of: e, name: "left", optional: true });
  const lefts = (e: ExprIR): ExprIR =>
    itemsOf(l, e, (q) => ({ nodes: [], result: { kind: "field", of: ref(q), name: "left" } }), b, span, result);
  switch (name) {
    case "filter":
    case "sort_by":
    case "unique":
      return lefts(builtin(name, [pairs, byRight, ...rest], span));
    case "find":
    case "max_by":
    case "min_by":
      return left(builtin(name, [pairs, byRight], span));
    case "group_by":
      return itemsOf(
        l,
        builtin("group_by", [pairs, byRight], span),
        (g) => {
          const inner = builder(b.unit);
          const of: ExprIR = { kind: "field", of: ref(g), name: "items" };
          const items = itemsOf(l, of, (q) => ({ nodes: [], result: { kind: "field", of: ref(q), name: "left" } }), inner, span, result);
          return l.finish(inner, {
            kind: "record",
            entries: [
              { name: "key", value: { kind: "field", of: ref(g), name: "key" } },
              { name: "items", value: items },
            ],
          });
        },
        b,
        span,
        result,
      );
    default:
      return builtin(name, [pairs, byRight], span);
  }
}

/** A map over a list, whose body is made for the id of an item. */
function itemsOf(l: Lowering, over: ExprIR, make: (item: string) => Body, b: Builder, span: Span, result: Type): ExprIR {
  const item = freshId(b.unit, "item");
  return addNode(
    b,
    { kind: "map", over, item, settle: false, body: make(item) },
    { segment: b.naming ?? "items", span, type: l.type(result, b.unit), effect: "none" },
  );
}

const OVER_ITEMS: ReadonlySet<string> = new Set([
  "filter",
  "sort_by",
  "unique",
  "find",
  "max_by",
  "min_by",
  "group_by",
  "any",
  "all",
  "count",
]);
