/**
 * What names stand for: a symbol for each declaration, a scope for each file, a local for each name inside a body.
 */

import type { Span } from "../source/source.js";
import type {
  AgentDecl,
  CapabilityDecl,
  ChannelDecl,
  ComposeDecl,
  Declaration,
  Expr,
  FlowDecl,
  Module,
  Name,
  ToolDecl,
} from "../syntax/ast.js";
import type { Type } from "./types.js";

export interface DeclSymbol {
  readonly name: string;
  readonly decl: Declaration;
  readonly scope: ModuleScope;
  /** Unique in the program: the name in the entry file, else `label:name`. */
  readonly id: string;
}

export interface ModuleScope {
  readonly module: Module;
  /** How other files' symbols of it are named in ids: `std/fs`, `tools/web`; empty for the entry file. */
  readonly label: string;
  readonly isPrelude: boolean;
  /** Declared here and imported, by the name used here. */
  readonly names: Map<string, DeclSymbol>;
  readonly imports: Map<string, ImportBinding>;
  /** Names that were used, for warnings about those that were not. */
  readonly used: Set<string>;
  /** Names that failed to be imported: already reported, so their uses are not. */
  readonly failed: Set<string>;
  /** Names that are declared twice: already reported, so a use that fits the other one is not. */
  readonly twice: Set<string>;
}

export interface ImportBinding {
  readonly local: Name;
  readonly symbol: DeclSymbol;
  readonly span: Span;
}

export type CallableDecl = ToolDecl | AgentDecl | FlowDecl | CapabilityDecl | ComposeDecl | ChannelDecl;

export function isCallableDecl(decl: Declaration): decl is CallableDecl {
  switch (decl.kind) {
    case "ToolDecl":
    case "AgentDecl":
    case "FlowDecl":
    case "CapabilityDecl":
    case "ComposeDecl":
    case "ChannelDecl":
      return true;
    default:
      return false;
  }
}

/** A declared callable with its signature. */
export interface Callable {
  readonly symbol: DeclSymbol;
  readonly decl: CallableDecl;
  readonly typeParams: readonly string[];
  readonly params: readonly CallableParam[];
  /** Inferred on first use where it is not declared. */
  readonly result: () => Type;
}

export interface CallableParam {
  readonly name: string;
  readonly type: Type;
  readonly default: Expr | undefined;
  readonly span: Span;
}

export type LocalKind = "param" | "let" | "item" | "index" | "state" | "error" | "lambda" | "pattern" | "giving" | "event" | "stub";

/** A name inside a body. */
export interface Local {
  readonly kind: LocalKind;
  readonly name: string;
  readonly span: Span;
  readonly type: Type;
  used: boolean;
}

/** Names visible at a place, and what is known more precisely about paths over them. Chained inside out. */
export interface Env {
  readonly parent: Env | undefined;
  /** Changed by `declareLocal` only. */
  locals: ReadonlyMap<string, Local>;
  /** Narrowed types by path: `x`, `x.kind`; the local is part of the key through its identity. Changed by `setNarrowed` only. */
  narrowed: ReadonlyMap<Local, ReadonlyMap<string, Type>>;
  /** True where `xs[i]` is `T` (tests). */
  readonly strictIndex: boolean;
  /** Names that the `let`s of this block bind, and where: above them there is no value of them yet. */
  later: ReadonlyMap<string, Span> | undefined;
}

/** Most environments hold few names or none, and a map of their own would be most of what they cost. */
const NO_LOCALS: ReadonlyMap<string, Local> = new Map();
const NOTHING_NARROWED: ReadonlyMap<Local, ReadonlyMap<string, Type>> = new Map();

export function childEnv(parent: Env | undefined, strictIndex = parent?.strictIndex ?? false): Env {
  return { parent, locals: NO_LOCALS, narrowed: NOTHING_NARROWED, strictIndex, later: undefined };
}

/** Puts a name into an environment. */
export function declareLocal(env: Env, name: string, local: Local): void {
  if (env.locals === NO_LOCALS) env.locals = new Map();
  (env.locals as Map<string, Local>).set(name, local);
}

export function lookup(env: Env | undefined, name: string): Local | undefined {
  for (let e = env; e !== undefined; e = e.parent) {
    const found = e.locals.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The narrowed type of a path (`""` is the local itself, else `a.b`), if anything is known. */
export function narrowedType(env: Env | undefined, local: Local, path: string): Type | undefined {
  for (let e = env; e !== undefined; e = e.parent) {
    const found = e.narrowed.get(local)?.get(path);
    if (found !== undefined) return found;
    if (e.locals.get(local.name) === local) return undefined;
  }
  return undefined;
}

export function setNarrowed(env: Env, local: Local, path: string, type: Type): void {
  if (env.narrowed === NOTHING_NARROWED) env.narrowed = new Map();
  const narrowed = env.narrowed as Map<Local, Map<string, Type>>;
  const paths = narrowed.get(local);
  if (paths === undefined) narrowed.set(local, new Map([[path, type]]));
  else paths.set(path, type);
}

/** All names in scope, nearest first, for suggestions. */
export function namesInScope(env: Env | undefined): readonly string[] {
  const out: string[] = [];
  for (let e = env; e !== undefined; e = e.parent) out.push(...e.locals.keys());
  return out;
}
