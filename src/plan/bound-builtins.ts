/**
 * Sizes of what built-in functions give: lengths are kept, cut or multiplied as the functions do at run time. A
 * function that is not known here gives a value of unknown size.
 */
import { type Count, isNumber, plus, sum, tighter, times } from "./bound-algebra.js";
import {
  ANY,
  BOOL,
  itemsOf,
  join,
  jsonBytes,
  leastBytes,
  listOf,
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
  text,
} from "./bound-sizes.js";

const OPEN = Number.POSITIVE_INFINITY;

interface Range {
  readonly min: number;
  readonly max: Count;
}

const atLeastZero = (x: Count): Count => (isNumber(x) ? Math.max(0, x) : x);

/** The arguments of a call of a built-in function. */
export interface Given {
  /** The shape of an argument; that of null where it was not given. */
  readonly arg: (i: number) => Shape;
  /** Whether an argument was given and is not null. */
  readonly has: (i: number) => boolean;
  /** What a function argument gives for these. */
  readonly applied: (i: number, ...params: readonly Shape[]) => Shape;
}

/** The shape of what a built-in function gives. */
export function builtinShape(name: string, given: Given): Shape {
  const { arg, has, applied } = given;
  const list = (i = 0) => itemsOf(arg(i));
  const range = (i: number): Range => rangeOf(arg(i));
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
      const to = has(2) ? range(2).max : OPEN;
      // Negative positions count from the end, so only ends that cannot be negative say something.
      return listOf(item, 0, has(2) && range(2).min >= 0 ? tighter(max, to) : max);
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
      if (!has(1)) return listOf(number(0, a.max), Math.max(0, a.min), atLeastZero(a.max));
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
      return has(1) ? join(arg(0), arg(1)) : join(list().of, NULL);
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
      const overlap = has(2) ? range(2).max : 0;
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
