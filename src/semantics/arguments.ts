/**
 * Filling parameters: what was written and what a pipeline wired, by position and by name, with type variables inferred
 * on the way. Values come first, then functions, whose parameter types the values have determined by then.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { Argument, Expr, LambdaExpr } from "../syntax/ast.js";
import { builtins } from "./builtins.js";
import type { ArgSource, CallTarget, Checker, Context, ResolvedArg, ResolvedCall } from "./checker.js";
import { narrow } from "./narrow.js";
import { assignable } from "./relate.js";
import { childEnv, type Env, lookup } from "./symbols.js";
import {
  type CallableType,
  ERROR,
  expand,
  fieldOf,
  hasVars,
  isError,
  isOptional,
  members,
  substitute,
  type Type,
  typeText,
  widenState,
} from "./types.js";
import { unify } from "./unify.js";

export interface Param {
  readonly name: string;
  readonly type: Type;
  readonly optional: boolean;
  readonly default: Expr | undefined;
  /** Its variable gets the argument's type without literals: the start of a fold. */
  readonly widens?: boolean;
}

export interface Target {
  readonly target: CallTarget;
  readonly name: string;
  readonly typeParams: readonly string[];
  readonly params: readonly Param[];
  readonly result: (args: readonly (Type | undefined)[], vars: ReadonlyMap<string, Type>) => Type;
  readonly span: Span | undefined;
}

/** Checks an argument of a call that is already wrong, without further complaints about lambdas. */
export function inferLoosely(c: Checker, expr: Expr, env: Env, context: Context): void {
  if (expr.kind === "Lambda" || expr.kind === "FieldRef") return;
  c.infer(expr, env, context, expr.kind === "NameExpr" ? { kind: "callable", params: [], result: ERROR } : undefined);
}

export interface Wired {
  readonly param: string;
  readonly source: ArgSource;
}

const NO_HINTS: ReadonlyMap<string, Type> = new Map();

/** Fills a target's parameters from what a pipeline wired and what was written, inferring type variables on the way. */
export function fill(
  c: Checker,
  target: Target,
  args: readonly Argument[],
  wired: readonly Wired[],
  nameSpan: Span,
  callSpan: Span,
  env: Env,
  context: Context,
  expected: Type | undefined,
  piped?: Type,
): ResolvedCall {
  if (reportRecordOfArguments(c, target, args, wired, context)) {
    for (const arg of args) inferLoosely(c, arg.value, env, context);
    const failed = target.params.map((p): ResolvedArg => ({ param: p.name, type: p.type, source: { kind: "absent" } }));
    return { target: target.target, args: failed, vars: new Map(), result: ERROR };
  }
  const sources = new Map<string, ArgSource>();
  for (const { param, source } of wired) sources.set(param, source);
  const related = target.span === undefined ? [] : [{ span: target.span, message: "declared here" }];
  let ok = true;
  const positional = wired.length === 0 ? target.params : target.params.filter((p) => !sources.has(p.name));
  let next = 0;
  for (const arg of args) {
    let param: Param | undefined;
    if (arg.name !== undefined) {
      const name = arg.name.text;
      param = target.params.find((p) => p.name === name);
      if (param === undefined) {
        ok = false;
        const near = nearest(
          name,
          target.params.map((p) => p.name),
        );
        const fixes = writing(arg.name.span, near);
        c.problems.report(
          d.unknownParameter,
          arg.name.span,
          { name, callee: target.name, near, params: target.params.map((p) => p.name) },
          { related, fixes },
        );
      } else if (sources.has(name)) {
        ok = false;
        c.problems.report(d.argumentTwice, arg.span, { name, callee: target.name }, { related });
        param = undefined;
      }
    } else {
      while (next < positional.length && sources.has(positional[next]?.name ?? "")) next++;
      param = positional[next++];
      if (param === undefined) {
        if (ok)
          c.problems.report(
            d.tooManyArguments,
            arg.span,
            { callee: target.name, expected: target.params.length, found: args.length + wired.length },
            { related },
          );
        ok = false;
      }
    }
    if (param === undefined) {
      inferLoosely(c, arg.value, env, context);
      continue;
    }
    sources.set(param.name, fieldSource(c, arg, piped) ?? { kind: "expr", expr: arg.value });
  }
  const missing = target.params.filter((p) => !p.optional && !sources.has(p.name));
  if (missing.length > 0 && ok) {
    ok = false;
    c.problems.report(
      d.missingArguments,
      nameSpan,
      { callee: target.name, names: missing.map((p) => p.name), types: missing.map((p) => typeText(p.type)) },
      { related },
    );
  }
  const vars = new Map<string, Type>();
  const actual = new Map<string, Type>();
  let hints: ReadonlyMap<string, Type> = NO_HINTS;
  const start = target.params.find((p) => p.widens === true);
  if (start !== undefined && expected !== undefined && !hasVars(expected) && start.type.kind === "var") vars.set(start.type.name, expected);
  if (expected !== undefined && target.typeParams.length > 0 && target.target.kind === "callable") {
    const hint = new Map<string, Type>();
    unify(target.target.callable.result(), expected, hint);
    for (const [name, type] of hint) if (!hasVars(type)) vars.set(name, type);
    // Only a hint for lambdas and literals: what the arguments say wins.
    hints = new Map(vars);
    vars.clear();
  }
  inferArguments(c, target, sources, vars, actual, hints, env, context);
  for (const name of target.typeParams) {
    if (vars.has(name)) continue;
    const hint = hints.get(name);
    if (hint !== undefined) {
      vars.set(name, hint);
      continue;
    }
    if (target.target.kind === "callable" && ok && !holdsError(actual))
      c.problems.report(d.cannotInferType, callSpan, { name, callee: target.name });
    vars.set(name, target.target.kind === "builtin" ? { kind: "never" } : ERROR);
  }
  const bad = !ok || holdsError(actual);
  const result = bad && target.target.kind === "builtin" ? ERROR : resultOf(target, actual, vars);
  const callable = target.target.kind === "callable" ? target.target.callable : undefined;
  const resolved: ResolvedArg[] = target.params.map((p) => ({
    param: p.name,
    type: substitute(p.type, vars),
    source:
      sources.get(p.name) ??
      (p.default !== undefined && callable !== undefined ? { kind: "default", callable, value: p.default } : { kind: "absent" }),
  }));
  return { target: target.target, args: resolved, vars, result };
}

function holdsError(actual: ReadonlyMap<string, Type>): boolean {
  for (const type of actual.values()) if (isError(type)) return true;
  return false;
}

/** `F({ a: x, b: y })` where `F` takes `a` and `b`: what other languages write for named arguments. */
function reportRecordOfArguments(
  c: Checker,
  target: Target,
  args: readonly Argument[],
  wired: readonly Wired[],
  context: Context,
): boolean {
  const [only] = args;
  const first = target.params[0];
  if (only?.name !== undefined || only?.value.kind !== "Record" || args.length > 1 || wired.length > 0) return false;
  const { entries, span } = only.value;
  if (first === undefined || entries.length === 0 || target.target.kind === "builtin") return false;
  // A parameter that may be a record is given this one.
  if (members(first.type).some((m) => ["record", "map", "json", "var", "error"].includes(expand(m).kind))) return false;
  const text = c.resolved.files.get(context.scope.module.file)?.text ?? "";
  const named: string[] = [];
  for (const entry of entries) {
    if (entry.kind !== "Field" || !target.params.some((p) => p.name === entry.name.text)) return false;
    named.push(`${entry.name.text}: ${text.slice(entry.value.span.start, entry.value.span.end)}`);
  }
  const instead = named.join(", ");
  c.problems.report(
    d.recordOfArguments,
    span,
    { callee: target.name, instead: instead.includes("\n") ? undefined : instead },
    { fixes: [{ title: "Give them as named arguments", edits: [{ span, text: instead }] }] },
  );
  return true;
}

/** The result, with the items of a list narrowed by the test that selected them (`filter`, `find`). */
function resultOf(target: Target, actual: ReadonlyMap<string, Type>, vars: Map<string, Type>): Type {
  const narrowed = vars.get(NARROWED);
  vars.delete(NARROWED);
  const args = target.params.map((p) => actual.get(p.name));
  if (narrowed === undefined) return target.result(args, vars);
  const items = args[0] === undefined ? undefined : expand(args[0]);
  if (items?.kind === "list") args[0] = { ...items, of: narrowed };
  return target.result(args, new Map([...vars, ["T", narrowed], ["N", narrowed]]));
}

/** No type parameter can have this name. */
const NARROWED = "narrowed item";

/** `.field` as an argument of a stage. */
function fieldSource(c: Checker, arg: Argument, piped: Type | undefined): ArgSource | undefined {
  if (arg.value.kind !== "FieldRef") return undefined;
  if (piped === undefined) {
    c.problems.report(d.fieldRefOutsideStage, arg.value.span, {});
    return { kind: "absent" };
  }
  let type: Type = piped;
  for (const segment of arg.value.path) {
    if (isOptional(type)) {
      c.problems.report(d.fieldOfOptional, segment.span, { name: segment.text, type: typeText(type) });
      return { kind: "pipedField", path: [], type: ERROR };
    }
    const next = fieldOf(type, segment.text);
    if (next === undefined) {
      const t = expand(type);
      const fields = t.kind === "record" ? t.fields.map((f) => f.name) : [];
      if (!isError(type)) {
        const near = nearest(segment.text, fields);
        c.problems.report(d.unknownField, segment.span, { name: segment.text, near, type: typeText(type), subject: undefined, fields });
      }
      return { kind: "pipedField", path: [], type: ERROR };
    }
    type = next;
  }
  c.tables.types.set(arg.value, type);
  return { kind: "pipedField", path: arg.value.path.map((p) => p.text), type };
}

/** Values first, then functions, whose parameter types the values have determined by then. */
function inferArguments(
  c: Checker,
  target: Target,
  sources: ReadonlyMap<string, ArgSource>,
  vars: Map<string, Type>,
  actual: Map<string, Type>,
  hints: ReadonlyMap<string, Type>,
  env: Env,
  context: Context,
): void {
  const later: (() => void)[] = [];
  for (const param of target.params) {
    const source = sources.get(param.name);
    if (source === undefined || source.kind === "absent" || source.kind === "default") continue;
    if (source.kind !== "expr") {
      settle(c, param, source.type, undefined, target, vars, actual);
      continue;
    }
    const { expr } = source;
    if (expand(param.type).kind === "callable") {
      later.push(() => inferFunction(c, target, param, expr, vars, actual, hints, env, context));
      continue;
    }
    const guessed = hints.size + vars.size > 0 && hasVars(param.type);
    const known = guessed ? substitute(param.type, new Map([...hints, ...vars])) : param.type;
    const secretOk = context.secretAllowed || expand(param.type).kind === "secret";
    const inner = secretOk === context.secretAllowed ? context : { ...context, secretAllowed: secretOk };
    const literalExpected = hasVars(known) ? undefined : known;
    const type = c.infer(expr, env, inner, literalExpected);
    settle(c, param, type, expr, target, vars, actual);
  }
  for (const run of later) run();
}

/** Unifies one argument with its parameter and reports where it does not fit. */
function settle(
  c: Checker,
  param: Param,
  type: Type,
  expr: Expr | undefined,
  target: Target,
  vars: Map<string, Type>,
  actual: Map<string, Type>,
): void {
  actual.set(param.name, type);
  if (isError(type)) return;
  unify(param.type, param.widens === true ? widenState(type) : type, vars);
  const wanted = substitute(param.type, vars);
  if (assignable(type, wanted)) return;
  if (expr !== undefined) {
    c.argumentMismatch(expr, type, wanted, { param: param.name, callee: target.name, span: target.span });
    actual.set(param.name, ERROR);
  }
}

/** A function argument: a lambda, or the name of a callable or of a callable parameter. */
function inferFunction(
  c: Checker,
  target: Target,
  param: Param,
  expr: Expr,
  vars: Map<string, Type>,
  actual: Map<string, Type>,
  hints: ReadonlyMap<string, Type>,
  env: Env,
  context: Context,
): void {
  const wanted = expand(param.type);
  if (wanted.kind !== "callable") return;
  const given = hints.size === 0 ? vars : new Map([...hints, ...vars]);
  const params = wanted.params.map((p) => substitute(p.type, given));
  if (expr.kind === "Lambda") {
    const body = lambda(c, expr, params, target, env, context, expectedOf(substitute(wanted.result, vars)));
    if (body === undefined) {
      actual.set(param.name, ERROR);
      return;
    }
    // A fold that starts with an empty list: its items are what the function adds.
    if (wanted.result.kind === "var" && isEmptyList(vars.get(wanted.result.name)) && !isError(body.type)) {
      vars.set(wanted.result.name, widenState(body.type));
      inferFunction(c, target, param, expr, vars, actual, hints, env, context);
      return;
    }
    const plainResult = substitute(wanted.result, vars);
    if (!isError(body.type)) {
      unify(wanted.result, body.type, vars);
      const result = substitute(plainResult, vars);
      if (!assignable(body.type, result)) c.reportMismatch(expr.body, body.type, result);
    }
    c.tables.types.set(expr, { kind: "callable", params: params.map((type) => ({ type })), result: body.type });
    actual.set(param.name, { kind: "callable", params: params.map((type) => ({ type })), result: body.type });
    if (target.target.kind === "builtin" && target.target.form.narrows === true && body.narrowed !== undefined)
      vars.set(NARROWED, body.narrowed);
    return;
  }
  if (expr.kind === "NameExpr" && lookup(env, expr.name) === undefined && builtins.has(expr.name) && !context.scope.names.has(expr.name)) {
    namedBuiltin(c, expr.name, expr, param, params, wanted, vars, actual);
    return;
  }
  const type = c.infer(expr, env, context, { kind: "callable", params: wanted.params, result: wanted.result });
  actual.set(param.name, type);
  const own = expand(type);
  if (own.kind === "error") return;
  if (own.kind !== "callable") {
    c.problems.report(d.needsFunction, expr.span, { found: typeText(type), wanted: typeText(substitute(param.type, vars)) });
    actual.set(param.name, ERROR);
    return;
  }
  wanted.params.forEach((p, i) => {
    const mine = own.params[i];
    if (mine !== undefined && hasVars(substitute(p.type, vars))) unify(p.type, mine.type, vars);
  });
  unify(wanted.result, own.result, vars);
  const full = substitute(param.type, vars);
  if (!assignable(own, full)) {
    c.argumentMismatch(expr, own, full, { param: param.name, callee: target.name, span: target.span });
    actual.set(param.name, ERROR);
  }
}

const expectedOf = (type: Type): Type | undefined => (hasVars(type) || isEmptyList(type) ? undefined : type);

function isEmptyList(type: Type | undefined): boolean {
  const t = type === undefined ? undefined : expand(type);
  return t?.kind === "list" && t.of.kind === "never";
}

/** A built-in function passed by name: `map(xs, trim)` is `map(xs, x => trim(x))`. */
function namedBuiltin(
  c: Checker,
  name: string,
  expr: Expr,
  param: Param,
  params: readonly Type[],
  wanted: CallableType,
  vars: Map<string, Type>,
  actual: Map<string, Type>,
): void {
  for (const form of builtins.get(name) ?? []) {
    const own = new Map<string, Type>();
    const fits =
      form.params.length >= params.length &&
      form.params.slice(params.length).every((p) => p.optional === true) &&
      params.every((type, i) => {
        const p = form.params[i];
        return p !== undefined && unify(p.type, type, own) && assignable(type, substitute(p.type, own));
      });
    if (!fits) continue;
    const result = form.result(params, own);
    unify(wanted.result, result, vars);
    if (!assignable(result, substitute(wanted.result, vars))) continue;
    if (expr.kind === "NameExpr") c.tables.refs.set(expr, { kind: "builtin", name });
    const type: Type = { kind: "callable", params: params.map((type) => ({ type })), result };
    c.tables.types.set(expr, type);
    actual.set(param.name, type);
    return;
  }
  c.problems.report(d.needsFunction, expr.span, { found: `the function ${name}`, wanted: typeText(substitute(param.type, vars)) });
  actual.set(param.name, ERROR);
}

function lambda(
  c: Checker,
  expr: LambdaExpr,
  params: readonly Type[],
  target: Target,
  env: Env,
  context: Context,
  expected: Type | undefined,
): { type: Type; narrowed: Type | undefined } | undefined {
  if (expr.params.length !== params.length) {
    c.problems.report(d.lambdaParams, expr.span, { callee: target.name, expected: params.length, found: expr.params.length });
    return undefined;
  }
  const inner = childEnv(env);
  const locals = expr.params.map((p, i) => c.bind(p, { kind: "lambda", type: params[i] ?? ERROR }, inner, context));
  const type = c.infer(expr.body, inner, context, expected);
  const first = locals[0];
  const after = first === undefined ? undefined : narrow(expr.body, true, inner);
  const narrowed = first === undefined || after === undefined ? undefined : after.narrowed.get(first)?.get("");
  return { type, narrowed };
}
