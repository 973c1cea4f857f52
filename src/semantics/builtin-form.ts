/**
 * How the signature of a built-in function is written down, and the arithmetic on bounds that their results need: the
 * range of a number, the length of a text, the bound of a list, each as far as the argument's type tells. A bound that
 * is given here holds for every value of the type; where nothing is known the range is open.
 */
import { ERROR, expand, type ListType, members, NEVER, type Type, union } from "./types.js";

export interface BuiltinForm {
  /** Names of the type variables in `params`. */
  readonly typeParams: readonly string[];
  readonly params: readonly BuiltinParam[];
  /**
   * The result for actual argument types (undefined where not given; a function is a callable type with its inferred
   * result; a constant has its literal type) and the variables as inferred.
   */
  readonly result: (args: readonly (Type | undefined)[], vars: ReadonlyMap<string, Type>) => Type;
  /** What the function argument proves about an item holds for the items of the result: the variable `N`. */
  readonly narrows?: boolean;
}

export interface BuiltinParam {
  readonly name: string;
  readonly type: Type;
  readonly optional?: boolean;
  /** Its variable gets the argument's type without literals and bounds: the start of a fold. */
  readonly widens?: boolean;
}

export const T: Type = { kind: "var", name: "T" };
export const K: Type = { kind: "var", name: "K" };

export const variable = (name: string): Type => ({ kind: "var", name });
export const param = (name: string, type: Type): BuiltinParam => ({ name, type });
export const maybe = (name: string, type: Type): BuiltinParam => ({ name, type, optional: true });
export const fn = (params: readonly Type[], result: Type): Type => ({ kind: "callable", params: params.map((type) => ({ type })), result });

/** A form whose result is always the same. */
export const constant = (params: readonly BuiltinParam[], result: Type, typeParams: readonly string[] = []): BuiltinForm => ({
  typeParams,
  params,
  result: () => result,
});

export interface Range {
  /** `-Infinity` where open. */
  readonly min: number;
  /** `Infinity` where open. */
  readonly max: number;
}

const OPEN: Range = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** The smallest and largest value of a number type: a constant, a refined number, or a union of them. */
export function rangeOf(type: Type | undefined): Range {
  if (type === undefined) return OPEN;
  const t = expand(type);
  if (t.kind === "literal" && typeof t.value === "number") return { min: t.value, max: t.value };
  if (t.kind === "int" || t.kind === "float") return { min: t.min ?? OPEN.min, max: t.max ?? OPEN.max };
  if (t.kind !== "union") return OPEN;
  const ranges = members(t).map(rangeOf);
  return { min: Math.min(...ranges.map((r) => r.min)), max: Math.max(...ranges.map((r) => r.max)) };
}

/** A count as a range: nothing below zero. */
export function countOf(type: Type | undefined): Range {
  const { min, max } = rangeOf(type);
  return { min: Math.max(0, min), max: Math.max(0, max) };
}

/** A number type with a range; open ends are left out. */
export function number(kind: "int" | "float", range: Range = OPEN): Type {
  const { min, max } = range;
  return {
    kind,
    ...(min === Number.NEGATIVE_INFINITY || Number.isNaN(min) ? {} : { min }),
    ...(max === Number.POSITIVE_INFINITY || Number.isNaN(max) ? {} : { max }),
  };
}

/** A text of a limited length. */
export function text(max: number, min = 0): Type {
  return { kind: "string", ...(min > 0 ? { min } : {}), ...(Number.isFinite(max) ? { max } : {}) };
}

/** The length of a text in code points. */
export function lengthOf(type: Type | undefined): Range {
  const open = { min: 0, max: Number.POSITIVE_INFINITY };
  if (type === undefined) return open;
  const t = expand(type);
  if (t.kind === "literal" && typeof t.value === "string") {
    const length = [...t.value].length;
    return { min: length, max: length };
  }
  if (t.kind === "string") return { min: t.min ?? 0, max: t.max ?? open.max };
  if (t.kind !== "union") return open;
  const ranges = members(t).map(lengthOf);
  return { min: Math.min(...ranges.map((r) => r.min)), max: Math.max(...ranges.map((r) => r.max)) };
}

/** The list that an argument is; one without bounds where it is none (already reported). */
export function listOf(type: Type | undefined): ListType {
  const t = type === undefined ? ERROR : expand(type);
  if (t.kind === "list") return t;
  return { kind: "list", of: t.kind === "never" ? NEVER : ERROR, min: 0, max: Number.POSITIVE_INFINITY };
}

/** `0 · ∞` is 0: no groups of anything are nothing. */
export const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/** The type without marks of untrusted text, also inside lists, maps and records. */
export function trusted(type: Type): Type {
  if (!marked(type, new Set())) return type;
  switch (type.kind) {
    case "untrusted":
      return trusted(type.of);
    case "list":
    case "map":
    case "secret":
      return { ...type, of: trusted(type.of) };
    case "record":
      return { ...type, fields: type.fields.map((f) => ({ ...f, type: trusted(f.type) })) };
    case "union":
      return union(type.of.map(trusted));
    case "named":
      return { ...type, id: `trusted ${type.id}`, args: type.args.map(trusted), expand: () => trusted(type.expand()) };
    default:
      return type;
  }
}

function marked(type: Type, seen: ReadonlySet<string>): boolean {
  switch (type.kind) {
    case "untrusted":
      return true;
    case "list":
    case "map":
    case "secret":
      return marked(type.of, seen);
    case "record":
      return type.fields.some((f) => marked(f.type, seen));
    case "union":
      return type.of.some((m) => marked(m, seen));
    case "named":
      return !seen.has(type.id) && marked(type.expand(), new Set([...seen, type.id]));
    default:
      return false;
  }
}
