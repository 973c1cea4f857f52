/**
 * What the parts of the checker share: the side tables they fill, and the functions by which they call each other
 * (so that a file per construct needs no import cycle). A `Checker` lives for one `check`.
 */
import type { Problems } from "../diagnostics/problems.js";
import type { Span } from "../source/source.js";
import type {
  Annotation,
  Argument,
  CallExpr,
  Expr,
  Name,
  NameExpr,
  PipeExpr,
  PolicyDecl,
  ReduceExpr,
  Stage,
  Template,
  TemplateBlock,
  TemplateExpr,
  Text,
  TypeNode,
} from "../syntax/ast.js";
import type { AnnotationTarget } from "./annotations.js";
import type { BuiltinForm } from "./builtins.js";
import type { Resolved } from "./resolve.js";
import type { Callable, DeclSymbol, Env, Local, ModuleScope } from "./symbols.js";
import type { EffectKind, Type } from "./types.js";

/** What a name in an expression stands for. */
export type Ref =
  | { readonly kind: "local"; readonly local: Local }
  | { readonly kind: "symbol"; readonly symbol: DeclSymbol }
  | { readonly kind: "builtin"; readonly name: string };

/** What a template path or helper stands for. */
export type TemplateRef =
  | { readonly kind: "local"; readonly local: Local; readonly path: readonly string[] }
  | { readonly kind: "symbol"; readonly symbol: DeclSymbol; readonly path: readonly string[] }
  /** A path inside the context of the `up`-th enclosing block, counted outwards from the nearest. */
  | { readonly kind: "context"; readonly up: number; readonly path: readonly string[] }
  | { readonly kind: "blockParam"; readonly block: TemplateBlock; readonly index: number; readonly path: readonly string[] }
  | { readonly kind: "data"; readonly name: string; readonly up: number };

/** The target and arguments of a call, a stage of a pipeline or a stage of a `compose`, in parameter order. */
export interface ResolvedCall {
  readonly target: CallTarget;
  readonly args: readonly ResolvedArg[];
  /** Type variables as inferred. */
  readonly vars: ReadonlyMap<string, Type>;
  readonly result: Type;
}
export type CallTarget =
  | { readonly kind: "callable"; readonly callable: Callable }
  | { readonly kind: "builtin"; readonly name: string; readonly form: BuiltinForm }
  | { readonly kind: "local"; readonly local: Local };
export interface ResolvedArg {
  readonly param: string;
  /** The parameter's type with variables filled in. */
  readonly type: Type;
  readonly source: ArgSource;
}
export type ArgSource =
  | { readonly kind: "expr"; readonly expr: Expr }
  | { readonly kind: "piped"; readonly type: Type }
  | { readonly kind: "pipedField"; readonly path: readonly string[]; readonly type: Type }
  | { readonly kind: "default"; readonly callable: Callable; readonly value: Expr }
  | { readonly kind: "absent" };

/** The side tables: everything that later stages know about the tree. */
export interface Tables {
  readonly types: Map<Expr, Type>;
  readonly refs: Map<NameExpr, Ref>;
  readonly calls: Map<CallExpr | Stage | PipeExpr, ResolvedCall>;
  readonly templates: Map<Text, Template>;
  readonly templateRefs: Map<TemplateExpr, TemplateRef>;
  readonly templateTypes: Map<TemplateExpr, Type>;
  readonly helperForms: Map<TemplateExpr, BuiltinForm>;
  readonly typeNodes: Map<TypeNode, Type>;
  /** The call by which two items of a pairwise `reduce` become one. */
  readonly reducers: Map<ReduceExpr, { readonly call: CallExpr; readonly left: Local; readonly right: Local }>;
  /** Where a name is bound. */
  readonly locals: Map<Name, Local>;
  /** Callables that each callable refers to, with a place that does. */
  readonly references: Map<DeclSymbol, Map<DeclSymbol, Span>>;
  readonly effects: Map<DeclSymbol, EffectKind>;
}

/** What is being checked around an expression. */
export interface Context {
  readonly scope: ModuleScope;
  /** The declaration whose body this is, for the graph of references. */
  readonly owner: DeclSymbol | undefined;
  readonly inTest: boolean;
  /** What `secret` values may reach here: a place that is declared secret. */
  readonly secretAllowed: boolean;
  /** True in the prompts of agents, where images, audio and documents may stand in a text. */
  readonly mediaAllowed?: boolean;
  /** True in top-level constants and properties, where `env` and `secret` may stand. */
  readonly environment?: boolean;
  /** Type parameters in scope. */
  readonly vars?: ReadonlyMap<string, Type>;
}

export interface Checker {
  readonly problems: Problems;
  readonly resolved: Resolved;
  readonly tables: Tables;
  /** Infers the type of an expression, with what is expected flowing inwards; records it. */
  infer(expr: Expr, env: Env, context: Context, expected?: Type): Type;
  /** Infers and reports where the type does not fit what is expected; returns the inferred type. */
  expect(expr: Expr, env: Env, context: Context, expected: Type): Type;
  /** Reports that `found` does not fit, at the innermost part of `expr` that is to blame. */
  reportMismatch(expr: Expr, found: Type, expected: Type): void;
  /** The same for an argument of a call, naming the parameter it was meant for. */
  argumentMismatch(
    expr: Expr,
    found: Type,
    wanted: Type,
    where: { readonly param: string; readonly callee: string; readonly span: Span | undefined },
  ): void;
  typeOf(node: TypeNode, scope: ModuleScope, vars?: ReadonlyMap<string, Type>): Type;
  signature(symbol: DeclSymbol): Callable | undefined;
  /** The callable an expression names: a symbol or a callable parameter; undefined (and reported, unless quiet) when none. */
  callableOf(expr: Expr, env: Env, context: Context, quiet?: boolean): Callable | undefined;
  call(expr: CallExpr, env: Env, context: Context, expected?: Type): Type;
  stage(stage: Stage, key: Stage | PipeExpr, piped: Type, env: Env, context: Context, expected?: Type): Type;
  annotations(annotations: readonly Annotation[], target: AnnotationTarget, env: Env, context: Context): void;
  template(text: Text, env: Env, context: Context): Type;
  effectOf(symbol: DeclSymbol): EffectKind;
  /** A declared type with its arguments. */
  declared(symbol: DeclSymbol, args: readonly Type[], context: Context): Type;
  /** The model an expression names, reported when it names none. */
  model(expr: Expr, context: Context): DeclSymbol | undefined;
  /** The type of a top-level constant. */
  constant(symbol: DeclSymbol): Type;
  policies(scope: ModuleScope): ReadonlyMap<string, PolicyDecl>;
  bind(name: Name, local: Omit<Local, "used" | "name" | "span">, env: Env, context: Context): Local;
}

/** Named arguments apart from positional ones. */
export function splitArgs(args: readonly Argument[]): { positional: readonly Argument[]; named: readonly Argument[] } {
  return { positional: args.filter((a) => a.name === undefined), named: args.filter((a) => a.name !== undefined) };
}
