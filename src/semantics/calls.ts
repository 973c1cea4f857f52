/**
 * Calls and pipelines: which callable is meant, which argument goes to which parameter, and what the type variables of
 * generic flows and built-in functions stand for. Direct calls, `|>` stages and `>>` stages share one way of filling
 * parameters; a pipeline first tries the four wiring rules of the language in order.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { Argument, CallExpr, Expr, LambdaExpr, PipeExpr, Stage } from "../syntax/ast.js";
import { type BuiltinForm, builtins } from "./builtins.js";
import type { ArgSource, CallTarget, Checker, Context, ResolvedArg, ResolvedCall } from "./checker.js";
import { inferName, WHAT } from "./expressions.js";
import { narrow } from "./narrow.js";
import { assignable, join, mismatch } from "./relate.js";
import { childEnv, type Callable, type Env, isCallableDecl, lookup, namesInScope } from "./symbols.js";
import { type CallableType, ERROR, expand, fieldOf, hasVars, isError, isOptional, members, substitute, type Type, typeText, widenState } from "./types.js";

interface Param {
  readonly name: string;
  readonly type: Type;
  readonly optional: boolean;
  readonly default: Expr | undefined;
  /** Its variable gets the argument's type without literals: the start of a fold. */
  readonly widens?: boolean;
}

interface Target {
  readonly target: CallTarget;
  readonly name: string;
  readonly typeParams: readonly string[];
  readonly params: readonly Param[];
  readonly result: (args: readonly (Type | undefined)[], vars: ReadonlyMap<string, Type>) => Type;
  readonly span: Span | undefined;
}

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
    if (quiet) return undefined;
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
    return callable === undefined ? undefined : [ofCallable(callable)];
  }
  const forms = builtins.get(name);
  if (forms !== undefined) {
    if (callee.kind === "NameExpr") c.tables.refs.set(callee, { kind: "builtin", name });
    return forms.map((form) => ofBuiltin(name, form));
  }
  if (name !== "" && !context.scope.failed.has(name)) {
    const callables = [...context.scope.names.values()].filter((s) => isCallableDecl(s.decl)).map((s) => s.name);
    const near = nearest(name, [...callables, ...builtins.keys(), ...namesInScope(env)]);
    const fixes = near === undefined ? [] : [{ title: `write \`${near}\``, edits: [{ span: nameSpan, text: near }] }];
    c.problems.report(d.unknownName, nameSpan, { name, near }, { fixes });
  }
  return undefined;
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
    params: type.params.map((p, i) => ({ name: p.name ?? `argument ${i + 1}`, type: p.type, optional: p.optional === true, default: undefined })),
    result: () => type.result,
    span,
  };
}

function ofBuiltin(name: string, form: BuiltinForm): Target {
  return {
    target: { kind: "builtin", name, form },
    name,
    typeParams: form.typeParams,
    params: form.params.map((p) => ({ name: p.name, type: p.type, optional: p.optional === true, default: undefined, widens: p.widens === true })),
    result: form.result,
    span: undefined,
  };
}

export function inferCall(c: Checker, expr: CallExpr, env: Env, context: Context, expected?: Type): Type {
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

/** Checks an argument of a call that is already wrong, without further complaints about lambdas. */
function inferLoosely(c: Checker, expr: Expr, env: Env, context: Context): void {
  if (expr.kind === "Lambda" || expr.kind === "FieldRef") return;
  c.infer(expr, env, context, expr.kind === "NameExpr" ? { kind: "callable", params: [], result: ERROR } : undefined);
}

/** Among the forms of a built-in function the first whose number of parameters and first argument fit. */
function chooseForm(c: Checker, targets: readonly Target[], args: readonly Argument[], piped: Type | undefined, env: Env, context: Context): Target {
  const [only, ...others] = targets;
  if (only === undefined) throw new Error("a callable has at least one form");
  if (others.length === 0) return only;
  const offset = piped === undefined ? 0 : 1;
  const count = args.length + offset;
  const byCount = targets.filter((t) => count <= t.params.length && count >= t.params.filter((p) => !p.optional).length);
  if (byCount.length <= 1) return byCount[0] ?? only;
  const types: (Type | undefined)[] = piped === undefined ? [] : [piped];
  for (const arg of args) {
    const plain = arg.name === undefined && arg.value.kind !== "Lambda" && arg.value.kind !== "FieldRef" && arg.value.kind !== "Regex";
    types.push(plain ? c.infer(arg.value, env, context) : undefined);
  }
  const fits = (t: Target) =>
    types.every((type, i) => {
      const param = t.params[i];
      if (type === undefined) return param === undefined || args[i - offset]?.value.kind !== "Lambda" || expand(param.type).kind === "callable";
      if (param === undefined) return false;
      const vars = new Map<string, Type>();
      return unify(param.type, type, vars) && assignable(type, substitute(param.type, vars));
    });
  return byCount.find(fits) ?? byCount[0] ?? only;
}

/** A stage of a pipeline: the four wiring rules, in order. */
export function inferStage(c: Checker, stage: Stage, key: Stage | PipeExpr, piped: Type, env: Env, context: Context, expected?: Type): Type {
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
  const named = new Set(args.flatMap((a) => (a.name === undefined ? [] : [a.name.text])));
  const open = target.params.filter((p) => !named.has(p.name));
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
      fixes: complete && (stage.args ?? []).length === 0 ? [{ title: `write \`${text}\``, edits: [{ span, text }] }] : [],
    },
  );
}

interface Wired {
  readonly param: string;
  readonly source: ArgSource;
}

/** Fills a target's parameters from what a pipeline wired and what was written, inferring type variables on the way. */
function fill(
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
  const sources = new Map<string, ArgSource>(wired.map((w) => [w.param, w.source]));
  const related = target.span === undefined ? [] : [{ span: target.span, message: "declared here" }];
  let ok = true;
  const positional = target.params.filter((p) => !sources.has(p.name));
  let next = 0;
  for (const arg of args) {
    let param: Param | undefined;
    if (arg.name !== undefined) {
      const name = arg.name.text;
      param = target.params.find((p) => p.name === name);
      if (param === undefined) {
        ok = false;
        const near = nearest(name, target.params.map((p) => p.name));
        const fixes = near === undefined ? [] : [{ title: `write \`${near}\``, edits: [{ span: arg.name.span, text: near }] }];
        c.problems.report(d.unknownParameter, arg.name.span, { name, callee: target.name, near, params: target.params.map((p) => p.name) }, { related, fixes });
      } else if (sources.has(name)) {
        ok = false;
        c.problems.report(d.argumentTwice, arg.span, { name, callee: target.name }, { related });
        param = undefined;
      }
    } else {
      while (next < positional.length && sources.has(positional[next]?.name ?? "")) next++;
      param = positional[next++];
      if (param === undefined) {
        if (ok) c.problems.report(d.tooManyArguments, arg.span, { callee: target.name, expected: target.params.length, found: args.length + wired.length }, { related });
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
    c.problems.report(d.missingArguments, nameSpan, { callee: target.name, names: missing.map((p) => p.name), types: missing.map((p) => typeText(p.type)) }, { related });
  }
  const vars = new Map<string, Type>();
  const actual = new Map<string, Type>();
  let hints: ReadonlyMap<string, Type> = new Map();
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
    if (target.target.kind === "callable" && ok && ![...actual.values()].some(isError)) c.problems.report(d.cannotInferType, callSpan, { name, callee: target.name });
    vars.set(name, target.target.kind === "builtin" ? { kind: "never" } : ERROR);
  }
  const bad = !ok || [...actual.values()].some(isError);
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
    const known = substitute(param.type, new Map([...hints, ...vars]));
    const secretOk = context.secretAllowed || expand(param.type).kind === "secret";
    const inner = secretOk === context.secretAllowed ? context : { ...context, secretAllowed: secretOk };
    const literalExpected = hasVars(known) ? undefined : known;
    const type = c.infer(expr, env, inner, literalExpected);
    settle(c, param, type, expr, target, vars, actual);
  }
  for (const run of later) run();
}

/** Unifies one argument with its parameter and reports where it does not fit. */
function settle(c: Checker, param: Param, type: Type, expr: Expr | undefined, target: Target, vars: Map<string, Type>, actual: Map<string, Type>): void {
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
  const given = new Map([...hints, ...vars]);
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
    if (target.target.kind === "builtin" && target.target.form.narrows === true && body.narrowed !== undefined) vars.set(NARROWED, body.narrowed);
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

/** Reads type variables off an argument: `param` may hold variables, `arg` may not. False when shapes differ. */
export function unify(param: Type, arg: Type, vars: Map<string, Type>): boolean {
  if (param.kind === "var") {
    const known = vars.get(param.name);
    if (known === undefined) vars.set(param.name, arg);
    else if (!assignable(arg, known)) vars.set(param.name, assignable(known, arg) ? arg : join(known, arg));
    return true;
  }
  if (!hasVars(param)) return true;
  if (param.kind === "named" && arg.kind === "named" && param.args.length === arg.args.length && param.id.replace(/<.*$/s, "") === arg.id.replace(/<.*$/s, "")) {
    return param.args.every((p, i) => unify(p, arg.args[i] ?? ERROR, vars));
  }
  const p = expand(param);
  const a = expand(arg);
  if (a.kind === "error") return true;
  switch (p.kind) {
    case "list":
      return a.kind === "list" && (a.max === 0 && a.of.kind === "never" ? true : unify(p.of, a.of, vars));
    case "map":
      return a.kind === "map" && unify(p.of, a.of, vars);
    case "record":
      return (
        a.kind === "record" &&
        p.fields.every((f) => {
          const own = a.fields.find((g) => g.name === f.name);
          return own === undefined ? isOptional(f.type) : unify(f.type, own.type, vars);
        })
      );
    case "union": {
      // `T?` against `X?` or `X`: the variable takes what is left without null.
      const open = p.of.filter(hasVars);
      const rest = members(a).filter((m) => !p.of.some((q) => !hasVars(q) && assignable(m, q)));
      const only = open[0];
      if (only === undefined || open.length !== 1 || rest.length === 0) return true;
      return unify(only, rest.length === 1 && rest[0] !== undefined ? rest[0] : { kind: "union", of: rest }, vars);
    }
    case "callable":
      return (
        a.kind === "callable" &&
        p.params.every((q, i) => {
          const own = a.params[i];
          return own === undefined || unify(q.type, own.type, vars);
        }) &&
        unify(p.result, a.result, vars)
      );
    case "secret":
      return unify(p.of, a.kind === "secret" ? a.of : a, vars);
    default:
      return true;
  }
}
