/**
 * Types as data, with the few questions every stage asks of them: what a name stands for, how a type reads in a
 * message, what can be joined, what holds free text. A named type keeps its name for messages and is expanded on
 * demand, which also makes recursive types finite. `error` is the type of something already reported: it fits anything.
 */
/** What calling something can reach: nothing outside, reads of the outside (files, git, state), or effects. */
export type EffectKind = "none" | "reads" | "effect";

export type Type =
  | StringType
  | NumberType
  | { readonly kind: "bool" | "null" | "json" | "duration" | "money" | "image" | "audio" | "document" | "never" | "error" }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | ListType
  | { readonly kind: "map"; readonly of: Type }
  | RecordType
  | UnionType
  | NamedType
  | CallableType
  | { readonly kind: "var"; readonly name: string }
  | { readonly kind: "secret" | "untrusted"; readonly of: Type };

export interface StringType {
  readonly kind: "string";
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
}
export interface NumberType {
  readonly kind: "int" | "float";
  readonly min?: number;
  readonly max?: number;
}
export interface ListType {
  readonly kind: "list";
  readonly of: Type;
  readonly min: number;
  /** `Infinity` when unbounded. */
  readonly max: number;
}
export interface RecordType {
  readonly kind: "record";
  readonly fields: readonly Field[];
}
export interface Field {
  readonly name: string;
  readonly type: Type;
  readonly doc?: string;
  readonly redact?: boolean;
}
export interface UnionType {
  readonly kind: "union";
  readonly of: readonly Type[];
  readonly docs?: readonly (string | undefined)[];
}
/** A declared type by name; `expand` gives what it stands for, with its arguments filled in. */
export interface NamedType {
  readonly kind: "named";
  readonly name: string;
  /** Tells apart types of one name from different files. */
  readonly id: string;
  readonly args: readonly Type[];
  readonly expand: () => Type;
}
export interface CallableType {
  readonly kind: "callable";
  readonly params: readonly { readonly name?: string; readonly type: Type; readonly optional?: boolean }[];
  readonly result: Type;
  /** What calling it can reach, where known. */
  readonly effect?: EffectKind;
}

export const STRING: Type = { kind: "string" };
export const INT: Type = { kind: "int" };
export const FLOAT: Type = { kind: "float" };
export const BOOL: Type = { kind: "bool" };
export const NULL: Type = { kind: "null" };
export const JSON_TYPE: Type = { kind: "json" };
export const DURATION: Type = { kind: "duration" };
export const MONEY: Type = { kind: "money" };
export const NEVER: Type = { kind: "never" };
export const ERROR: Type = { kind: "error" };

export const literal = (value: string | number | boolean): Type => ({ kind: "literal", value });
export const list = (of: Type, min = 0, max = Number.POSITIVE_INFINITY): Type => ({ kind: "list", of, min, max });
export const mapOf = (of: Type): Type => ({ kind: "map", of });
export const record = (fields: readonly Field[]): RecordType => ({ kind: "record", fields });
export const recordOf = (fields: Readonly<Record<string, Type>>): RecordType =>
  record(Object.entries(fields).map(([name, type]) => ({ name, type })));

/** What a named type stands for; `untrusted` is transparent to typing, so it is taken off as well. */
export function expand(type: Type): Exclude<Type, NamedType> {
  let t = type;
  for (;;) {
    if (t.kind === "named") t = t.expand();
    else if (t.kind === "untrusted") t = t.of;
    else return t;
  }
}

export function isError(type: Type): boolean {
  return expand(type).kind === "error";
}

/** The members of a union, expanded one level and flattened; any other type is its own only member. */
export function members(type: Type): readonly Type[] {
  const t = expand(type);
  if (t.kind !== "union") return [type];
  return t.of.some((m) => expand(m).kind === "union") ? t.of.flatMap(members) : t.of;
}

/** A union of the given types: flattened, without repetitions, and just the one type when one is left. */
export function union(types: readonly Type[]): Type {
  const flat: Type[] = [];
  for (const type of types) {
    for (const m of members(type)) {
      if (expand(m).kind === "never") continue;
      if (!flat.some((other) => sameType(other, m))) flat.push(m);
    }
  }
  if (flat.length === 0) return NEVER;
  const only = flat[0];
  return flat.length === 1 && only !== undefined ? only : { kind: "union", of: flat };
}

/** `T?`; `T??` is `T?`. */
export function optional(type: Type): Type {
  if (isOptional(type) || isError(type)) return type;
  const t = expand(type);
  if (t.kind === "null" || t.kind === "json") return type;
  return union([type, NULL]);
}

/** Whether null is one of its values (`json` counts: it may hold null, but is not narrowed). */
export function isOptional(type: Type): boolean {
  const t = expand(type);
  return t.kind === "null" || (t.kind === "union" && members(t).some((m) => expand(m).kind === "null"));
}

/** The type without null. */
export function nonNull(type: Type): Type {
  const t = expand(type);
  if (t.kind === "null") return NEVER;
  if (t.kind !== "union" || !isOptional(t)) return type;
  return union(members(t).filter((m) => expand(m).kind !== "null"));
}

/** The field of a record type, or of a union all of whose records have it. Undefined when there is none. */
export function fieldOf(type: Type, name: string): Type | undefined {
  const t = expand(type);
  if (t.kind === "record") return t.fields.find((f) => f.name === name)?.type;
  if (t.kind === "union") {
    const types: Type[] = [];
    for (const m of members(t)) {
      const found = fieldOf(m, name);
      if (found === undefined) return undefined;
      types.push(found);
    }
    return union(types);
  }
  return undefined;
}

/** Names of the fields a type has, for suggestions. */
export function fieldNames(type: Type): readonly string[] {
  const t = expand(type);
  if (t.kind === "record") return t.fields.map((f) => f.name);
  if (t.kind === "union") {
    const [first, ...rest] = members(t).map(fieldNames);
    return (first ?? []).filter((name) => rest.every((names) => names.includes(name)));
  }
  return [];
}

/** The scalar a literal belongs to; other types are returned as they are. */
export function widenLiteral(type: Type): Type {
  const t = expand(type);
  if (t.kind !== "literal") return type;
  return typeof t.value === "string" ? STRING : typeof t.value === "boolean" ? BOOL : Number.isInteger(t.value) ? INT : FLOAT;
}

/** Literal types widened everywhere inside records and lists: what arithmetic, loops and joins keep of a literal. */
export function widenDeep(type: Type): Type {
  if (type.kind === "named") return type;
  const t = expand(type);
  switch (t.kind) {
    case "literal":
      return widenLiteral(t);
    case "list":
      return list(widenDeep(t.of), t.min, t.max);
    case "record":
      return record(t.fields.map((f) => ({ ...f, type: widenDeep(f.type) })));
    default:
      return type;
  }
}

/** What a state that changes can become: literals widened, and lists of any length. */
export function widenState(type: Type): Type {
  if (type.kind === "named") return type;
  const t = expand(type);
  switch (t.kind) {
    case "list":
      return list(widenState(t.of));
    case "record":
      return record(t.fields.map((f) => ({ ...f, type: widenState(f.type) })));
    default:
      return widenLiteral(type);
  }
}

/** Whether two types are the same, written the same way. */
export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind === "named" && b.kind === "named") {
    return a.id === b.id && a.args.length === b.args.length && a.args.every((arg, i) => sameType(arg, b.args[i] ?? ERROR));
  }
  return a.kind === b.kind && typeText(a) === typeText(b);
}

/** How a type is written in the language, for messages. Long records are cut short. */
export function typeText(type: Type, depth = 0): string {
  switch (type.kind) {
    case "string": {
      if (type.pattern !== undefined) return `string(/${type.pattern}/)`;
      return type.min === undefined && type.max === undefined ? "string" : `string(${rangeText(type.min, type.max)})`;
    }
    case "int":
    case "float":
      return type.min === undefined && type.max === undefined ? type.kind : `${type.kind}(${rangeText(type.min, type.max)})`;
    case "literal":
      return JSON.stringify(type.value);
    case "list": {
      if (type.of.kind === "never") return "[]";
      const of = typeText(type.of, depth + 1);
      const inner = /[|]|->/.test(of) && type.of.kind !== "record" && !/^[{]/.test(of) ? `(${of})` : of;
      if (type.min === 0 && type.max === Number.POSITIVE_INFINITY) return `${inner}[]`;
      return `${inner}[${rangeText(type.min === 0 ? undefined : type.min, type.max === Number.POSITIVE_INFINITY ? undefined : type.max)}]`;
    }
    case "map":
      return `map<${typeText(type.of, depth + 1)}>`;
    case "record": {
      if (type.fields.length === 0) return "{}";
      if (depth > 2) return "{ … }";
      const shown = type.fields.slice(0, 6).map((f) => `${f.name}: ${typeText(f.type, depth + 1)}`);
      return `{ ${shown.join(", ")}${type.fields.length > 6 ? ", …" : ""} }`;
    }
    case "union": {
      const withoutNull = type.of.filter((m) => m.kind !== "null");
      const only = withoutNull[0];
      if (only !== undefined && withoutNull.length === 1 && type.of.length === 2) {
        const text = typeText(only, depth + 1);
        return /->/.test(text) ? `(${text})?` : `${text}?`;
      }
      return type.of.map((m) => typeText(m, depth + 1)).join(" | ");
    }
    case "named":
      return type.args.length === 0 ? type.name : `${type.name}<${type.args.map((a) => typeText(a, depth + 1)).join(", ")}>`;
    case "callable":
      return `(${type.params.map((p) => typeText(p.type, depth + 1)).join(", ")}) -> ${typeText(type.result, depth + 1)}`;
    case "var":
      return type.name;
    case "secret":
    case "untrusted":
      return `${type.kind} ${typeText(type.of, depth + 1)}`;
    case "error":
      return "?";
    default:
      return type.kind;
  }
}

function rangeText(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && min === max) return String(min);
  return `${min ?? ""}..${max ?? ""}`;
}

/** Replaces type variables by name. */
export function substitute(type: Type, vars: ReadonlyMap<string, Type>): Type {
  if (vars.size === 0 || !hasVars(type)) return type;
  switch (type.kind) {
    case "var":
      return vars.get(type.name) ?? type;
    case "list":
      return { ...type, of: substitute(type.of, vars) };
    case "map":
      return mapOf(substitute(type.of, vars));
    case "record":
      return record(type.fields.map((f) => ({ ...f, type: substitute(f.type, vars) })));
    case "union":
      return union(type.of.map((m) => substitute(m, vars)));
    case "named":
      return type.args.length === 0
        ? type
        : { ...type, args: type.args.map((a) => substitute(a, vars)), expand: () => substitute(type.expand(), vars) };
    case "callable":
      return {
        ...type,
        params: type.params.map((p) => ({ ...p, type: substitute(p.type, vars) })),
        result: substitute(type.result, vars),
      };
    case "secret":
    case "untrusted":
      return { kind: type.kind, of: substitute(type.of, vars) };
    default:
      return type;
  }
}

/** Whether a type mentions a type variable. */
export function hasVars(type: Type): boolean {
  switch (type.kind) {
    case "var":
      return true;
    case "list":
    case "map":
    case "secret":
    case "untrusted":
      return hasVars(type.of);
    case "record":
      return type.fields.some((f) => hasVars(f.type));
    case "union":
      return type.of.some(hasVars);
    case "named":
      return type.args.some(hasVars);
    case "callable":
      return hasVars(type.result) || type.params.some((p) => hasVars(p.type));
    default:
      return false;
  }
}

/** Whether a value of the type can hold text that nobody listed beforehand: what information flow is about. */
export function holdsFreeText(type: Type, seen: ReadonlySet<string> = new Set()): boolean {
  if (type.kind === "named") {
    if (seen.has(type.id)) return false;
    return holdsFreeText(type.expand(), new Set([...seen, type.id]));
  }
  switch (type.kind) {
    case "string":
    case "json":
    case "image":
    case "audio":
    case "document":
    case "var":
    case "map":
    case "error":
      return true;
    case "list":
    case "secret":
    case "untrusted":
      return holdsFreeText(type.of, seen);
    case "record":
      return type.fields.some((f) => holdsFreeText(f.type, seen));
    case "union":
      return type.of.some((m) => holdsFreeText(m, seen));
    default:
      return false;
  }
}

/** The name of the literal-typed field that tells the records of a union apart, if there is one. */
export function tagOf(types: readonly Type[]): string | undefined {
  const records = types.map(expand).filter((t): t is RecordType => t.kind === "record");
  const first = records[0];
  if (first === undefined || records.length < 2) return undefined;
  for (const field of first.fields) {
    const seen = new Set<string>();
    const separates = records.every((r) => {
      const own = r.fields.find((f) => f.name === field.name);
      if (own === undefined) return false;
      return members(own.type).every((m) => {
        const lit = expand(m);
        if (lit.kind !== "literal") return false;
        const key = JSON.stringify(lit.value);
        if (seen.has(key)) return false;
        seen.add(key);
        return true;
      });
    });
    if (separates) return field.name;
  }
  return undefined;
}
