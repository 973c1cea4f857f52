/**
 * Untrusted text in values: where each part of a value came from, followed through expressions, records field by field.
 * What a type has no room for (enums, numbers, booleans) is never untrusted.
 */
import type { ExprIR, PatternIR, TypeIR } from "./ir.js";

/** Where untrusted text came from, in words: "`fetch_page`". Undefined: none. Fields where they differ. */
export interface Taint {
  readonly source: string | undefined;
  readonly fields?: ReadonlyMap<string, Taint>;
}

export const CLEAN: Taint = { source: undefined };

export interface Known {
  readonly taint: Taint;
  readonly type: TypeIR | undefined;
}

export type Scope = Map<string, Known>;

/** The scope with further names in it: those of a callable are unique, so one scope serves all its bodies. */
export function including(scope: Scope, names: readonly (readonly [string, Known])[]): Scope {
  for (const [id, known] of names) scope.set(id, known);
  return scope;
}

export function taintOf(e: ExprIR, scope: Scope): Known {
  switch (e.kind) {
    case "const":
    case "not":
      return { taint: CLEAN, type: e.kind === "not" ? { kind: "bool" } : undefined };
    case "ref":
      return scope.get(e.id) ?? { taint: CLEAN, type: undefined };
    case "field": {
      const of = taintOf(e.of, scope);
      const type = fieldType(of.type, e.name);
      const taint =
        of.taint.fields?.get(e.name) ??
        (of.taint.fields !== undefined && of.taint.source === undefined ? CLEAN : { source: of.taint.source });
      return { taint: type === undefined ? taint : masked(taint, type), type };
    }
    case "index": {
      const of = taintOf(e.of, scope);
      return { taint: flat(of.taint), type: of.type?.kind === "list" || of.type?.kind === "map" ? of.type.of : undefined };
    }
    case "record": {
      let source: string | undefined;
      const fields = new Map<string, Taint>();
      for (const entry of e.entries) {
        if ("spread" in entry) {
          const spread = taintOf(entry.spread, scope).taint;
          source ??= spread.source;
          for (const [name, taint] of spread.fields ?? []) fields.set(name, taint);
        } else fields.set(entry.name, taintOf(entry.value, scope).taint);
      }
      return { taint: { source, fields }, type: undefined };
    }
    case "list":
      return { taint: e.elements.map((x) => taintOf(x.value, scope).taint).reduce(merge, CLEAN), type: undefined };
    case "negate":
    case "binary":
      return { taint: CLEAN, type: undefined }; // numbers, money, durations and tests hold no text
    case "and":
    case "or":
      return { taint: CLEAN, type: { kind: "bool" } };
    case "default": {
      const left = taintOf(e.left, scope);
      return { taint: merge(left.taint, taintOf(e.right, scope).taint), type: left.type };
    }
    case "cond": {
      const then = taintOf(e.then, scope);
      return { taint: merge(then.taint, taintOf(e.else, scope).taint), type: undefined };
    }
    case "let":
      return taintOf(e.body, including(scope, [[e.id, taintOf(e.value, scope)]]));
    case "switch": {
      const value = taintOf(e.value, scope);
      const taints = e.arms.map((arm) => {
        for (const p of arm.patterns) including(scope, bindings(p, value));
        return taintOf(arm.body, scope).taint;
      });
      return { taint: taints.reduce(merge, CLEAN), type: undefined };
    }
    case "lambda":
      return taintOf(e.body, scope);
    case "builtin":
      return builtinTaint(e, scope);
    case "cast":
      return { taint: masked(taintOf(e.of, scope).taint, e.type), type: e.type };
    case "cut":
      return { taint: taintOf(e.of, scope).taint, type: e.type };
    case "template": {
      let taint = CLEAN;
      for (const part of e.parts) taint = merge(taint, partTaint(part, scope));
      return { taint, type: { kind: "string" } };
    }
  }
}

function partTaint(part: (ExprIR & { kind: "template" })["parts"][number], scope: Scope): Taint {
  const parts = (list: readonly (typeof part)[], inner: Scope): Taint => list.map((p) => partTaint(p, inner)).reduce(merge, CLEAN);
  switch (part.kind) {
    case "text":
      return CLEAN;
    case "value": {
      const { taint, type } = taintOf(part.value, scope);
      return type === undefined ? flat(taint) : flat(masked(taint, type));
    }
    case "if":
      return merge(parts(part.then, scope), parts(part.else, scope));
    case "each": {
      const over = taintOf(part.over, scope);
      const item: Known = { taint: over.taint, type: over.type?.kind === "list" || over.type?.kind === "map" ? over.type.of : undefined };
      return merge(
        parts(
          part.body,
          including(scope, [
            [part.item, item],
            [part.key, { taint: over.taint, type: { kind: "string" } }],
          ]),
        ),
        parts(part.else, scope),
      );
    }
    case "with":
      return merge(parts(part.body, including(scope, [[part.id, taintOf(part.value, scope)]])), parts(part.else, scope));
  }
}

/** Functions whose result cannot hold text of their arguments. */
const TEXTLESS: ReadonlySet<string> = new Set([
  "len",
  "count",
  "any",
  "all",
  "sum",
  "mean",
  "range",
  "round",
  "floor",
  "ceil",
  "abs",
  "clamp",
  "div",
  "contains",
  "starts_with",
  "ends_with",
  "matches",
  "estimate_tokens",
  "has",
  "trust",
]);

/** Functions that give items of their list. */
const ITEMS: ReadonlySet<string> = new Set(["first", "last", "find", "max_by", "min_by"]);

const LISTS: ReadonlySet<string> = new Set(["take", "drop", "filter", "sort_by", "reverse", "unique", "slice"]);

function builtinTaint(e: ExprIR & { kind: "builtin" }, scope: Scope): Known {
  if (TEXTLESS.has(e.name)) return { taint: CLEAN, type: undefined };
  const args = e.args.map((a) => (a.kind === "lambda" ? undefined : taintOf(a, scope)));
  const [first] = args;
  if (ITEMS.has(e.name)) return { taint: first?.taint ?? CLEAN, type: first?.type?.kind === "list" ? first.type.of : undefined };
  if (LISTS.has(e.name)) return first ?? { taint: CLEAN, type: undefined };
  if (e.name === "flatten") return { taint: first?.taint ?? CLEAN, type: first?.type?.kind === "list" ? first.type.of : undefined };
  return { taint: args.map((a) => (a === undefined ? CLEAN : flat(a.taint))).reduce(merge, CLEAN), type: undefined };
}

export function bindings(p: PatternIR, value: Known): readonly (readonly [string, Known])[] {
  if (p.kind !== "record") return [];
  return p.fields.flatMap((f): readonly (readonly [string, Known])[] => {
    const type = fieldType(value.type, f.name);
    const own = value.taint.fields?.get(f.name) ?? { source: value.taint.source };
    const known: Known = { taint: type === undefined ? own : masked(own, type), type };
    return [...(f.bind === undefined ? [] : [[f.bind, known] as const]), ...(f.pattern === undefined ? [] : bindings(f.pattern, known))];
  });
}

function fieldType(type: TypeIR | undefined, name: string): TypeIR | undefined {
  if (type?.kind === "record") return type.fields.find((f) => f.name === name)?.type;
  if (type?.kind !== "union") return undefined;
  const types = type.of.flatMap((m) => (m.kind === "null" ? [] : [fieldType(m, name)]));
  if (types.some((t) => t === undefined)) return undefined;
  return { kind: "union", of: types.filter((t) => t !== undefined) };
}

export function isTainted(t: Taint): boolean {
  return firstSource(t) !== undefined;
}

export function firstSource(t: Taint): string | undefined {
  if (t.source !== undefined) return t.source;
  for (const inner of t.fields?.values() ?? []) {
    const found = firstSource(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function flat(t: Taint): Taint {
  return { source: firstSource(t) };
}

export function merge(a: Taint, b: Taint): Taint {
  if (a === CLEAN) return b;
  if (b === CLEAN) return a;
  const source = a.source ?? b.source;
  if (a.fields === undefined && b.fields === undefined) return { source };
  const fields = new Map<string, Taint>(a.fields);
  for (const [name, taint] of b.fields ?? []) fields.set(name, merge(fields.get(name) ?? CLEAN, taint));
  return { source, fields };
}

/** Takes off what a type has no room for. */
export function masked(t: Taint, type: TypeIR): Taint {
  if (t === CLEAN || !hasText(type)) return CLEAN;
  if (type.kind !== "record") return t;
  const fields = new Map<string, Taint>();
  for (const f of type.fields) {
    const own = masked(t.fields?.get(f.name) ?? { source: t.source }, f.type);
    if (isTainted(own)) fields.set(f.name, own);
  }
  return fields.size === 0 ? CLEAN : { source: undefined, fields };
}

/** Whether a value of the type can hold text that nobody listed beforehand. */
function hasText(type: TypeIR): boolean {
  switch (type.kind) {
    case "string":
    case "json":
    case "image":
    case "audio":
    case "document":
    case "map":
    case "ref":
    case "secret":
      return true;
    case "list":
      return hasText(type.of);
    case "record":
      return type.fields.some((f) => hasText(f.type));
    case "union":
      return type.of.some(hasText);
    default:
      return false;
  }
}
