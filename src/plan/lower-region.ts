/**
 * Regions become nodes with bodies. What a clause of a map computes with calls (`where`, `by`, `after`) is computed for
 * all items first, by a map of its own, and looked up by index.
 */

import { partialOf } from "../semantics/regions.js";
import { childEnv } from "../semantics/symbols.js";
import { expand, list, type Type, widenDeep } from "../semantics/types.js";
import type { Annotation, Expr, MapExpr, OrchestrateExpr, ReduceExpr } from "../syntax/ast.js";
import type { CalleeRef, EffectKind, ExprIR, SizeIR, TypeIR } from "./ir.js";
import { type Builder, builder, constant, freshId, type Lowering, ref, typeOf } from "./lowering.js";
import { addNode, effectOfBody, fit } from "./nodes.js";

export function lowerRegion(l: Lowering, e: Expr, b: Builder, annotations: readonly Annotation[], settle: boolean): ExprIR {
  const setting = (effect: EffectKind, fallback: string, type: Type = typeOf(l, e, b.unit)) => ({
    segment: b.naming ?? fallback,
    span: e.span,
    type: l.type(type, b.unit),
    effect,
    policies: l.policies(annotations, b),
    after: l.after(annotations, b),
  });
  switch (e.kind) {
    case "Settle": {
      const inner = e.inner.kind === "Annotated" ? e.inner : undefined;
      return l.region(inner?.inner ?? e.inner, b, [...annotations, ...(inner?.annotations ?? [])], true);
    }
    case "Map":
      return lowerMap(l, e, b, setting, settle);
    case "Fork": {
      const branches = e.branches.map(({ name, value }) => ({ name: name.text, body: l.body(value, b.unit, name.text) }));
      return addNode(b, { kind: "fork", settle, branches }, setting(strongest(branches.map((x) => effectOfBody(x.body))), "fork"));
    }
    case "Race": {
      const branches = e.branches.map((value, i) => ({ name: String(i + 1), body: l.body(value, b.unit, String(i + 1)) }));
      return addNode(b, { kind: "race", branches }, setting(strongest(branches.map((x) => effectOfBody(x.body))), "race"));
    }
    case "Vote": {
      const times = l.expr(e.times, b);
      const early = e.early === undefined ? undefined : l.expr(e.early, b);
      const body = l.body(e.body, b.unit, undefined);
      const key = e.by?.kind === "Lambda" ? voteKey(l, e.by, b) : undefined;
      const parts = {
        kind: "vote",
        times,
        body,
        ...(key === undefined ? {} : { key }),
        ...(early === undefined ? {} : { early }),
      } as const;
      return addNode(b, parts, setting(effectOfBody(body), "vote"));
    }
    case "Loop": {
      const state = freshId(b.unit, e.state.text);
      const type = typeOf(l, e, b.unit);
      const outer = b.naming;
      b.naming = e.state.text;
      const init = fit(l, l.expr(e.init, b), typeOf(l, e.init, b.unit), type, b.unit);
      b.naming = outer;
      const times = l.expr(e.max, b);
      const local = l.checker.tables.locals.get(e.state);
      if (local !== undefined) b.unit.values.set(local, ref(state));
      const body = l.body(e.body, b.unit, undefined, { state });
      return addNode(b, { kind: "loop", state, init, times, body }, setting(effectOfBody(body), "loop"));
    }
    case "Reduce":
      return lowerReduce(l, e, b, setting);
    case "Try": {
      const body = l.body(e.tried, b.unit, b.naming);
      const error = freshId(b.unit, e.error.text);
      const local = l.checker.tables.locals.get(e.error);
      if (local !== undefined) b.unit.values.set(local, ref(error));
      const recover = l.body(e.recover, b.unit, b.naming);
      const partial = partialOf(e.tried) !== undefined;
      return addNode(
        b,
        { kind: "try", body, error, partial, recover },
        setting(strongest([effectOfBody(body), effectOfBody(recover)]), "try"),
      );
    }
    case "Ask": {
      const question = l.expr(e.question, b);
      const within = e.within === undefined ? undefined : l.expr(e.within, b);
      const otherwise = e.otherwise === undefined ? undefined : l.body(e.otherwise, b.unit, b.naming);
      const answer = l.type(typeOf(l, e, b.unit), b.unit);
      const parts = {
        kind: "ask",
        question,
        answer,
        ...(within === undefined ? {} : { within }),
        ...(otherwise === undefined ? {} : { otherwise }),
      } as const;
      const made = addNode(b, parts, setting(otherwise === undefined ? "none" : effectOfBody(otherwise), "ask"));
      if (made.kind === "ref") {
        b.required.add(made.id);
        b.guards = [made.id];
      }
      return made;
    }
    case "Send": {
      const symbol = b.unit.scope.names.get(e.channel.text);
      const value = e.args[0] === undefined ? constant(null) : l.expr(e.args[0].value, b);
      return addNode(b, { kind: "send", channel: symbol?.id ?? e.channel.text, value }, setting("effect", `send ${e.channel.text}`));
    }
    case "Orchestrate":
      return lowerOrchestrate(l, e, b, setting);
    default:
      return l.expr(e, b);
  }
}

type Setting = (effect: EffectKind, fallback: string, type?: Type) => Parameters<typeof addNode>[2];

const strongest = (effects: readonly EffectKind[]): EffectKind =>
  effects.includes("effect") ? "effect" : effects.includes("reads") ? "reads" : "none";

function lowerMap(l: Lowering, e: MapExpr, b: Builder, setting: Setting, settle: boolean): ExprIR {
  const { locals } = l.checker.tables;
  const outer = b.naming;
  b.naming = e.item.text;
  const given = l.expr(e.over, b);
  b.naming = outer;
  const clauses = [e.where, e.by, e.after].filter((c) => c !== undefined);
  const needsIndex = e.index !== undefined || clauses.some((c) => l.impure(c, b.unit));
  const item = freshId(b.unit, e.item.text);
  const index = needsIndex ? freshId(b.unit, e.index?.text ?? "index") : undefined;
  const bind = (): void => {
    const itemLocal = locals.get(e.item);
    if (itemLocal !== undefined) b.unit.values.set(itemLocal, ref(item));
    const indexLocal = e.index === undefined ? undefined : locals.get(e.index);
    if (indexLocal !== undefined && index !== undefined) b.unit.values.set(indexLocal, ref(index));
  };
  const over = clauses.some((c) => l.impure(c, b.unit)) ? shared(l, given, e.over, b) : given;
  const clause = (c: Expr | undefined, word: string): ExprIR | undefined => {
    if (c === undefined) return undefined;
    if (l.impure(c, b.unit) && index !== undefined) {
      const all = eachFirst(l, c, word, over, e, b);
      bind();
      return { kind: "index", of: all, at: ref(index) };
    }
    bind();
    return l.expr(c, b);
  };
  const where = clause(e.where, "where");
  const key = clause(e.by, "by");
  const needs = clause(e.after, "after");
  bind();
  let giving: string | undefined;
  if (e.giving !== undefined) {
    giving = freshId(b.unit, e.giving.name.text);
    const local = locals.get(e.giving.name);
    if (local !== undefined) b.unit.values.set(local, ref(giving));
  }
  const body = l.body(e.body, b.unit, undefined);
  return addNode(
    b,
    {
      kind: "map",
      over,
      size: sizeOf(l, e.over, b),
      item,
      settle,
      body,
      ...(index === undefined ? {} : { index }),
      ...(where === undefined ? {} : { where }),
      ...(key === undefined ? {} : { key }),
      ...(needs === undefined ? {} : { needs }),
      ...(giving === undefined ? {} : { giving }),
    },
    setting(effectOfBody(body), "map"),
  );
}

/** What the type of a list says of its size, and how people would name the list. */
function sizeOf(l: Lowering, e: Expr, b: Builder): SizeIR {
  const t = expand(typeOf(l, e, b.unit));
  const file = l.checker.resolved.files.get(e.span.file);
  const text = file?.text.slice(e.span.start, e.span.end).replace(/\s+/g, " ") ?? "items";
  const symbol = text.length > 40 ? `${text.slice(0, 39)}…` : text;
  if (t.kind !== "list") return { min: 0, symbol };
  return { min: t.min, symbol, ...(Number.isFinite(t.max) ? { max: t.max } : {}) };
}

/** A value that several nodes use: computed once. */
function shared(l: Lowering, value: ExprIR, e: Expr, b: Builder): ExprIR {
  if (value.kind === "ref" || value.kind === "const") return value;
  return addNode(
    b,
    { kind: "value", value },
    { segment: "items", span: e.span, type: l.type(typeOf(l, e, b.unit), b.unit), effect: "none" },
  );
}

/** A clause that calls something, computed for every item before the map. */
function eachFirst(l: Lowering, clause: Expr, word: string, over: ExprIR, e: MapExpr, b: Builder): ExprIR {
  const { locals } = l.checker.tables;
  const item = freshId(b.unit, e.item.text);
  const itemLocal = locals.get(e.item);
  if (itemLocal !== undefined) b.unit.values.set(itemLocal, ref(item));
  const index = e.index === undefined ? undefined : freshId(b.unit, e.index.text);
  const indexLocal = e.index === undefined ? undefined : locals.get(e.index);
  if (indexLocal !== undefined && index !== undefined) b.unit.values.set(indexLocal, ref(index));
  const body = l.body(clause, b.unit, undefined);
  const type = list(typeOf(l, clause, b.unit));
  return addNode(
    b,
    { kind: "map", over, item, settle: false, body, ...(index === undefined ? {} : { index }) },
    {
      segment: b.naming === undefined ? word : `${b.naming} ${word}`,
      span: clause.span,
      type: l.type(type, b.unit),
      effect: effectOfBody(body),
    },
  );
}

function voteKey(l: Lowering, by: Expr & { kind: "Lambda" }, b: Builder): { param: string; value: ExprIR } | undefined {
  const [p] = by.params;
  if (p === undefined) return undefined;
  const param = freshId(b.unit, p.text);
  const local = l.checker.tables.locals.get(p);
  if (local !== undefined) b.unit.values.set(local, ref(param));
  return { param, value: l.expr(by.body, b) };
}

function lowerReduce(l: Lowering, e: ReduceExpr, b: Builder, setting: Setting): ExprIR {
  const over = l.expr(e.over, b);
  const inner = builder(b.unit);
  if (e.groups !== undefined) {
    const groups = l.expr(e.groups, b);
    const items = freshId(b.unit, "items");
    const call = l.checker.tables.calls.get(e.with);
    const result = call === undefined ? constant(null) : l.call(call, ref(items), e.with.annotations, e.with.span, inner);
    const body = l.finish(inner, result);
    return addNode(
      b,
      { kind: "reduce", over, size: sizeOf(l, e.over, b), groups, params: [items], body },
      setting(effectOfBody(body), "reduce"),
    );
  }
  const merge = l.checker.tables.reducers.get(e);
  if (merge === undefined) return constant(null);
  const left = freshId(b.unit, "left");
  const right = freshId(b.unit, "right");
  b.unit.values.set(merge.left, ref(left));
  b.unit.values.set(merge.right, ref(right));
  const call = l.checker.tables.calls.get(merge.call);
  const result = call === undefined ? constant(null) : l.call(call, undefined, e.with.annotations, e.with.span, inner);
  const body = l.finish(inner, result);
  return addNode(
    b,
    { kind: "reduce", over, size: sizeOf(l, e.over, b), params: [left, right], body },
    setting(effectOfBody(body), "reduce"),
  );
}

function lowerOrchestrate(l: Lowering, e: OrchestrateExpr, b: Builder, setting: Setting): ExprIR {
  const arg = (name: string) => e.args.find((a, i) => (a.name?.text ?? (i === 0 ? "goal" : "")) === name)?.value;
  const goal = arg("goal");
  const context = arg("context");
  const repairs = arg("repairs");
  const team = arg("team");
  const model = arg("model");
  const refs: CalleeRef[] = [];
  for (const { value } of team?.kind === "List" ? team.elements : []) {
    const callable = l.checker.callableOf(
      value,
      childEnv(undefined),
      { scope: b.unit.scope, owner: undefined, inTest: false, secretAllowed: false },
      true,
    );
    if (callable !== undefined) refs.push(l.callee(callable, new Map(), new Map()).ref);
  }
  const found = model?.kind === "NameExpr" ? l.checker.tables.refs.get(model) : undefined;
  return addNode(
    b,
    {
      kind: "orchestrate",
      goal: goal === undefined ? constant("") : l.expr(goal, b),
      team: refs,
      model: found?.kind === "symbol" ? l.model(found.symbol) : "",
      repairs: repairs === undefined ? constant(3) : l.expr(repairs, b),
      ...(context === undefined ? {} : { context: l.expr(context, b) }),
    },
    setting(strongest(refs.map((r) => l.effectOf(r))), "orchestrate"),
  );
}

/** Functions that call something, given to a built-in function: a map computes them for every item first. */
export function lowerBuiltinOverItems(
  l: Lowering,
  name: string,
  items: ExprIR,
  apply: (item: ExprIR, inner: Builder) => ExprIR,
  b: Builder,
  setting: { span: Expr["span"]; result: TypeIR; element: Type; value: Type },
): { readonly pairs: ExprIR } {
  const item = freshId(b.unit, "item");
  const inner = builder(b.unit);
  const value = apply(ref(item), inner);
  const body = l.finish(inner, {
    kind: "record",
    entries: [
      { name: "left", value: ref(item) },
      { name: "right", value },
    ],
  });
  const pair: Type = {
    kind: "record",
    fields: [
      { name: "left", type: setting.element },
      { name: "right", type: setting.value },
    ],
  };
  const pairs = addNode(
    b,
    { kind: "map", over: items, item, settle: false, body },
    { segment: b.naming ?? name, span: setting.span, type: l.type(list(widenDeep(pair)), b.unit), effect: effectOfBody(body) },
  );
  return { pairs };
}
