/**
 * Nodes of a body being made: adding one tells it what it must wait for beyond its data, the guards above it and for what
 * reaches the outside the effects (law 2). Also what lowering asks of nodes and values again and again.
 */
import { needsCut } from "../semantics/relate.js";
import { isError, type Type } from "../semantics/types.js";
import type { Span } from "../source/source.js";
import type { Expr, LambdaExpr } from "../syntax/ast.js";
import type { Body, EffectKind, ExprIR, NodeIR, TypeIR } from "./ir.js";
import { type Builder, freshId, type Lowering, type OpenNode, ref, segmentFor, type Unit } from "./lowering.js";
import { forEachExpr, forEachExprOf, innerBodies } from "./walk.js";

type Own<K extends NodeIR["kind"]> = Omit<
  Extract<NodeIR, { kind: K }>,
  "id" | "segment" | "span" | "type" | "deps" | "after" | "effect" | "needed" | "policies"
>;

export type NodeParts = { [K in NodeIR["kind"]]: Own<K> }[NodeIR["kind"]];

export interface NodeSetting {
  readonly segment: string;
  readonly span: Span;
  readonly type: TypeIR;
  readonly effect: EffectKind;
  readonly policies?: NodeIR["policies"];
  /** Further nodes to wait for (`@after`). */
  readonly after?: readonly string[];
  readonly id?: string;
}

/** Adds a node and returns the reference to its value. */
export function addNode(b: Builder, parts: NodeParts, setting: NodeSetting): ExprIR {
  const id = setting.id ?? freshId(b.unit, b.named?.span === setting.span ? b.named.name : setting.segment);
  const node = {
    ...parts,
    id,
    segment: segmentFor(b, setting.segment),
    span: setting.span,
    type: setting.type,
    deps: NO_IDS,
    after: waitsFor(b, setting),
    effect: setting.effect,
    needed: true,
    policies: setting.policies ?? {},
  } as OpenNode;
  b.nodes.push(node);
  if (setting.effect === "effect") {
    b.lastEffect = id;
    b.readsSince = [];
  } else if (setting.effect === "reads") b.readsSince.push(id);
  return ref(id);
}

const isFail = (e: ExprIR): boolean => e.kind === "builtin" && e.name === "fail";

const NO_IDS: readonly string[] = [];

/** What a node must wait for beyond its data: guards, what `@after` names, and the order of effects. */
function waitsFor(b: Builder, { effect, after = NO_IDS }: NodeSetting): readonly string[] {
  if (b.guards.length === 0 && after.length === 0 && (effect === "none" || (b.lastEffect === undefined && b.readsSince.length === 0)))
    return NO_IDS;
  const ids = new Set([...b.guards, ...after]);
  if (effect !== "none" && b.lastEffect !== undefined) ids.add(b.lastEffect);
  if (effect === "effect") for (const id of b.readsSince) ids.add(id);
  return [...ids];
}

/** Whether an expression fails on purpose (`fail`). */
export function failsOnPurpose(e: ExprIR): boolean {
  let found = false;
  forEachExpr(e, (x) => {
    found ||= isFail(x);
  });
  return found;
}

/** Whether a node may end its block on purpose or wait for a person: it contains or calls `fail`, `assert`, `ask`. */
export function mayStop(l: Lowering, node: NodeIR): boolean {
  if (node.kind === "assert" || node.kind === "ask" || node.kind === "stop") return true;
  if (node.kind === "call" && l.guards(node.callee)) return true;
  let fails = false;
  forEachExprOf(node, (e) => {
    fails ||= isFail(e);
  });
  return fails || innerBodies(node).some(({ body }) => bodyMayStop(l, body));
}

export function bodyMayStop(l: Lowering, body: Body): boolean {
  return failsOnPurpose(body.result) || body.nodes.some((node) => mayStop(l, node));
}

/** The strongest effect of the nodes of a body. */
export function effectOfBody(body: Body): EffectKind {
  let out: EffectKind = "none";
  for (const node of body.nodes) {
    if (node.effect === "effect") return "effect";
    if (node.effect === "reads") out = "reads";
  }
  return out;
}

/** Puts a lambda's body in place: its parameters stand for the given values, its names for what they were where it was written. */
export function inlineLambda(l: Lowering, lambda: LambdaExpr, home: Unit, args: readonly ExprIR[], b: Builder): ExprIR {
  const outer = b.unit;
  lambda.params.forEach((p, i) => {
    const local = l.checker.tables.locals.get(p);
    const value = args[i];
    if (local !== undefined && value !== undefined) outer.values.set(local, value);
  });
  b.unit = { ...outer, scope: home.scope, vars: home.vars, impure: home.impure };
  const result = l.expr(lambda.body, b);
  b.unit = outer;
  return result;
}

/** The fields of a piped value, one after the other. */
export function fieldPath(of: ExprIR, path: readonly string[]): ExprIR {
  return path.reduce((value: ExprIR, name): ExprIR => ({ kind: "field", of: value, name }), of);
}

/** Cuts a value to a declared type where it has more fields than that. */
export function fit(l: Lowering, value: ExprIR, from: Type, to: Type, u: Unit): ExprIR {
  if (isError(from) || !needsCut(from, to)) return value;
  return { kind: "cut", of: value, type: l.type(to, u) };
}

/** Lowers with a name for the regions inside: a field, a branch. */
export function named(l: Lowering, e: Expr, name: string, b: Builder): ExprIR {
  const outer = b.naming;
  b.naming = name;
  const value = l.expr(e, b);
  b.naming = outer;
  return value;
}
