/**
 * The types of regions: map, fork, race, vote, loop, reduce, try, ask, send, orchestrate. Each says what its clauses may
 * be and what its value is; bounds of lists pass through as `reference.md` says.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type {
  Annotation,
  CallExpr,
  Expr,
  ForkExpr,
  LoopExpr,
  MapExpr,
  RaceExpr,
  ReduceExpr,
  SettleExpr,
  TryExpr,
  VoteExpr,
} from "../syntax/ast.js";
import type { Checker, Context } from "./checker.js";
import { joinBranches } from "./mismatch.js";
import { narrow } from "./narrow.js";
import { condition } from "./operators.js";
import { assignable, join } from "./relate.js";
import { inferStatements } from "./statements.js";
import { childEnv, type Env } from "./symbols.js";
import {
  ERROR,
  expand,
  holdsFreeText,
  INT,
  isError,
  type ListType,
  list,
  NULL,
  optional,
  record,
  STRING,
  type Type,
  typeText,
  widenDeep,
  widenState,
} from "./types.js";

/** How a map or fork treats failures, from the annotations around it. */
export interface RegionMode {
  readonly settle: boolean;
  /** `@min_success` as written: a share or a count, when it is a constant. */
  readonly minSuccess: { readonly share: boolean; readonly value: number | undefined } | undefined;
}

export const PLAIN_MODE: RegionMode = { settle: false, minSuccess: undefined };

/** Reads `@min_success` off the annotations of a region. */
export function modeOf(annotations: readonly Annotation[], settle: boolean, c: Checker): RegionMode {
  const found = annotations.find((a) => a.name.text === "min_success");
  const value = found?.args?.[0]?.value;
  if (found === undefined || value === undefined) return { settle, minSuccess: undefined };
  const type = c.tables.types.get(value);
  const t = type === undefined ? undefined : expand(type);
  const share =
    (value.kind === "Number" && value.unit !== "int") ||
    t?.kind === "float" ||
    (t?.kind === "literal" && typeof t.value === "number" && !Number.isInteger(t.value));
  const constant = value.kind === "Number" ? value.value : t?.kind === "literal" && typeof t.value === "number" ? t.value : undefined;
  return { settle, minSuccess: { share, value: constant } };
}

function prelude(c: Checker, name: string, args: readonly Type[], context: Context): Type {
  const symbol = c.resolved.prelude?.names.get(name);
  return symbol === undefined ? ERROR : c.declared(symbol, args, context);
}

/** The item type and bounds of what a region runs over. */
function over(c: Checker, expr: Expr, env: Env, context: Context, what: string): ListType | undefined {
  const type = c.infer(expr, env, context);
  const t = expand(type);
  if (t.kind === "list") return t;
  if (t.kind === "map") c.problems.report(d.overMap, expr.span, { what });
  else if (t.kind !== "error") c.problems.report(d.notAList, expr.span, { found: typeText(type), what });
  return undefined;
}

export function inferMap(c: Checker, expr: MapExpr, env: Env, context: Context, expected: Type | undefined, mode: RegionMode): Type {
  const items = over(c, expr.over, env, context, "map");
  const inner = childEnv(env);
  c.bind(expr.item, { kind: "item", type: items?.of ?? ERROR }, inner, context);
  if (expr.index !== undefined) {
    c.bind(
      expr.index,
      {
        kind: "index",
        type: { kind: "int", min: 0, ...(items !== undefined && Number.isFinite(items.max) ? { max: Math.max(0, items.max - 1) } : {}) },
      },
      inner,
      context,
    );
  }
  let body: Env = inner;
  if (expr.where !== undefined) {
    condition(c, expr.where, inner, context);
    body = narrow(expr.where, true, inner);
  }
  if (expr.by !== undefined) {
    const key = c.infer(expr.by, body, context);
    if (!isError(key) && !assignable(key, STRING) && !assignable(key, INT))
      c.problems.report(d.keyType, expr.by.span, { found: typeText(key) });
  }
  if (expr.after !== undefined) {
    c.expect(expr.after, body, context, list(STRING));
    if (expr.by === undefined) c.problems.report(d.afterNeedsBy, expr.after.span, {});
  }
  let given: ListType | undefined;
  if (expr.giving !== undefined) {
    const type = c.typeOf(expr.giving.type, context.scope, context.vars);
    const t = expand(type);
    if (t.kind === "list") given = t;
    else if (t.kind !== "error") c.problems.report(d.givingNotList, expr.giving.type.span, { found: typeText(type) });
    const own = childEnv(body);
    c.bind(expr.giving.name, { kind: "giving", type }, own, context);
    body = own;
  }
  const wantedList = expected === undefined || mode.settle ? undefined : expand(expected);
  const wanted = given?.of ?? (wantedList?.kind === "list" ? wantedList.of : undefined);
  const value = c.infer(expr.body, body, context, wanted);
  if (given !== undefined && !isError(value) && !assignable(value, given.of)) c.reportMismatch(expr.body, value, given.of);
  if (items === undefined || isError(value)) return ERROR;
  const item = given !== undefined ? given.of : value;
  if (mode.settle) return prelude(c, "Settled", [item], context);
  const least = expr.where === undefined ? items.min : 0;
  return list(item, leastSuccess(mode, least, items.max), items.max);
}

/** `T[⌈p·lo⌉..hi]` under `@min_success(p)`. */
function leastSuccess(mode: RegionMode, min: number, max: number): number {
  const m = mode.minSuccess;
  if (m === undefined) return min;
  if (m.value === undefined) return 0;
  return m.share ? Math.ceil(Number((m.value * min).toFixed(9))) : Math.min(m.value, max);
}

export function inferFork(c: Checker, expr: ForkExpr, env: Env, context: Context, expected: Type | undefined, mode: RegionMode): Type {
  const wanted = expected === undefined || mode.settle ? undefined : expand(expected);
  const seen = new Set<string>();
  const fields = expr.branches.map(({ name, value }) => {
    if (name.text !== "" && seen.has(name.text)) c.problems.report(d.duplicateField, name.span, { name: name.text });
    seen.add(name.text);
    const target = wanted?.kind === "record" ? wanted.fields.find((f) => f.name === name.text)?.type : undefined;
    const type = c.infer(value, env, context, target);
    const settled = mode.settle ? prelude(c, "Outcome", [type], context) : mode.minSuccess === undefined ? type : optional(type);
    return { name: name.text, type: settled };
  });
  return record(fields);
}

export function inferSettle(
  c: Checker,
  expr: SettleExpr,
  env: Env,
  context: Context,
  expected: Type | undefined,
  annotations: readonly Annotation[],
): Type {
  let inner: Expr = expr.inner;
  let around = annotations;
  if (inner.kind === "Annotated") {
    around = [...annotations, ...inner.annotations];
    inner = inner.inner;
    c.annotations(around.slice(annotations.length), { kind: inner.kind === "Fork" ? "fork" : "map" }, env, context);
  }
  const mode = modeOf(around, true, c);
  let type: Type;
  if (inner.kind === "Map") type = inferMap(c, inner, env, context, expected, mode);
  else if (inner.kind === "Fork") type = inferFork(c, inner, env, context, expected, mode);
  else {
    c.infer(inner, env, context);
    if (inner.kind !== "Missing") c.problems.report(d.settleTarget, expr.span, {});
    type = ERROR;
  }
  c.tables.types.set(inner, type);
  if (inner !== expr.inner) c.tables.types.set(expr.inner, type);
  return type;
}

export function inferRace(c: Checker, expr: RaceExpr, env: Env, context: Context, expected?: Type): Type {
  const branches = expr.branches.map((branch) => ({ type: c.infer(branch, env, context, expected), expr: branch }));
  return joinBranches(c, branches, expected, "branches of `race`");
}

/** Counts that size a region must be known before the run: a constant, or a parameter with an upper end. */
export function bounded(c: Checker, expr: Expr, env: Env, context: Context, what: string, least = 1): number | undefined {
  const type = c.expect(expr, env, context, INT);
  const high = upperEnd(c, expr);
  if (isError(type) || !assignable(type, INT)) return undefined;
  if (high === undefined) c.problems.report(d.notBounded, expr.span, { what });
  else {
    const t = expand(type);
    const low = t.kind === "literal" ? Number(t.value) : t.kind === "int" ? (t.min ?? 0) : 0;
    if (t.kind === "literal" && low < least) c.problems.report(d.countTooSmall, expr.span, { what, least, found: low });
  }
  return high;
}

/** The greatest value an expression can have, when its type says so. */
export function upperEnd(c: Checker, expr: Expr): number | undefined {
  const type = c.tables.types.get(expr);
  const t = type === undefined ? undefined : expand(type);
  if (t?.kind === "literal" && typeof t.value === "number") return t.value;
  if (t?.kind === "int" || t?.kind === "float") return t.max;
  return undefined;
}

export function inferVote(c: Checker, expr: VoteExpr, env: Env, context: Context): Type {
  bounded(c, expr.times, env, context, "vote");
  const type = c.infer(expr.body, childEnv(env), context);
  const answer = widenDeep(type);
  if (expr.by !== undefined) {
    const by = expr.by;
    if (by.kind === "Lambda") {
      const inner = childEnv(env);
      if (by.params.length !== 1) c.problems.report(d.lambdaParams, by.span, { callee: "by", expected: 1, found: by.params.length });
      for (const p of by.params.slice(0, 1)) c.bind(p, { kind: "lambda", type: answer }, inner, context);
      for (const p of by.params.slice(1)) c.bind(p, { kind: "lambda", type: ERROR }, inner, context);
      const key = c.infer(by.body, inner, context);
      c.tables.types.set(by, { kind: "callable", params: [{ type: answer }], result: key });
    } else {
      c.infer(by, env, context, { kind: "callable", params: [{ type: answer }], result: ERROR });
      c.problems.report(d.voteBy, by.span, {});
    }
  } else if (!isError(type) && holdsFreeText(type)) {
    c.problems.report(d.voteNeedsBy, expr.body.span, { type: typeText(type) });
  }
  if (expr.early !== undefined) c.expect(expr.early, env, context, { kind: "float", min: 0, max: 1 });
  return isError(type) ? ERROR : prelude(c, "Evidence", [answer], context);
}

export function inferLoop(c: Checker, expr: LoopExpr, env: Env, context: Context, expected?: Type): Type {
  const declared = expr.type === undefined ? undefined : c.typeOf(expr.type, context.scope, context.vars);
  const init = declared === undefined ? c.infer(expr.init, env, context, expected) : c.expect(expr.init, env, context, declared);
  const state = declared ?? (expected !== undefined && assignable(init, expected) ? expected : widenState(init));
  bounded(c, expr.max, env, context, "loop … up to", 0);
  const inner = childEnv(env);
  c.bind(expr.state, { kind: "state", type: state }, inner, context);
  let advanced = false;
  if (expr.body.kind === "Block") {
    inferStatements(c, expr.body.statements, childEnv(inner), context, undefined, {
      state,
      next(type, value) {
        advanced = true;
        if (isError(type) || isError(state) || assignable(type, state)) return;
        c.problems.report(d.loopState, value.span, { found: typeText(type), state: typeText(state), declared: declared !== undefined });
      },
    });
    c.tables.types.set(expr.body, NULL);
    if (!advanced) c.problems.report(d.loopWithoutNext, expr.span, { state: expr.state.text });
  } else c.infer(expr.body, inner, context);
  return state;
}

export function inferReduce(c: Checker, expr: ReduceExpr, env: Env, context: Context): Type {
  const items = over(c, expr.over, env, context, "reduce");
  if (expr.groups !== undefined) {
    const size = bounded(c, expr.groups, env, context, "groups of", 2);
    if (items === undefined) {
      inferReducer(c, expr, ERROR, env, context);
      return ERROR;
    }
    const group: Type = list(items.of, 1, size ?? Number.POSITIVE_INFINITY);
    const result = inferReducer(c, expr, group, env, context);
    const [param] = c.tables.calls.get(expr.with)?.args ?? [];
    return reduced(
      c,
      expr,
      items,
      result,
      (type) => param !== undefined && assignable(list(type, 1, size ?? Number.POSITIVE_INFINITY), param.type),
    );
  }
  if (items === undefined) return ERROR;
  const { with: stage } = expr;
  const annotated = { kind: "stage" } as const;
  c.annotations(stage.annotations, annotated, env, context);
  const type = widenDeep(items.of);
  const local = { kind: "item", type } as const;
  const inner = childEnv(env);
  // Two items meet as the first two open parameters: checked as the call `f(left, right, …)`.
  const left = c.bind({ text: " left", span: stage.callee.span }, local, inner, context);
  const right = c.bind({ text: " right", span: stage.callee.span }, local, inner, context);
  left.used = true;
  right.used = true;
  const call: CallExpr = {
    kind: "Call",
    callee: { kind: "NameExpr", name: stage.callee.text, span: stage.callee.span },
    args: [
      { name: undefined, value: { kind: "NameExpr", name: " left", span: expr.over.span }, span: expr.over.span },
      { name: undefined, value: { kind: "NameExpr", name: " right", span: expr.over.span }, span: expr.over.span },
      ...(stage.args ?? []),
    ],
    span: stage.span,
  };
  const result = c.infer(call, inner, context, type);
  c.tables.reducers.set(expr, { call, left, right });
  const params =
    c.tables.calls
      .get(call)
      ?.args.slice(0, 2)
      .map((arg) => arg.type) ?? [];
  return reduced(c, expr, items, result, (type) => params.every((param) => assignable(type, param)));
}

function inferReducer(c: Checker, expr: ReduceExpr, group: Type, env: Env, context: Context): Type {
  c.annotations(expr.with.annotations, { kind: "stage" }, env, context);
  return c.stage(expr.with, expr.with, group, env, context);
}

/** The result must be something that can be merged further, as an item can. */
function reduced(c: Checker, expr: ReduceExpr, items: ListType, result: Type, accepts: (type: Type) => boolean): Type {
  if (isError(result)) return ERROR;
  const own = widenDeep(items.of);
  const item = assignable(result, own) ? own : join(own, result);
  if (item !== own && !accepts(item)) {
    c.problems.report(d.reduceType, expr.with.span, { callee: expr.with.callee.text, item: typeText(own), result: typeText(result) });
    return ERROR;
  }
  return items.min > 0 ? item : optional(item);
}

export function inferTry(c: Checker, expr: TryExpr, env: Env, context: Context, expected?: Type): Type {
  const tried = c.infer(expr.tried, env, context, expected);
  const inner = childEnv(env);
  const region = partialOf(expr.tried);
  const t = expand(tried);
  const item =
    region === "Map"
      ? t.kind === "list"
        ? t.of
        : ERROR
      : region === "Vote"
        ? evidenceItem(tried)
        : region === "Fork"
          ? forkItem(t)
          : undefined;
  c.bind(
    expr.error,
    { kind: "error", type: item === undefined ? prelude(c, "Failure", [], context) : prelude(c, "Partial", [item], context) },
    inner,
    context,
  );
  const recover = c.infer(expr.recover, inner, context, expected ?? tried);
  return joinBranches(
    c,
    [
      { type: tried, expr: expr.tried },
      { type: recover, expr: expr.recover },
    ],
    expected,
    "the tried expression and `recover`",
  );
}

function evidenceItem(type: Type): Type {
  const t = expand(type);
  return (t.kind === "record" ? t.fields.find((f) => f.name === "value")?.type : undefined) ?? ERROR;
}

function forkItem(t: Type): Type {
  if (t.kind !== "record" || t.fields.length === 0) return ERROR;
  return t.fields.map((f) => f.type).reduce((a, b) => join(a, b));
}

/** Whether a tried expression is a map, fork or vote, whose finished parts `recover` gets. */
export function partialOf(expr: Expr): "Map" | "Fork" | "Vote" | undefined {
  switch (expr.kind) {
    case "Map":
    case "Fork":
    case "Vote":
      return expr.kind;
    case "Annotated":
      return partialOf(expr.inner);
    case "Block": {
      const only = expr.statements[0];
      return expr.statements.length === 1 && only?.kind === "Expr" ? partialOf(only.value) : undefined;
    }
    default:
      return undefined;
  }
}
