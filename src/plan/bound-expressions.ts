/**
 * Sizes of what expressions give: templates add up their parts, built-in functions keep, cut or multiply lengths as
 * they do at run time. Whatever is not known by name gives a value of unknown size, so that no bound is ever too low.
 */
import { type Count, isNumber, larger, plus, sum, tighter, times } from "./bound-algebra.js";
import {
  ANY,
  BOOL,
  fieldOf,
  itemsOf,
  join,
  jsonBytes,
  leastBytes,
  listOf,
  meet,
  NEVER,
  NULL,
  number,
  oneOf,
  plainBytes,
  plainJsonBytes,
  rangeOf,
  type Shape,
  sameShape,
  shapeOfValue,
  type TextShape,
  type Types,
  text,
  utf8,
} from "./bound-sizes.js";
import type { ExprIR, PatternIR, TemplatePartIR } from "./ir.js";

/** The shapes of the names in scope. */
export interface Scope {
  readonly types: Types;
  readonly names: Map<string, Shape>;
  readonly outer: Scope | undefined;
}

export function scopeIn(outer: Scope, names: readonly (readonly [string, Shape])[] = []): Scope {
  return { types: outer.types, names: new Map(names), outer };
}

function lookup(scope: Scope, id: string): Shape {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const found = at.names.get(id);
    if (found !== undefined) return found;
  }
  return ANY;
}

const OPEN = Number.POSITIVE_INFINITY;

/** The shape of every value that an expression can have. */
export function shapeOf(expr: ExprIR, scope: Scope): Shape {
  switch (expr.kind) {
    case "const":
      return shapeOfValue(expr.value);
    case "ref":
      return lookup(scope, expr.id);
    case "field": {
      const of = fieldOf(shapeOf(expr.of, scope), expr.name);
      return expr.optional === true ? join(of, NULL) : of;
    }
    case "index": {
      const of = shapeOf(expr.of, scope);
      return of.kind === "any" ? ANY : join(itemsOf(of).of, NULL);
    }
    case "record": {
      let fields = new Map<string, Shape>();
      for (const entry of expr.entries) {
        if (!("spread" in entry)) {
          fields.set(entry.name, shapeOf(entry.value, scope));
          continue;
        }
        const spread = shapeOf(entry.spread, scope);
        if (spread.kind !== "record") return ANY;
        fields = new Map([...fields, ...spread.fields]);
      }
      return { kind: "record", fields };
    }
    case "list": {
      let of: Shape = NEVER;
      let min = 0;
      let max: Count = 0;
      for (const element of expr.elements) {
        const shape = shapeOf(element.value, scope);
        const items = element.spread ? itemsOf(shape) : { of: shape, min: 1, max: 1 };
        of = join(of, items.of);
        min += items.min;
        max = plus(max, items.max);
      }
      return listOf(of, min, max);
    }
    case "not":
      return BOOL;
    case "negate":
      return number();
    case "binary":
      return binaryShape(expr, scope);
    case "and":
    case "or":
    case "default":
      return join(shapeOf(expr.left, scope), shapeOf(expr.right, scope));
    case "cond":
      return join(shapeOf(expr.then, scope), shapeOf(expr.else, scope));
    case "let":
      return shapeOf(expr.body, scopeIn(scope, [[expr.id, shapeOf(expr.value, scope)]]));
    case "switch": {
      const value = shapeOf(expr.value, scope);
      return oneOf(expr.arms.map((arm) => shapeOf(arm.body, scopeIn(scope, boundBy(arm.patterns, value)))));
    }
    case "lambda":
      return ANY;
    case "builtin":
      return builtinShape(expr.name, expr.args, scope);
    case "cast":
    case "cut":
      return meet(shapeOf(expr.of, scope), expr.type, scope.types);
    case "template": {
      const { bytes, json, least } = partsBytes(expr.parts, scope);
      return { kind: "text", bytes, json, least };
    }
  }
}

/** The names that patterns bind, with what they can hold. */
export function boundBy(patterns: readonly PatternIR[], value: Shape): readonly (readonly [string, Shape])[] {
  return patterns.flatMap((pattern): readonly (readonly [string, Shape])[] => {
    if (pattern.kind !== "record") return [];
    return pattern.fields.flatMap((field) => {
      const of = fieldOf(value, field.name);
      return [
        ...(field.bind === undefined ? [] : [[field.bind, of] as const]),
        ...(field.pattern === undefined ? [] : boundBy([field.pattern], of)),
      ];
    });
  });
}

function binaryShape(expr: Extract<ExprIR, { kind: "binary" }>, scope: Scope): Shape {
  switch (expr.op) {
    case "+":
    case "-":
    case "*":
    case "/":
    case "%": {
      const left = shapeOf(expr.left, scope);
      const right = shapeOf(expr.right, scope);
      if (left.kind === "text" || right.kind === "text") {
        const bytes = plus(plainBytes(left), plainBytes(right));
        return text(bytes);
      }
      return arithmetic(expr.op, rangeOf(left), rangeOf(right));
    }
    default:
      return BOOL;
  }
}

interface Range {
  readonly min: number;
  readonly max: Count;
}

function arithmetic(op: string, a: Range, b: Range): Shape {
  if (op === "+") {
    const max = isNumber(a.max) && isNumber(b.max) ? a.max + b.max : plus(atLeastZero(a.max), atLeastZero(b.max));
    return number(a.min + b.min, max);
  }
  if (op === "-" && isNumber(a.max) && isNumber(b.max)) {
    return number(known(a.min - b.max, Number.NEGATIVE_INFINITY), known(a.max - b.min, OPEN));
  }
  if (op === "*" && a.min >= 0 && b.min >= 0) return number(known(a.min * b.min, 0), times(a.max, b.max));
  return number();
}

const known = (x: number, otherwise: number): number => (Number.isNaN(x) ? otherwise : x);
const atLeastZero = (x: Count): Count => (isNumber(x) ? Math.max(0, x) : x);

interface TextBytes {
  readonly bytes: Count;
  readonly json: Count;
  readonly least: number;
}

/** Bytes of a duration or an amount of money as its literal. */
const LITERAL_BYTES = 40;

/** Bytes of a template. */
export function partsBytes(parts: readonly TemplatePartIR[], scope: Scope): TextBytes {
  let bytes: Count = 0;
  let json: Count = 0;
  let least = 0;
  for (const part of parts) {
    const of = partBytes(part, scope);
    bytes = plus(bytes, of.bytes);
    json = plus(json, of.json);
    least += of.least;
  }
  return { bytes, json, least };
}

function partBytes(part: TemplatePartIR, scope: Scope): TextBytes {
  switch (part.kind) {
    case "text": {
      const bytes = utf8(part.text);
      return { bytes, json: utf8(JSON.stringify(part.text)) - 2, least: bytes };
    }
    case "value": {
      if (part.as !== "plain") return { bytes: LITERAL_BYTES, json: LITERAL_BYTES, least: 0 };
      const shape = shapeOf(part.value, scope);
      return { bytes: plainBytes(shape), json: plainJsonBytes(shape), least: leastBytes(shape) };
    }
    case "if":
      return eitherBytes(partsBytes(part.then, scope), partsBytes(part.else, scope));
    case "with": {
      const inner = scopeIn(scope, [[part.id, shapeOf(part.value, scope)]]);
      return eitherBytes(partsBytes(part.body, inner), partsBytes(part.else, scope));
    }
    case "each": {
      const over = shapeOf(part.over, scope);
      const items = itemsOf(over);
      const index = number(0, items.max);
      const inner = scopeIn(scope, [
        [part.item, items.of],
        [part.index, index],
        [part.key, keyOf(over, index)],
        [part.first, BOOL],
        [part.last, BOOL],
      ]);
      const one = partsBytes(part.body, inner);
      const none = partsBytes(part.else, scope);
      return {
        bytes: larger(times(items.max, one.bytes), none.bytes),
        json: larger(times(items.max, one.json), none.json),
        least: items.min > 0 ? items.min * one.least : Math.min(one.least, none.least),
      };
    }
  }
}

function keyOf(over: Shape, index: Shape): Shape {
  if (over.kind === "list") return index;
  if (over.kind === "map") return over.key;
  if (over.kind === "record") return oneOf([...over.fields.keys()].map(shapeOfValue));
  return ANY;
}

function eitherBytes(a: TextBytes, b: TextBytes): TextBytes {
  return { bytes: larger(a.bytes, b.bytes), json: larger(a.json, b.json), least: Math.min(a.least, b.least) };
}

// ------------------------------------------------------------------------------------------ built-in functions

function builtinShape(name: string, args: readonly ExprIR[], scope: Scope): Shape {
  const arg = (i: number): Shape => {
    const given = args[i];
    return given === undefined ? NULL : shapeOf(given, scope);
  };
  const list = (i = 0) => itemsOf(arg(i));
  const range = (i: number): Range => rangeOf(arg(i));
  /** What a function argument gives for items. */
  const applied = (i: number, ...params: readonly Shape[]): Shape => {
    const lambda = args[i];
    if (lambda?.kind !== "lambda") return ANY;
    return shapeOf(
      lambda.body,
      scopeIn(
        scope,
        lambda.params.map((id, at) => [id, params[at] ?? ANY] as const),
      ),
    );
  };
  switch (name) {
    case "first":
    case "last":
      return list().min > 0 ? list().of : join(list().of, NULL);
    case "find":
    case "max_by":
    case "min_by":
      return join(list().of, NULL);
    case "take": {
      const { of, min, max } = list();
      const n = range(1);
      return listOf(of, Math.min(min, Math.max(0, n.min)), tighter(max, atLeastZero(n.max)));
    }
    case "drop":
      return listOf(list().of, 0, list().max);
    case "slice": {
      const of = arg(0);
      if (of.kind === "text") return { ...of, least: 0 };
      const { of: item, max } = itemsOf(of);
      const to = args[2] === undefined ? OPEN : range(2).max;
      // Negative positions count from the end, so only ends that cannot be negative say something.
      return listOf(item, 0, args[2] !== undefined && range(2).min >= 0 ? tighter(max, to) : max);
    }
    case "chunk": {
      const { of, min, max } = list();
      const size = range(1);
      const least = Math.max(1, size.min);
      const groups = isNumber(max) ? Math.ceil(max / least) : plus(times(max, 1 / least), 1);
      return listOf(listOf(of, 1, tighter(max, size.max)), Math.min(1, min), groups);
    }
    case "flatten": {
      const outer = list();
      const inner = itemsOf(outer.of);
      return listOf(inner.of, outer.min * inner.min, times(outer.max, inner.max));
    }
    case "reverse":
    case "sort_by": {
      const { of, min, max } = list();
      return listOf(of, min, max);
    }
    case "filter":
      return listOf(list().of, 0, list().max);
    case "unique":
      return listOf(list().of, Math.min(1, list().min), list().max);
    case "map": {
      const { of, min, max } = list();
      return listOf(applied(1, of, number(0, max)), min, max);
    }
    case "zip": {
      const [xs, ys] = [list(0), list(1)];
      return listOf(pair("left", xs.of, "right", ys.of), Math.min(xs.min, ys.min), tighter(xs.max, ys.max));
    }
    case "range": {
      const [a, b] = [range(0), range(1)];
      const one = args[1] === undefined || (args[1].kind === "const" && args[1].value === null);
      if (one) return listOf(number(0, a.max), Math.max(0, a.min), atLeastZero(a.max));
      const size = isNumber(a.max) && isNumber(b.max) && Number.isFinite(a.min) ? Math.max(0, b.max - a.min) : a.min >= 0 ? b.max : OPEN;
      return listOf(number(a.min, b.max), 0, size);
    }
    case "group_by": {
      const { of, min, max } = list();
      return listOf(pair("key", applied(1, of), "items", listOf(of, 1, max)), Math.min(1, min), max);
    }
    case "index_by":
      return { kind: "map", of: list().of, key: applied(1, list().of), max: list().max };
    case "fold": {
      const start = arg(1);
      const next = join(start, applied(2, start, list().of));
      return sameShape(next, join(next, applied(2, next, list().of))) ? next : ANY;
    }
    case "len": {
      const of = arg(0);
      if (of.kind === "list") return number(of.min, of.max);
      if (of.kind === "text") return number(0, of.bytes);
      return number(0, of.kind === "any" ? OPEN : itemsOf(of).max);
    }
    case "count":
      return number(0, list().max);
    case "min":
    case "max":
      return args.length > 1 ? join(arg(0), arg(1)) : join(list().of, NULL);
    case "sum":
    case "round":
    case "floor":
    case "ceil":
    case "abs":
    case "div":
    case "estimate_tokens":
      return number();
    case "clamp": {
      const [low, high] = [range(1), range(2)];
      return number(isNumber(high.max) ? Math.min(low.min, high.max) : low.min, high.max);
    }
    case "mean":
      return join(number(), NULL);
    case "any":
    case "all":
    case "has":
    case "contains":
    case "starts_with":
    case "ends_with":
    case "matches":
    case "eq":
    case "ne":
    case "lt":
    case "gt":
    case "and":
    case "or":
    case "not":
      return BOOL;
    case "join": {
      const { of, max } = list();
      const separator = arg(1);
      return {
        kind: "text",
        bytes: times(max, plus(plainBytes(of), plainBytes(separator))),
        json: times(max, plus(plainJsonBytes(of), plainJsonBytes(separator))),
        least: 0,
      };
    }
    case "split":
    case "lines": {
      const of = arg(0);
      const bytes = plainBytes(of);
      return listOf({ ...text(bytes), ...(of.kind === "text" ? { json: of.json } : {}) }, 0, plus(bytes, 1));
    }
    case "chunk_text": {
      const bytes = plainBytes(arg(0));
      const size = range(1);
      const overlap = args[2] === undefined ? 0 : range(2).max;
      const step = isNumber(overlap) && Number.isFinite(size.min) ? Math.max(1, size.min - Math.max(0, overlap)) : 1;
      const parts = isNumber(bytes) ? Math.ceil(bytes / step) + 1 : plus(times(bytes, 1 / step), 2);
      return listOf(cutText(arg(0), size.max), 0, parts);
    }
    case "trim":
      return { ...asText(arg(0)), least: 0 };
    case "lower":
    case "upper": {
      // One character may become three of another length.
      const of = asText(arg(0));
      return { kind: "text", bytes: times(3, of.bytes), json: times(3, of.json), least: 0 };
    }
    case "replace": {
      const of = asText(arg(0));
      const places = plus(of.bytes, 1);
      const to = arg(2);
      return {
        kind: "text",
        bytes: plus(of.bytes, times(places, plainBytes(to))),
        json: plus(of.json, times(places, plainJsonBytes(to))),
        least: 0,
      };
    }
    case "truncate":
      return cutText(arg(0), range(1).max);
    case "to_string":
      return { kind: "text", bytes: plainBytes(arg(0)), json: plainJsonBytes(arg(0)), least: leastBytes(arg(0)) };
    case "json": {
      const bytes = jsonBytes(arg(0));
      return { kind: "text", bytes, json: times(2, bytes), least: Math.min(2, leastBytes(arg(0))) };
    }
    case "keys": {
      const of = arg(0);
      if (of.kind === "record") return listOf(oneOf([...of.fields.keys()].map(shapeOfValue)), 0, of.fields.size);
      return of.kind === "map" ? listOf(of.key, 0, of.max) : listOf(ANY, 0, OPEN);
    }
    case "values":
      return listOf(list().of, list().min, list().max);
    case "entries": {
      const of = arg(0);
      const { of: value, max } = itemsOf(of);
      return listOf(pair("key", of.kind === "map" ? of.key : ANY, "value", value), 0, max);
    }
    case "merge": {
      const [a, b] = [arg(0), arg(1)];
      if (a.kind === "record" && b.kind === "record") return { kind: "record", fields: new Map([...a.fields, ...b.fields]) };
      if (a.kind !== "map" || b.kind !== "map") return ANY;
      return { kind: "map", of: join(a.of, b.of), key: join(a.key, b.key), max: sum([a.max, b.max]) };
    }
    case "lookup":
      return arg(0).kind === "any" ? ANY : join(list().of, NULL);
    case "trust":
      return arg(0);
    case "fail":
      return NEVER;
    default:
      return ANY;
  }
}

function pair(first: string, a: Shape, second: string, b: Shape): Shape {
  return {
    kind: "record",
    fields: new Map([
      [first, a],
      [second, b],
    ]),
  };
}

function asText(shape: Shape): TextShape {
  return shape.kind === "text" ? shape : { kind: "text", bytes: plainBytes(shape), json: plainJsonBytes(shape), least: 0 };
}

/** A text cut to so many code points. */
function cutText(shape: Shape, points: Count): Shape {
  const of = asText(shape);
  if (!isNumber(points) || points === OPEN) return { ...of, least: 0 };
  const most = Math.max(0, points);
  return { kind: "text", bytes: tighter(of.bytes, 4 * most), json: tighter(of.json, 6 * most), least: 0 };
}
