/**
 * Sizes of values: for each value that a program computes, how long its text and its JSON can be in bytes, how many
 * items it can have, and how large a number can be. A shape holds for every value that the expression can have; where a
 * type says nothing, a length is `Infinity`.
 */
import { utf8Length } from "../source/utf8.js";
import { type Count, isNumber, larger, plus, sameCount, tighter, times } from "./bound-algebra.js";
import type { TypeIR } from "./ir.js";

export type Types = Readonly<Record<string, TypeIR>>;

/** `bytes` of UTF-8 at most, `json` of it escaped and without quotes, `least` bytes at least. */
export interface TextShape {
  readonly kind: "text";
  readonly bytes: Count;
  readonly json: Count;
  readonly least: number;
}

export type Shape =
  | TextShape
  | { readonly kind: "number"; readonly min: number; readonly max: Count }
  /** `null`, booleans: JSON of at most `json` bytes, plain text of at most `bytes`. */
  | { readonly kind: "small"; readonly bytes: number; readonly json: number }
  | { readonly kind: "list"; readonly of: Shape; readonly min: number; readonly max: Count }
  | { readonly kind: "map"; readonly of: Shape; readonly key: Shape; readonly max: Count }
  | { readonly kind: "record"; readonly fields: ReadonlyMap<string, Shape> }
  /** One of these, each of another kind. */
  | { readonly kind: "either"; readonly of: readonly Shape[] }
  | { readonly kind: "any" };

const OPEN = Number.POSITIVE_INFINITY;

export const ANY: Shape = { kind: "any" };
export const NULL: Shape = { kind: "small", bytes: 0, json: 4 };
export const BOOL: Shape = { kind: "small", bytes: 5, json: 5 };
export const TEXT: TextShape = { kind: "text", bytes: OPEN, json: OPEN, least: 0 };
/** The value of what never returns. */
export const NEVER: Shape = { kind: "either", of: [] };

/** Bytes of a number in JSON: sign, 17 digits, point, exponent. */
const NUMBER_BYTES = 25;

export function text(bytes: Count, least = 0): TextShape {
  return { kind: "text", bytes, json: times(bytes, 6), least };
}

/** A text of so many code points at most. */
export function textOf(points: number, least = 0): TextShape {
  return { kind: "text", bytes: 4 * points, json: 6 * points, least };
}

export function number(min = Number.NEGATIVE_INFINITY, max: Count = OPEN): Shape {
  return { kind: "number", min, max };
}

export function listOf(of: Shape, min: number, max: Count): Shape {
  return { kind: "list", of, min, max };
}

const known = new WeakMap<TypeIR, Shape>();

/** The shape of a type: what its refinements and bounds say. */
export function shapeOfType(type: TypeIR, types: Types, open: readonly string[] = NOTHING_OPEN): Shape {
  if (open.length > 0 || !hasParts(type)) return shapeOfParts(type, types, open);
  let found = known.get(type);
  if (found === undefined) {
    found = shapeOfParts(type, types, open);
    known.set(type, found);
  }
  return found;
}

const NOTHING_OPEN: readonly string[] = [];

const hasParts = ({ kind }: TypeIR): boolean =>
  kind === "record" || kind === "list" || kind === "union" || kind === "ref" || kind === "map";

function shapeOfParts(type: TypeIR, types: Types, open: readonly string[]): Shape {
  switch (type.kind) {
    case "string":
      if (type.max !== undefined) return textOf(type.max, type.min);
      return type.min === undefined ? TEXT : { ...TEXT, least: type.min };
    case "int":
    case "float":
      return number(type.min, type.max);
    case "duration":
    case "money":
      return number();
    case "bool":
      return BOOL;
    case "null":
      return NULL;
    case "literal":
      return shapeOfValue(type.value);
    case "list":
      return listOf(shapeOfType(type.of, types, open), type.min ?? 0, type.max ?? OPEN);
    case "map":
      return { kind: "map", of: shapeOfType(type.of, types, open), key: TEXT, max: OPEN };
    case "record": {
      const fields = new Map<string, Shape>();
      for (const field of type.fields) fields.set(field.name, shapeOfType(field.type, types, open));
      return { kind: "record", fields };
    }
    case "union": {
      let out: Shape = NEVER;
      for (const member of type.of) out = join(out, shapeOfType(member, types, open));
      return out;
    }
    case "ref": {
      // A type that refers to itself is followed once; deeper, nothing is known.
      const target = types[type.name];
      return target === undefined || open.includes(type.name) ? ANY : shapeOfType(target, types, [...open, type.name]);
    }
    case "secret":
      return shapeOfType(type.of, types, open);
    case "never":
      return NEVER;
    case "json":
    case "image":
    case "audio":
    case "document":
      return ANY;
  }
}

/** The shape of one value: exact. */
export function shapeOfValue(value: unknown): Shape {
  if (typeof value === "string") {
    const bytes = utf8Length(value);
    return { kind: "text", bytes, json: utf8Length(JSON.stringify(value)) - 2, least: bytes };
  }
  if (typeof value === "number") return number(value, value);
  if (value === null || value === undefined) return NULL;
  if (typeof value === "boolean") return BOOL;
  if (Array.isArray(value)) return listOf(value.length === 0 ? NEVER : oneOf(value.map(shapeOfValue)), value.length, value.length);
  if (typeof value === "object")
    return { kind: "record", fields: new Map(Object.entries(value).map(([name, field]) => [name, shapeOfValue(field)])) };
  return ANY;
}

export function oneOf(shapes: readonly Shape[]): Shape {
  let out: Shape = NEVER;
  for (const shape of shapes) out = join(out, shape);
  return out;
}

/** A shape for values of either. Each kind stands in it once, so that it stays small. */
export function join(a: Shape, b: Shape): Shape {
  if (a === b) return a;
  if (a.kind === "any" || b.kind === "any") return ANY;
  if (a.kind === "either") return b.kind === "either" ? b.of.reduce<Shape>((all, each) => joinInto(all, each), a) : joinInto(a, b);
  if (b.kind === "either") return joinInto(b, a);
  return joinSame(a, b) ?? { kind: "either", of: [a, b] };
}

function joinInto(either: Shape, one: Shape): Shape {
  if (either.kind !== "either") return join(either, one);
  if (either.of.length === 0) return one;
  for (const [i, member] of either.of.entries()) {
    const same = joinSame(member, one);
    if (same !== undefined) return either.of.length === 1 ? same : { kind: "either", of: either.of.with(i, same) };
  }
  return { kind: "either", of: [...either.of, one] };
}

function joinSame(a: Shape, b: Shape): Shape | undefined {
  if (a.kind === "text" && b.kind === "text")
    return { kind: "text", bytes: larger(a.bytes, b.bytes), json: larger(a.json, b.json), least: Math.min(a.least, b.least) };
  if (a.kind === "number" && b.kind === "number") return number(Math.min(a.min, b.min), largerNumber(a.max, b.max));
  if (a.kind === "small" && b.kind === "small") return { kind: "small", bytes: Math.max(a.bytes, b.bytes), json: Math.max(a.json, b.json) };
  if (a.kind === "list" && b.kind === "list") return listOf(join(a.of, b.of), Math.min(a.min, b.min), larger(a.max, b.max));
  if (a.kind === "map" && b.kind === "map")
    return { kind: "map", of: join(a.of, b.of), key: join(a.key, b.key), max: larger(a.max, b.max) };
  if (a.kind === "record" && b.kind === "record") {
    const fields = new Map(a.fields);
    for (const [name, field] of b.fields) fields.set(name, join(a.fields.get(name) ?? NULL, field));
    for (const [name, field] of a.fields) if (!b.fields.has(name)) fields.set(name, join(field, NULL));
    return { kind: "record", fields };
  }
  return undefined;
}

/** Ends of ranges may be negative, which polynomials are not. */
function largerNumber(a: Count, b: Count): Count {
  if (isNumber(a) && isNumber(b)) return Math.max(a, b);
  return larger(isNumber(a) ? Math.max(0, a) : a, isNumber(b) ? Math.max(0, b) : b);
}

/** What is known of a value that has this shape and has been cut to this type. */
export function meet(shape: Shape, type: TypeIR, types: Types, open: readonly string[] = NOTHING_OPEN): Shape {
  // The shape of the type itself is what such a value has.
  if (hasParts(type) && known.get(type) === shape) return shape;
  switch (shape.kind) {
    case "any":
      return shapeOfType(type, types, open);
    case "either":
      return oneOf(shape.of.map((member) => meet(member, type, types, open)));
    default:
      break;
  }
  switch (type.kind) {
    case "union": {
      const fitting = type.of.filter((member) => mayBe(shape, member));
      const [only] = fitting;
      return fitting.length === 1 && only !== undefined ? meet(shape, only, types, open) : shape;
    }
    case "ref": {
      const target = types[type.name];
      return target === undefined || open.includes(type.name) ? shape : meet(shape, target, types, [...open, type.name]);
    }
    case "secret":
      return meet(shape, type.of, types, open);
    case "string":
      if (shape.kind !== "text" || type.max === undefined) return shape;
      return {
        kind: "text",
        bytes: tighter(shape.bytes, 4 * type.max),
        json: tighter(shape.json, 6 * type.max),
        least: Math.max(shape.least, type.min ?? 0),
      };
    case "int":
    case "float":
      if (shape.kind !== "number") return shape;
      return number(Math.max(shape.min, type.min ?? shape.min), type.max === undefined ? shape.max : tighter(shape.max, type.max));
    case "list":
      if (shape.kind !== "list") return shape;
      return listOf(
        meet(shape.of, type.of, types, open),
        Math.max(shape.min, type.min ?? 0),
        type.max === undefined ? shape.max : tighter(shape.max, type.max),
      );
    case "map":
      if (shape.kind === "record")
        return { kind: "record", fields: new Map([...shape.fields].map(([name, of]) => [name, meet(of, type.of, types, open)])) };
      return shape.kind === "map" ? { ...shape, of: meet(shape.of, type.of, types, open) } : shape;
    case "record": {
      if (shape.kind !== "record") return shape.kind === "map" ? shapeOfType(type, types, open) : shape;
      const fields = new Map<string, Shape>();
      for (const field of type.fields) {
        const own = shape.fields.get(field.name);
        fields.set(field.name, own === undefined ? NULL : meet(own, field.type, types, open));
      }
      return { kind: "record", fields };
    }
    default:
      return shape;
  }
}

function mayBe(shape: Shape, type: TypeIR): boolean {
  switch (type.kind) {
    case "ref":
    case "json":
    case "secret":
    case "union":
      return true;
    case "string":
    case "image":
    case "audio":
    case "document":
      return shape.kind === "text";
    case "int":
    case "float":
    case "duration":
    case "money":
      return shape.kind === "number";
    case "bool":
    case "null":
      return shape.kind === "small";
    case "literal":
      return shape.kind === (typeof type.value === "string" ? "text" : typeof type.value === "number" ? "number" : "small");
    case "list":
      return shape.kind === "list";
    case "map":
    case "record":
      return shape.kind === "map" || shape.kind === "record";
    case "never":
      return false;
  }
}

/** Bytes of the JSON of a value at most. */
export function jsonBytes(shape: Shape): Count {
  switch (shape.kind) {
    case "text":
      return plus(shape.json, 2);
    case "number":
      return numberBytes(shape);
    case "small":
      return shape.json;
    case "list":
      return plus(2, times(shape.max, plus(jsonBytes(shape.of), 1)));
    case "map":
      return plus(2, times(shape.max, plus(plus(jsonBytes(shape.key), jsonBytes(shape.of)), 2)));
    case "record": {
      let out: Count = 2;
      for (const [name, field] of shape.fields) out = plus(out, plus(jsonBytes(field), utf8Length(JSON.stringify(name)) + 2));
      return out;
    }
    case "either":
      return shape.of.reduce<Count>((most, each) => larger(most, jsonBytes(each)), 0);
    case "any":
      return OPEN;
  }
}

/** Bytes of a value as plain text at most: texts as they are, null as nothing, everything else as JSON. */
export function plainBytes(shape: Shape): Count {
  switch (shape.kind) {
    case "text":
    case "small":
      return shape.bytes;
    case "either":
      return shape.of.reduce<Count>((most, each) => larger(most, plainBytes(each)), 0);
    default:
      return jsonBytes(shape);
  }
}

/** Bytes of the plain text, once it is escaped inside JSON. */
export function plainJsonBytes(shape: Shape): Count {
  switch (shape.kind) {
    case "text":
      return shape.json;
    case "either":
      return shape.of.reduce<Count>((most, each) => larger(most, plainJsonBytes(each)), 0);
    case "small":
    case "number":
      return plainBytes(shape);
    default:
      // JSON inside JSON: quotes and backslashes are escaped, control characters are already.
      return times(2, plainBytes(shape));
  }
}

/** Bytes of the plain text at least. */
export function leastBytes(shape: Shape): number {
  switch (shape.kind) {
    case "text":
      return shape.least;
    case "number":
      return 1;
    case "list":
    case "map":
    case "record":
      return 2;
    case "either":
      return shape.of.length === 0 ? 0 : Math.min(...shape.of.map(leastBytes));
    default:
      return 0;
  }
}

function numberBytes(shape: Extract<Shape, { kind: "number" }>): number {
  const { min, max } = shape;
  if (!isNumber(max) || !Number.isInteger(min) || !Number.isInteger(max)) return NUMBER_BYTES;
  // A whole range may still hold fractions; only one value is known to be whole.
  return min === max && Math.abs(max) < 1e15 ? String(max).length : NUMBER_BYTES;
}

/** How many items a value has that is gone through, and what they are. */
export function itemsOf(shape: Shape): { readonly of: Shape; readonly min: number; readonly max: Count } {
  switch (shape.kind) {
    case "list":
      return shape;
    case "map":
      return { of: shape.of, min: 0, max: shape.max };
    case "record":
      return { of: oneOf([...shape.fields.values()]), min: shape.fields.size, max: shape.fields.size };
    case "either": {
      const all = shape.of.map(itemsOf);
      return {
        of: oneOf(all.map((each) => each.of)),
        min: all.length === 0 ? 0 : Math.min(...all.map((each) => each.min)),
        max: all.reduce<Count>((most, each) => larger(most, each.max), 0),
      };
    }
    case "any":
      return { of: ANY, min: 0, max: OPEN };
    default:
      return { of: NEVER, min: 0, max: 0 };
  }
}

export function fieldOf(shape: Shape, name: string): Shape {
  switch (shape.kind) {
    case "record":
      return shape.fields.get(name) ?? NULL;
    case "map":
      return join(shape.of, NULL);
    case "either":
      return oneOf(shape.of.map((member) => fieldOf(member, name)));
    case "any":
      return ANY;
    default:
      return NULL;
  }
}

/** The ends of a number; for what is no number the range is open. */
export function rangeOf(shape: Shape): { readonly min: number; readonly max: Count } {
  if (shape.kind === "number") return shape;
  if (shape.kind === "either") {
    const numbers = shape.of.filter((each) => each.kind === "number");
    const [only] = numbers;
    if (only !== undefined && numbers.length === 1) return only;
  }
  return { min: Number.NEGATIVE_INFINITY, max: OPEN };
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "text":
      return b.kind === "text" && sameCount(a.bytes, b.bytes) && sameCount(a.json, b.json) && a.least === b.least;
    case "number":
      return b.kind === "number" && a.min === b.min && sameCount(a.max, b.max);
    case "small":
      return b.kind === "small" && a.bytes === b.bytes && a.json === b.json;
    case "list":
      return b.kind === "list" && a.min === b.min && sameCount(a.max, b.max) && sameShape(a.of, b.of);
    case "map":
      return b.kind === "map" && sameCount(a.max, b.max) && sameShape(a.of, b.of) && sameShape(a.key, b.key);
    case "record":
      return (
        b.kind === "record" &&
        a.fields.size === b.fields.size &&
        [...a.fields].every(([name, field]) => {
          const other = b.fields.get(name);
          return other !== undefined && sameShape(field, other);
        })
      );
    case "either":
      return (
        b.kind === "either" &&
        a.of.length === b.of.length &&
        a.of.every((each, i) => {
          const other = b.of[i];
          return other !== undefined && sameShape(each, other);
        })
      );
    case "any":
      return b.kind === "any";
  }
}
