/**
 * What annotations stand before, told to the table of annotations: the region or call, what it can reach and whether that
 * may be repeated, and the names in scope for their arguments.
 */
import type { Annotation, Expr } from "../syntax/ast.js";
import { type AnnotationTarget, checkAnnotations, type Reach } from "./annotations.js";
import { callableOf } from "./calls.js";
import type { Checker, Context } from "./checker.js";
import { effectOfNode, effectOfSymbol, unrepeatable, unrepeatableIn } from "./effects.js";
import { upperEnd } from "./regions.js";
import { type Callable, type DeclSymbol, type Env, isCallableDecl } from "./symbols.js";
import type { Type } from "./types.js";

/** What the annotations before an expression stand before. */
export function annotationTarget(c: Checker, inner: Expr, context: Context): AnnotationTarget {
  switch (inner.kind) {
    case "Settle":
      return annotationTarget(c, inner.inner, context);
    case "Annotated":
      return annotationTarget(c, inner.inner, context);
    case "Map":
      return { kind: "map", reach: () => reachOf(c, inner, context) };
    case "Fork":
      return { kind: "fork", reach: () => reachOf(c, inner, context) };
    case "Race":
      return { kind: "race", reach: () => reachOf(c, inner, context) };
    case "Vote":
      return { kind: "vote", reach: () => reachOf(c, inner, context) };
    case "Loop":
      return { kind: "loop", reach: () => reachOf(c, inner, context) };
    case "Reduce":
      return { kind: "reduce", reach: () => reachOf(c, inner, context) };
    case "Call":
      return callTarget(c, inner);
    default:
      return { kind: "scope", reach: () => reachOf(c, inner, context) };
  }
}

/** What a region can reach, for annotations that repeat it. */
function reachOf(c: Checker, inner: Expr, context: Context): Reach {
  const effect = effectOfNode(c, context.scope, inner);
  return { effect, unsafe: effect === "effect" ? unrepeatableIn(c, context.scope, inner) : [] };
}

/** The same for a declared callable. */
export function reachOfSymbol(c: Checker, symbol: DeclSymbol): Reach {
  return { effect: effectOfSymbol(c, symbol), unsafe: unrepeatable(c, symbol) };
}

/** The same for a call, whose callee is known by then. */
export function callTarget(c: Checker, expr: Expr): AnnotationTarget {
  const call = expr.kind === "Call" || expr.kind === "Pipe" ? c.tables.calls.get(expr) : undefined;
  if (call === undefined) return { kind: "call" };
  if (call.target.kind === "builtin") return { kind: "builtin", name: call.target.name };
  if (call.target.kind === "local") return { kind: "call", result: call.result };
  const { callable } = call.target;
  return {
    kind: "call",
    callee: { name: callable.symbol.name, kind: callable.decl.kind, type: callableType(callable), span: callable.decl.name.span },
    reach: () => reachOfSymbol(c, callable.symbol),
    annotations: callable.decl.annotations,
    result: call.result,
  };
}

/** A declared callable as a type. */
export function callableType(callable: Callable): Type & { kind: "callable" } {
  return {
    kind: "callable",
    params: callable.params.map((p) => ({ name: p.name, type: p.type, ...(p.default === undefined ? {} : { optional: true }) })),
    result: callable.result(),
  };
}

/** Checks the annotations of one place against the table, with the names that are in scope there. */
export function checkAnnotationsAt(
  c: Checker,
  annotations: readonly Annotation[],
  target: AnnotationTarget,
  env: Env,
  context: Context,
): void {
  checkAnnotations(annotations, target, {
    problems: c.problems,
    infer: (expr, expected) => c.infer(expr, env, context, expected),
    callable(expr) {
      const callable = callableOf(c, expr, env, context);
      if (callable === undefined) return undefined;
      return {
        name: callable.symbol.name,
        kind: callable.decl.kind,
        type: callableType(callable),
        span: callable.decl.name.span,
        effect: effectOfSymbol(c, callable.symbol),
        annotations: callable.decl.annotations,
      };
    },
    upperEnd: (expr) => upperEnd(c, expr),
    policies: c.policies(context.scope),
    nameKnown(name) {
      context.scope.used.add(name);
      return context.scope.names.has(name);
    },
    candidates: () =>
      [...context.scope.names.values()]
        .filter(({ decl }) => decl.kind === "ModelDecl" || isCallableDecl(decl))
        .map((symbol) => symbol.name),
  });
}
