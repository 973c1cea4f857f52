/**
 * Sizes of what expressions give: templates add up their parts, built-in functions keep, cut or multiply lengths as
 * they do at run time. Whatever is not known by name gives a value of unknown size, so that no bound is ever too low.
 */
import { utf8Length } from "../source/utf8.js";
import { type Count, isNumber, larger, plus, times } from "./bound-algebra.js";
import { builtinShape } from "./bound-builtins.js";
import {
  ANY,
  BOOL,
  fieldOf,
  itemsOf,
  join,
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
  shapeOfValue,
  type Types,
  text,
} from "./bound-sizes.js";
import type { ExprIR, MediaKind, PatternIR, TemplatePartIR } from "./ir.js";

/** The shapes of the names in scope. */
export interface Scope {
  readonly types: Types;
  readonly names: Map<string, Shape>;
  readonly outer: Scope | undefined;
  /** In the prompt of an agent: what an image, a recording or a document counts as, in bytes of text. */
  readonly media?: Readonly<Record<MediaKind, number>>;
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
      return builtinShape(expr.name, {
        arg: (i) => {
          const given = expr.args[i];
          return given === undefined ? NULL : shapeOf(given, scope);
        },
        has: (i) => {
          const given = expr.args[i];
          return given !== undefined && !(given.kind === "const" && given.value === null);
        },
        applied: (i, ...params) => {
          const lambda = expr.args[i];
          if (lambda?.kind !== "lambda") return ANY;
          return shapeOf(
            lambda.body,
            scopeIn(
              scope,
              lambda.params.map((id, at) => [id, params[at] ?? ANY] as const),
            ),
          );
        },
      });
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
      const bytes = utf8Length(part.text);
      return { bytes, json: utf8Length(JSON.stringify(part.text)) - 2, least: bytes };
    }
    case "value": {
      if (part.as === "image" || part.as === "audio" || part.as === "document") {
        const bytes = mediaIn(scope, part.as);
        return { bytes, json: bytes, least: 0 };
      }
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

function mediaIn(scope: Scope, kind: MediaKind): number {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) if (at.media !== undefined) return at.media[kind];
  return Number.POSITIVE_INFINITY;
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
