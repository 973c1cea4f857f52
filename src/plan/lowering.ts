/**
 * What the parts of lowering share. A *unit* is one callable of the graph being made (a flow once for each way it is
 * specialised, an agent, a tool, a test); a *builder* collects the nodes of one body in it. Names of the program become
 * expressions of the graph: a reference to a node or binding, or whatever a `let` or a lambda's argument stands for.
 */
import type { Problems } from "../diagnostics/problems.js";
import type { Checker, ResolvedCall } from "../semantics/checker.js";
import type { Callable, DeclSymbol, Local, ModuleScope } from "../semantics/symbols.js";
import { ERROR, substitute, type Type } from "../semantics/types.js";
import type { Span } from "../source/source.js";
import type { Annotation, CallExpr, Expr, LambdaExpr, PipeExpr, Stage, Text } from "../syntax/ast.js";
import type { Body, CalleeRef, EffectKind, ExprIR, NodeIR, Policies, TypeIR } from "./ir.js";

/** What a callable parameter stands for in a specialised flow. */
export type CallableArg =
  | { readonly kind: "callable"; readonly callable: Callable }
  | { readonly kind: "builtin"; readonly name: string }
  | { readonly kind: "lambda"; readonly expr: LambdaExpr; readonly home: Unit };

export interface Unit {
  readonly scope: ModuleScope;
  /** Type variables of a generic flow. */
  readonly vars: ReadonlyMap<string, Type>;
  readonly values: Map<Local, ExprIR>;
  readonly callables: Map<Local, CallableArg>;
  readonly ids: Map<string, number>;
  readonly impure: Map<Expr, boolean>;
  readonly inTest: boolean;
}

export function unit(scope: ModuleScope, vars: ReadonlyMap<string, Type> = new Map(), inTest = false): Unit {
  return { scope, vars, values: new Map(), callables: new Map(), ids: new Map(), impure: new Map(), inTest };
}

/** An id that nothing else in the unit has. */
export function freshId(u: Unit, name: string): string {
  const n = (u.ids.get(name) ?? 0) + 1;
  u.ids.set(name, n);
  return n === 1 ? name : `${name}#${n}`;
}

/** A node of a body that is not finished: what it waits for and whether it is needed is filled in then. */
export type OpenNode = NodeIR & { deps: readonly string[]; after: readonly string[]; needed: boolean };

export interface Builder {
  /** Changes for the time in which a lambda from elsewhere is put in place. */
  unit: Unit;
  readonly nodes: OpenNode[];
  /** Ids that everything below must wait for. */
  guards: readonly string[];
  lastEffect: string | undefined;
  readsSince: string[];
  readonly segments: Map<string, number>;
  /** The enclosing `let`, field, branch or arm: what a region here is called in paths. */
  naming: string | undefined;
  /** The call or region that a `let` names: its node has the name as its id, for people who read the graph. */
  named: { readonly span: Span; readonly name: string } | undefined;
  /** Statements whose value nobody takes, to warn about those that nothing needs. */
  readonly dropped: { readonly ids: readonly string[]; readonly span: Span; readonly what: string }[];
  /** Nodes that run although nothing needs their value. */
  readonly required: Set<string>;
  /** The state of the loop this is the body of. */
  readonly loop: { readonly state: string } | undefined;
}

export function builder(u: Unit, loop?: { readonly state: string }): Builder {
  return {
    unit: u,
    nodes: [],
    guards: [],
    lastEffect: undefined,
    readsSince: [],
    segments: new Map(),
    naming: undefined,
    named: undefined,
    dropped: [],
    required: new Set(),
    loop,
  };
}

/** A path segment that no other node of the body has. */
export function segmentFor(b: Builder, name: string): string {
  const n = (b.segments.get(name) ?? 0) + 1;
  b.segments.set(name, n);
  return n === 1 ? name : `${name}#${n}`;
}

export interface Lowering {
  readonly checker: Checker;
  readonly problems: Problems;
  expr(e: Expr, b: Builder): ExprIR;
  body(e: Expr, u: Unit, naming?: string, loop?: { readonly state: string }): Body;
  /** Closes a builder: dependencies, what is needed, warnings about what is not. */
  finish(b: Builder, result: ExprIR): Body;
  impure(e: Expr, u: Unit): boolean;
  region(e: Expr, b: Builder, annotations: readonly Annotation[], settle: boolean): ExprIR;
  call(call: ResolvedCall, piped: ExprIR | undefined, annotations: readonly Annotation[], span: Span, b: Builder): ExprIR;
  template(text: Text, b: Builder): ExprIR;
  templateReadsState(text: Text): boolean;
  policies(annotations: readonly Annotation[], b: Builder): Policies;
  /** The nodes of this body that `@after` names. */
  after(annotations: readonly Annotation[], b: Builder): readonly string[];
  /** `env(…)` or `secret(…)` as a global of the graph. */
  environment(e: CallExpr): ExprIR;
  callee(callable: Callable, args: ReadonlyMap<string, CallableArg>, vars: ReadonlyMap<string, Type>): SpecialisedCallee;
  type(type: Type, u: Unit): TypeIR;
  constant(symbol: DeclSymbol): ExprIR;
  stateId(symbol: DeclSymbol): string;
  model(symbol: DeclSymbol): string;
  /** Whether calling the flow can fail on purpose or wait for a person. */
  guards(ref: CalleeRef): boolean;
  effectOf(ref: CalleeRef): EffectKind;
}

/** A callable of the graph, with the values its lambdas took from where they were written. */
export interface SpecialisedCallee {
  readonly ref: CalleeRef;
  readonly captured: readonly { readonly param: string; readonly local: Local }[];
}

/** The checked type of an expression, with the type variables of the unit filled in. */
export function typeOf(l: Lowering, e: Expr, u: Unit): Type {
  return substitute(l.checker.tables.types.get(e) ?? ERROR, u.vars);
}

export function callOf(l: Lowering, key: Expr | Stage | PipeExpr): ResolvedCall | undefined {
  return key.kind === "Call" || key.kind === "Stage" || key.kind === "Pipe" ? l.checker.tables.calls.get(key) : undefined;
}

export const ref = (id: string): ExprIR => ({ kind: "ref", id });
export const constant = (value: null | boolean | number | string): ExprIR => ({ kind: "const", value });
export const builtin = (name: string, args: readonly ExprIR[], span: Span): ExprIR => ({ kind: "builtin", name, args, span });
