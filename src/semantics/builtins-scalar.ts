/**
 * Signatures of the built-in functions on numbers and text. Numbers come in four kinds that do not mix: `int` (which
 * fits `float`), `float`, `money` and `duration`, so most functions have a form for each.
 */
import {
  type BuiltinForm,
  type BuiltinParam,
  constant,
  countOf,
  lengthOf,
  listOf,
  maybe,
  number,
  param,
  type Range,
  rangeOf,
  T,
  text,
} from "./builtin-form.js";
import { BOOL, DURATION, expand, FLOAT, INT, list, MONEY, optional, STRING, type Type, union } from "./types.js";

type Numeric = "int" | "float" | "money" | "duration";
const NUMERIC: readonly Numeric[] = ["int", "float", "money", "duration"];
const TYPES: Readonly<Record<Numeric, Type>> = { int: INT, float: FLOAT, money: MONEY, duration: DURATION };

const plain = (kind: Numeric, range?: Range): Type => (kind === "int" || kind === "float" ? number(kind, range) : TYPES[kind]);

/** One form for each kind of number. */
function each(
  params: (type: Type) => readonly BuiltinParam[],
  result: (kind: Numeric, args: readonly (Type | undefined)[]) => Type,
): readonly BuiltinForm[] {
  return NUMERIC.map((kind) => ({ typeParams: [], params: params(TYPES[kind]), result: (args) => result(kind, args) }));
}

const over = (type: Type): readonly BuiltinParam[] => [param("xs", list(type))];
const one = (type: Type): readonly BuiltinParam[] => [param("x", type)];
const two = (type: Type): readonly BuiltinParam[] => [param("a", type), param("b", type)];

/** The least or greatest item: null when there may be none. */
function ofList(kind: Numeric, xs: Type | undefined): Type {
  const { of, min } = listOf(xs);
  const item = plain(kind, rangeOf(of));
  return min > 0 ? item : optional(item);
}

const least = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.min(a.max, b.max) });
const greatest = (a: Range, b: Range): Range => ({ min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) });

/** A function that makes a whole number of a float and leaves what a unit measures in its unit. */
function whole(f: (x: number) => number): readonly BuiltinForm[] {
  return each(one, (kind, [x]) => {
    const { min, max } = rangeOf(x);
    return kind === "float" || kind === "int" ? number("int", { min: f(min), max: f(max) }) : TYPES[kind];
  });
}

function rounded(kind: Numeric, x: Type | undefined, digits: Type | undefined): Type {
  if (kind !== "float") return kind === "int" ? INT : TYPES[kind];
  const places = digits === undefined ? { min: 0, max: 0 } : rangeOf(digits);
  if (places.max > 0) return FLOAT;
  const { min, max } = rangeOf(x);
  return places.min === 0 ? number("int", { min: Math.round(min), max: Math.round(max) }) : INT;
}

function absolute({ min, max }: Range): Range {
  if (min >= 0) return { min, max };
  if (max <= 0) return { min: -max, max: -min };
  return { min: 0, max: Math.max(-min, max) };
}

const numbers: Readonly<Record<string, readonly BuiltinForm[]>> = {
  sum: each(over, (kind) => TYPES[kind]),
  mean: each(over, (kind, [xs]) => {
    const mean = kind === "int" || kind === "float" ? number("float", rangeOf(listOf(xs).of)) : TYPES[kind];
    return listOf(xs).min > 0 ? mean : optional(mean);
  }),
  min: [...each(over, (kind, [xs]) => ofList(kind, xs)), ...each(two, (kind, [a, b]) => plain(kind, least(rangeOf(a), rangeOf(b))))],
  max: [...each(over, (kind, [xs]) => ofList(kind, xs)), ...each(two, (kind, [a, b]) => plain(kind, greatest(rangeOf(a), rangeOf(b))))],
  round: each(
    (type) => [param("x", type), maybe("digits", INT)],
    (kind, [x, digits]) => rounded(kind, x, digits),
  ),
  floor: whole(Math.floor),
  ceil: whole(Math.ceil),
  abs: each(one, (kind, [x]) => plain(kind, absolute(rangeOf(x)))),
  clamp: each(
    (type) => [param("x", type), param("lo", type), param("hi", type)],
    // The upper end wins where the two are the wrong way round.
    (kind, [x, lo, hi]) => plain(kind, least(greatest(rangeOf(x), rangeOf(lo)), rangeOf(hi))),
  ),
  div: [constant(two(INT), INT)],
};

const SCALAR: Type = union([STRING, FLOAT, BOOL, DURATION, MONEY]);
const s = param("s", STRING);

/** A text that is no longer than another. */
const shortened = (params: readonly BuiltinParam[], max: (args: readonly (Type | undefined)[]) => number): BuiltinForm => ({
  typeParams: [],
  params,
  result: (args) => text(max(args)),
});

/** The most code points that `slice(s, from, to)` leaves; negative positions count from the end and tell nothing. */
function sliced([whole, from, to]: readonly (Type | undefined)[]): number {
  const { max } = lengthOf(whole);
  const low = rangeOf(from);
  const high = to === undefined || expand(to).kind === "null" ? undefined : rangeOf(to);
  if (low.min < 0 || (high !== undefined && high.min < 0)) return max;
  return Math.max(0, Math.min(max, high?.max ?? max) - low.min);
}

const texts: Readonly<Record<string, readonly BuiltinForm[]>> = {
  join: [constant([param("xs", list(SCALAR)), maybe("sep", STRING)], STRING)],
  split: [
    {
      typeParams: [],
      params: [s, param("sep", STRING)],
      result: ([whole, sep]) => list(text(lengthOf(whole).max), lengthOf(sep).min > 0 ? 1 : 0),
    },
  ],
  lines: [{ typeParams: [], params: [s], result: ([whole]) => list(text(lengthOf(whole).max), 0, lengthOf(whole).max) }],
  trim: [shortened([s], ([whole]) => lengthOf(whole).max)],
  lower: [constant([s], STRING)],
  upper: [constant([s], STRING)],
  contains: [constant([s, param("part", STRING)], BOOL), constant([param("xs", list(T)), param("item", T)], BOOL, ["T"])],
  starts_with: [constant([s, param("part", STRING)], BOOL)],
  ends_with: [constant([s, param("part", STRING)], BOOL)],
  replace: [constant([s, param("from", STRING), param("to", STRING)], STRING)],
  matches: [constant([s, param("pattern", STRING)], BOOL)],
  chunk_text: [
    {
      typeParams: [],
      params: [s, param("size", INT), maybe("overlap", INT)],
      result: ([whole, size, overlap]) =>
        pieces(lengthOf(whole), countOf(size), overlap === undefined ? { min: 0, max: 0 } : countOf(overlap)),
    },
  ],
  truncate: [shortened([s, param("size", INT)], ([whole, size]) => Math.min(lengthOf(whole).max, countOf(size).max))],
  estimate_tokens: [constant([s], number("int", { min: 0, max: Number.POSITIVE_INFINITY }))],
  to_string: [constant([param("x", SCALAR)], STRING)],
};

/** Pieces of `size` that share `overlap`: each piece after the first brings at least `size - overlap` new code points. */
function pieces(whole: Range, size: Range, overlap: Range): Type {
  const step = size.min - overlap.max;
  const most = step >= 1 ? Math.max(whole.max > 0 ? 1 : 0, Math.ceil((whole.max - overlap.min) / step)) : whole.max;
  return list(text(Math.min(size.max, whole.max)), whole.min > 0 ? 1 : 0, Number.isNaN(most) ? Number.POSITIVE_INFINITY : most);
}

export const textSlice: BuiltinForm = shortened([s, param("from", INT), maybe("to", INT)], sliced);

export const scalarBuiltins: Readonly<Record<string, readonly BuiltinForm[]>> = { ...numbers, ...texts };
