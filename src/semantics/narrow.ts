/**
 * What a test tells about the values it mentions. `narrow` returns an environment in which names and paths have the
 * types they must have when the test came out `truth`; what it does not understand it leaves alone.
 */
import type { Expr } from "../syntax/ast.js";
import { assignable } from "./relate.js";
import { childEnv, type Env, type Local, lookup, narrowedType, setNarrowed } from "./symbols.js";
import { expand, fieldOf, isOptional, members, NEVER, NULL, nonNull, type Type, union } from "./types.js";

/** A name with fields behind it: `x`, `x.kind`, `x?.f`. */
export interface Path {
  readonly local: Local;
  readonly fields: readonly string[];
}

export function pathOf(expr: Expr, env: Env): Path | undefined {
  if (expr.kind === "NameExpr") {
    const local = lookup(env, expr.name);
    return local === undefined ? undefined : { local, fields: [] };
  }
  if (expr.kind === "Member") {
    const object = pathOf(expr.object, env);
    return object === undefined ? undefined : { local: object.local, fields: [...object.fields, expr.name.text] };
  }
  return undefined;
}

/** The type of a path as known in `env`. */
export function typeOfPath(path: Path, env: Env): Type | undefined {
  let type: Type = narrowedType(env, path.local, "") ?? path.local.type;
  for (let i = 0; i < path.fields.length; i++) {
    const known = narrowedType(env, path.local, path.fields.slice(0, i + 1).join("."));
    const next = known ?? fieldOf(nonNull(type), path.fields[i] ?? "");
    if (next === undefined) return undefined;
    type = next;
  }
  return type;
}

export function narrow(test: Expr, truth: boolean, env: Env): Env {
  const out = childEnv(env);
  apply(test, truth, out);
  return out.narrowed.size === 0 ? env : out;
}

function apply(test: Expr, truth: boolean, env: Env): void {
  switch (test.kind) {
    case "Unary":
      if (test.op === "!") apply(test.operand, !truth, env);
      return;
    case "Block": {
      const only = test.statements[0];
      if (test.statements.length === 1 && only?.kind === "Expr") apply(only.value, truth, env);
      return;
    }
    case "Binary":
      if (test.op === "&&" || test.op === "||") {
        if ((test.op === "&&") === truth) {
          apply(test.left, truth, env);
          apply(test.right, truth, env);
        } else either(test.left, test.right, truth, env);
      } else compare(test.left, test.op, test.right, truth, env);
      return;
    case "NameExpr":
    case "Member": {
      const path = pathOf(test, env);
      if (path !== undefined) restrict(path, env, (t) => (t.kind === "bool" ? { kind: "literal", value: truth } : keepLiteral(t, truth)));
      return;
    }
    default:
      return;
  }
}

/** One of two tests holds: a path both narrow has the union of what they say. */
function either(left: Expr, right: Expr, truth: boolean, env: Env): void {
  const a = narrow(left, truth, env);
  const b = narrow(right, truth, env);
  for (const [local, paths] of a.narrowed) {
    for (const [path, type] of paths) {
      const other = b.narrowed.get(local)?.get(path);
      if (a !== env && b !== env && other !== undefined) setNarrowed(env, local, path, union([type, other]));
    }
  }
}

function compare(left: Expr, op: string, right: Expr, truth: boolean, env: Env): void {
  const constant = literalOf(right);
  if (constant === undefined) {
    const mirrored = MIRROR[op];
    if (literalOf(left) !== undefined && mirrored !== undefined) compare(right, mirrored, left, truth, env);
    return;
  }
  if (op === "==" || op === "!=") {
    const path = pathOf(left, env);
    if (path === undefined) return;
    const same = (op === "==") === truth;
    restrict(path, env, (t) => (same ? keepValue(t, constant.value) : dropValue(t, constant.value)));
    return;
  }
  lengthTest(left, op, constant.value, truth, env);
}

const MIRROR: Readonly<Record<string, string>> = { "==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<=" };

/** `len(xs) > 0` and its kin: the list has at least that many items. */
function lengthTest(left: Expr, op: string, value: unknown, truth: boolean, env: Env): void {
  if (left.kind !== "Call" || left.callee.kind !== "NameExpr" || left.callee.name !== "len" || typeof value !== "number") return;
  const arg = left.args[0]?.value;
  const path = arg === undefined ? undefined : pathOf(arg, env);
  if (path === undefined) return;
  const effective = truth ? op : NEGATED[op];
  const least = effective === ">" ? Math.floor(value) + 1 : effective === ">=" ? Math.ceil(value) : undefined;
  const most = effective === "<" ? Math.ceil(value) - 1 : effective === "<=" ? Math.floor(value) : undefined;
  restrict(path, env, (t) => {
    if (t.kind !== "list") return t;
    return { ...t, min: Math.max(t.min, least ?? 0), max: Math.min(t.max, most ?? Number.POSITIVE_INFINITY) };
  });
}

const NEGATED: Readonly<Record<string, string>> = { "<": ">=", ">=": "<", ">": "<=", "<=": ">" };

function literalOf(expr: Expr): { readonly value: string | number | boolean | null } | undefined {
  switch (expr.kind) {
    case "Null":
      return { value: null };
    case "Bool":
      return { value: expr.value };
    case "Text":
      return expr.value.includes("{{") ? undefined : { value: expr.value };
    case "Number":
      return expr.unit === "int" || expr.unit === "float" ? { value: expr.value } : undefined;
    default:
      return undefined;
  }
}

/** Narrows a path, and the records around it by what its field now is. */
export function restrict(path: Path, env: Env, change: (type: Type) => Type): void {
  const before = typeOfPath(path, env);
  if (before === undefined) return;
  const after = union(
    members(before)
      .map((m) => change(expand(m)))
      .filter((m) => m.kind !== "never"),
  );
  const type = after.kind === "never" ? NEVER : keepName(before, after);
  setNarrowed(env, path.local, path.fields.join("."), type);
  if (path.fields.length === 0) return;
  const field = path.fields[path.fields.length - 1] ?? "";
  const parent: Path = { local: path.local, fields: path.fields.slice(0, -1) };
  restrict(parent, env, (t) => {
    if (t.kind === "null") return isOptional(after) ? t : NEVER;
    const own = fieldOf(t, field);
    return own === undefined || overlaps(own, after) ? t : NEVER;
  });
}

/** A named type that lost nothing keeps its name. */
function keepName(before: Type, after: Type): Type {
  return assignable(before, after) ? before : after;
}

function overlaps(a: Type, b: Type): boolean {
  return members(a).some((x) => members(b).some((y) => assignable(x, y) || assignable(y, x)));
}

/** The part of a member that can equal the value. */
export function keepValue(type: Type, value: string | number | boolean | null): Type {
  if (value === null) return type.kind === "null" || type.kind === "json" ? NULL : NEVER;
  if (type.kind === "literal") return type.value === value ? type : NEVER;
  if (type.kind === "bool") return typeof value === "boolean" ? { kind: "literal", value } : NEVER;
  if (type.kind === "string") return typeof value === "string" ? { kind: "literal", value } : NEVER;
  if (type.kind === "int" || type.kind === "float") return typeof value === "number" ? { kind: "literal", value } : NEVER;
  return type.kind === "json" || type.kind === "error" ? type : NEVER;
}

/** The part of a member that can differ from the value. */
export function dropValue(type: Type, value: string | number | boolean | null): Type {
  if (value === null) return type.kind === "null" ? NEVER : type;
  if (type.kind === "literal") return type.value === value ? NEVER : type;
  if (type.kind === "bool" && typeof value === "boolean") return { kind: "literal", value: !value };
  return type;
}

function keepLiteral(type: Type, truth: boolean): Type {
  return type.kind === "literal" && typeof type.value === "boolean" && type.value !== truth ? NEVER : type;
}
