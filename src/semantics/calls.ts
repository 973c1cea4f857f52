/**
 * Calls and pipelines: which callable is meant, which argument goes to which parameter, and what the type variables of
 * generic flows and built-in functions stand for. Direct calls, `|>` stages and `>>` stages share one way of filling
 * parameters; a pipeline first tries the four wiring rules of the language in order.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { Argument, CallExpr, Expr, PipeExpr, Stage } from "../syntax/ast.js";
import { regionInstead } from "../syntax/called-region.js";
import { fill, inferLoosely, type Param, type Target, type Wired } from "./arguments.js";
import type { BuiltinForm } from "./builtin-form.js";
import { builtins, OTHER_NAMES } from "./builtins.js";
import type { CallTarget, Checker, Context } from "./checker.js";
import { inferName, WHAT } from "./expressions.js";
import { assignable, mismatch } from "./relate.js";
import { type Callable, type Env, isCallableDecl, lookup, namesInScope } from "./symbols.js";
import { type CallableType, ERROR, expand, fieldOf, isError, nonNull, substitute, type Type, typeText } from "./types.js";
import { unify } from "./unify.js";

/** The callable that an expression names, with its signature. */
export function callableOf(c: Checker, expr: Expr, env: Env, context: Context, quiet = false): Callable | undefined {
  if (expr.kind !== "NameExpr") {
    if (!quiet) c.problems.report(d.notCallable, expr.span, { what: "this expression", name: undefined });
    return undefined;
  }
  if (lookup(env, expr.name) !== undefined) {
    inferName(c, expr, env, context, { kind: "callable", params: [], result: ERROR });
    if (!quiet) c.problems.report(d.notCallable, expr.span, { what: "a value", name: expr.name });
    return undefined;
  }
  const symbol = context.scope.names.get(expr.name);
  if (symbol === undefined || !isCallableDecl(symbol.decl)) {
    // Of a name that is declared twice it is not known which is meant: that was reported.
    if (quiet || context.scope.twice.has(expr.name)) return undefined;
    if (symbol === undefined) inferName(c, expr, env, context);
    else c.problems.report(d.notCallable, expr.span, { what: WHAT[symbol.decl.kind] ?? "a declaration", name: expr.name });
    return undefined;
  }
  context.scope.used.add(expr.name);
  c.tables.refs.set(expr, { kind: "symbol", symbol });
  if (context.owner !== undefined) {
    let edges = c.tables.references.get(context.owner);
    if (edges === undefined) {
      edges = new Map();
      c.tables.references.set(context.owner, edges);
    }
    if (!edges.has(symbol)) edges.set(symbol, expr.span);
  }
  return c.signature(symbol);
}

/** All meanings of a name in call position: one callable, a callable parameter, or the forms of a built-in function. */
function targetsOf(c: Checker, name: string, nameSpan: Span, callee: Expr, env: Env, context: Context): readonly Target[] | undefined {
  const local = lookup(env, name);
  if (local !== undefined) {
    const type = expand(local.type);
    if (type.kind === "callable") {
      local.used = true;
      if (callee.kind === "NameExpr") c.tables.refs.set(callee, { kind: "local", local });
      return [ofCallableType({ kind: "local", local }, name, type, local.span)];
    }
    if (type.kind === "error") {
      local.used = true;
      return undefined;
    }
    if (!builtins.has(name)) {
      local.used = true;
      c.problems.report(d.notCallable, nameSpan, { what: `a value of type \`${typeText(local.type)}\``, name });
      return undefined;
    }
  }
  const symbol = context.scope.names.get(name);
  if (symbol !== undefined) {
    const callable = callableOf(c, callee, env, context);
    return callable === undefined ? undefined : callableTargets(callable);
  }
  const forms = builtins.get(name);
  if (forms !== undefined) {
    if (callee.kind === "NameExpr") c.tables.refs.set(callee, { kind: "builtin", name });
    return builtinTargets(name, forms);
  }
  if (name !== "" && !context.scope.failed.has(name)) {
    const callables = [...context.scope.names.values()].filter((s) => isCallableDecl(s.decl)).map((s) => s.name);
    const near = nearest(name, callables) ?? OTHER_NAMES.get(name) ?? nearest(name, [...builtins.keys(), ...namesInScope(env)]);
    const fixes = writing(nameSpan, near);
    c.problems.report(d.unknownName, nameSpan, { name, near }, { fixes });
  }
  return undefined;
}

const targetsOfCallable = new WeakMap<Callable, readonly Target[]>();

/** A declared callable as a target: the same for every call. */
function callableTargets(callable: Callable): readonly Target[] {
  let targets = targetsOfCallable.get(callable);
  if (targets === undefined) {
    targets = [ofCallable(callable)];
    targetsOfCallable.set(callable, targets);
  }
  return targets;
}

function ofCallable(callable: Callable): Target {
  return {
    target: { kind: "callable", callable },
    name: callable.symbol.name,
    typeParams: callable.typeParams,
    params: callable.params.map((p) => ({ name: p.name, type: p.type, optional: p.default !== undefined, default: p.default })),
    result: (_args, vars) => substitute(callable.result(), vars),
    span: callable.decl.name.span,
  };
}

function ofCallableType(target: CallTarget, name: string, type: CallableType, span: Span): Target {
  return {
    target,
    name,
    typeParams: [],
    params: type.params.map((p, i) => ({
      name: p.name ?? `argument ${i + 1}`,
      type: p.type,
      optional: p.optional === true,
      default: undefined,
    })),
    result: () => type.result,
    span,
  };
}

const targetsOfBuiltin = new Map<string, readonly Target[]>();

/** The forms of a built-in function as targets: the same for every call. */
function builtinTargets(name: string, forms: readonly BuiltinForm[]): readonly Target[] {
  let targets = targetsOfBuiltin.get(name);
  if (targets === undefined) {
    targets = forms.map((form) => ofBuiltin(name, form));
    targetsOfBuiltin.set(name, targets);
  }
  return targets;
}

function ofBuiltin(name: string, form: BuiltinForm): Target {
  return {
    target: { kind: "builtin", name, form },
    name,
    typeParams: form.typeParams,
    params: form.params.map((p) => ({
      name: p.name,
      type: p.type,
      optional: p.optional === true,
      default: undefined,
      widens: p.widens === true,
    })),
    result: form.result,
    span: undefined,
  };
}

export function inferCall(c: Checker, expr: CallExpr, env: Env, context: Context, expected?: Type): Type {
  if (expr.callee.kind === "Member") {
    // What a JavaScript programmer writes first: one message, about the method.
    const { object, name } = expr.callee;
    const type = c.infer(object, env, context);
    for (const arg of expr.args) inferLoosely(c, arg.value, env, context);
    if (isError(type)) return ERROR;
    const known = name.text === "map" || name.text === "reduce" || builtins.has(name.text) ? name.text : OTHER_NAMES.get(name.text);
    const instead = known === undefined ? undefined : functionInstead(c, known, object, expr, context);
    const fixes = writing(expr.span, instead);
    c.problems.report(d.notCallable, name.span, { what: "a field", name: name.text, method: known ?? "", instead }, { fixes });
    return ERROR;
  }
  if (expr.callee.kind !== "NameExpr") {
    if (expr.callee.kind !== "Missing") {
      c.infer(expr.callee, env, context);
      c.problems.report(d.notCallable, expr.callee.span, { what: "this expression", name: undefined });
    }
    for (const arg of expr.args) c.infer(arg.value, env, context);
    return ERROR;
  }
  const targets = targetsOf(c, expr.callee.name, expr.callee.span, expr.callee, env, context);
  if (targets === undefined) {
    for (const arg of expr.args) inferLoosely(c, arg.value, env, context);
    return ERROR;
  }
  const target = chooseForm(c, targets, expr.args, undefined, env, context);
  const call = fill(c, target, expr.args, [], expr.callee.span, expr.span, env, context, expected);
  c.tables.calls.set(expr, call);
  return call.result;
}

/** What is written for `x.name(…)`; undefined where that takes more than a line. */
function functionInstead(c: Checker, name: string, object: Expr, call: CallExpr, context: Context): string | undefined {
  const text = c.resolved.files.get(context.scope.module.file)?.text ?? "";
  const of = (span: Span): string => text.slice(span.start, span.end);
  const args = call.args.map((arg) => of(arg.span));
  if (name === "map" || name === "reduce") return regionInstead(name, of(object.span), args);
  const instead = `${name}(${[of(object.span), ...args].join(", ")})`;
  return instead.includes("\n") ? undefined : instead;
}

/** Among the forms of a built-in function the first whose number of parameters and first argument fit. */
function chooseForm(
  c: Checker,
  targets: readonly Target[],
  args: readonly Argument[],
  piped: Type | undefined,
  env: Env,
  context: Context,
): Target {
  const [only] = targets;
  if (only === undefined) throw new Error("a callable has at least one form");
  if (targets.length === 1) return only;
  const offset = piped === undefined ? 0 : 1;
  const count = args.length + offset;
  const byCount = targets.filter((t) => count <= t.params.length && count >= t.params.filter((p) => !p.optional).length);
  if (byCount.length <= 1) return byCount[0] ?? only;
  const types: (Type | undefined)[] = piped === undefined ? [] : [piped];
  for (const arg of args) {
    const plain = arg.name === undefined && arg.value.kind !== "Lambda" && arg.value.kind !== "FieldRef" && arg.value.kind !== "Regex";
    types.push(plain ? c.infer(arg.value, env, context) : undefined);
  }
  const fits = (t: Target, given: readonly (Type | undefined)[]) =>
    given.every((type, i) => {
      const param = t.params[i];
      if (type === undefined)
        return param === undefined || args[i - offset]?.value.kind !== "Lambda" || expand(param.type).kind === "callable";
      if (param === undefined) return false;
      const vars = new Map<string, Type>();
      return unify(param.type, type, vars) && assignable(type, substitute(param.type, vars));
    });
  const found = byCount.find((t) => fits(t, types));
  if (found !== undefined) return found;
  // What may be null fits none: the message is about the form that it would fit otherwise.
  const given = types.map((type) => (type === undefined ? undefined : nonNull(type)));
  return byCount.find((t) => fits(t, given)) ?? byCount[0] ?? only;
}

/** A stage of a pipeline: the four wiring rules, in order. */
export function inferStage(
  c: Checker,
  stage: Stage,
  key: Stage | PipeExpr,
  piped: Type,
  env: Env,
  context: Context,
  expected?: Type,
): Type {
  const callee: Expr = { kind: "NameExpr", name: stage.callee.text, span: stage.callee.span };
  const args = stage.args ?? [];
  const targets = targetsOf(c, stage.callee.text, stage.callee.span, callee, env, context);
  if (targets === undefined) {
    for (const arg of args) inferLoosely(c, arg.value, env, context);
    return ERROR;
  }
  const usesFields = args.some((a) => a.value.kind === "FieldRef");
  const target = chooseForm(c, targets, args, usesFields ? undefined : piped, env, context);
  const finish = (wired: readonly Wired[]) => {
    const call = fill(c, target, args, wired, stage.callee.span, stage.span, env, context, expected, piped);
    c.tables.calls.set(key, call);
    return call.result;
  };
  if (isError(piped)) {
    for (const arg of args) inferLoosely(c, arg.value, env, context);
    return ERROR;
  }
  if (usesFields) return finish([]);
  const open = target.params.filter((p) => !args.some((a) => a.name?.text === p.name));
  const first = open[0];
  if (first !== undefined && accepts(first.type, piped)) return finish([{ param: first.name, source: { kind: "piped", type: piped } }]);
  const positional = args.filter((a) => a.name === undefined).length;
  const required = open.slice(positional).filter((p) => !p.optional);
  const t = expand(piped);
  if (t.kind === "record" && required.length > 0 && positional === 0 && required.every((p) => fieldOf(t, p.name) !== undefined)) {
    const wired = open.flatMap((p): Wired[] => {
      const type = fieldOf(t, p.name);
      return type === undefined ? [] : [{ param: p.name, source: { kind: "pipedField", path: [p.name], type } }];
    });
    return finish(wired);
  }
  reportWiring(c, target, open, piped, stage, env, context);
  for (const arg of args) inferLoosely(c, arg.value, env, context);
  return ERROR;
}

function accepts(param: Type, piped: Type): boolean {
  const vars = new Map<string, Type>();
  return unify(param, piped, vars) && assignable(piped, substitute(param, vars));
}

/** Why the piped value does not fit the first open parameter, where that says more than the two types do. */
function wiringReason(piped: Type, wanted: Type): string {
  const reason = mismatch(piped, wanted);
  return reason === `\`${typeText(piped)}\` here, \`${typeText(wanted)}\` there` ? "" : reason;
}

function reportWiring(c: Checker, target: Target, open: readonly Param[], piped: Type, stage: Stage, _env: Env, _context: Context): void {
  const first = open[0];
  const t = expand(piped);
  const fields = t.kind === "record" ? t.fields.map((f) => f.name) : [];
  const suggestion = open
    .filter((p) => !p.optional)
    .map((p) => {
      const fitting = t.kind === "record" ? t.fields.filter((f) => assignable(f.type, p.type)) : [];
      const one = fitting.find((f) => f.name === p.name) ?? (fitting.length === 1 ? fitting[0] : undefined);
      return one === undefined ? undefined : `${p.name}: .${one.name}`;
    });
  const complete = suggestion.length > 0 && suggestion.every((s) => s !== undefined);
  const text = `${stage.callee.text}(${suggestion.join(", ")})`;
  const span = stage.args === undefined ? stage.callee.span : { ...stage.span, start: stage.callee.span.start };
  c.problems.report(
    d.cannotWire,
    stage.callee.span,
    {
      name: target.name,
      piped: typeText(piped),
      params: target.params.map((p) => `${p.name}: ${typeText(p.type)}`),
      reason: first === undefined ? "it has no open parameter" : wiringReason(piped, first.type),
      suggestion: complete ? text : undefined,
      fields,
    },
    {
      ...(target.span === undefined ? {} : { related: [{ span: target.span, message: "declared here" }] }),
      fixes: complete && (stage.args ?? []).length === 0 ? writing(span, text) : [],
    },
  );
}
