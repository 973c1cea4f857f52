/**
 * The functions of the language on numbers and text. Lengths and positions in text count code points. `len`, `slice`,
 * `contains`, `min` and `max` also take lists.
 */
import { utf8Length } from "../source/utf8.js";
import type { Builtin } from "./builtins.js";
import { failure } from "./failure.js";
import { compare, deepEqual, hasSurrogates, isFields, plainText, textLength } from "./values.js";

const numbers = (value: unknown): readonly number[] => value as readonly number[];
const text = (value: unknown): string => value as string;

function number(name: string, value: unknown): number {
  if (typeof value !== "number") throw failure("assertion", `${name} needs a number, found ${String(value)}`);
  return value;
}

/** Halves away from zero, in decimal digits as they are written. */
function round(value: unknown, digits: unknown): number {
  const x = number("round", value);
  const places = typeof digits === "number" ? digits : 0;
  const shifted = Number(`${Math.abs(x)}e${places}`);
  // Numbers written with an exponent already are too large or small for digits to matter.
  if (!Number.isFinite(shifted)) return x;
  const rounded = Number(`${Math.round(shifted)}e${-places}`);
  return Number.isFinite(rounded) ? (x < 0 && rounded !== 0 ? -rounded : rounded) : x;
}

function divided(a: unknown, b: unknown): number {
  if (b === 0) throw failure("assertion", "div: division by zero");
  return Math.trunc(number("div", a) / number("div", b));
}

function clamp(x: unknown, low: unknown, high: unknown): number {
  return Math.min(Math.max(number("clamp", x), number("clamp", low)), number("clamp", high));
}

function extreme(a: unknown, b: unknown, sign: 1 | -1): unknown {
  const xs = Array.isArray(a) ? (a as unknown[]) : [a, b];
  return xs.reduce<unknown>((best, x) => (best === null || compare(x, best) * sign > 0 ? x : best), null);
}

/** A part of a text by code points; negative positions count from the end. */
function sliceText(s: string, from: number, to: number | undefined): string {
  if (!hasSurrogates(s)) return s.slice(from, to);
  return [...s].slice(from, to).join("");
}

function slice(x: unknown, from: unknown, to: unknown): unknown {
  const low = typeof from === "number" ? from : 0;
  const high = typeof to === "number" ? to : undefined;
  return Array.isArray(x) ? x.slice(low, high) : sliceText(text(x), low, high);
}

function chunkText(s: unknown, size: unknown, overlap: unknown): string[] {
  const length = number("chunk_text", size);
  const shared = typeof overlap === "number" ? overlap : 0;
  if (length < 1) throw failure("assertion", `chunk_text needs a size of at least 1, found ${length}`);
  if (shared < 0 || shared >= length)
    throw failure("assertion", `chunk_text needs an overlap from 0 to less than its size ${length}, found ${shared}`);
  const points = hasSurrogates(text(s)) ? [...text(s)] : undefined;
  const total = points?.length ?? text(s).length;
  const out: string[] = [];
  for (let at = 0; at < total; at += length - shared) {
    out.push(points === undefined ? text(s).slice(at, at + length) : points.slice(at, at + length).join(""));
    if (at + length >= total) break;
  }
  return out;
}

const expressions = new Map<string, RegExp>();

/** A pattern of the language as a regular expression, kept for the next use. */
export function expression(pattern: string): RegExp {
  let found = expressions.get(pattern);
  if (found === undefined) {
    found = new RegExp(pattern, "u");
    expressions.set(pattern, found);
  }
  return found;
}

function length(x: unknown): number {
  if (typeof x === "string") return textLength(x);
  if (Array.isArray(x)) return x.length;
  return isFields(x) ? Object.keys(x).length : 0;
}

/** About four bytes to a token. */
export function estimateTokens(s: string): number {
  return Math.ceil(utf8Length(s) / 4);
}

export const textBuiltins: Readonly<Record<string, Builtin>> = {
  len: length,
  sum: (xs) => numbers(xs).reduce((a, b) => a + b, 0),
  mean: (xs) => (numbers(xs).length === 0 ? null : numbers(xs).reduce((a, b) => a + b, 0) / numbers(xs).length),
  min: (a, b) => extreme(a, b, -1),
  max: (a, b) => extreme(a, b, 1),
  round,
  floor: (x) => Math.floor(number("floor", x)),
  ceil: (x) => Math.ceil(number("ceil", x)),
  abs: (x) => Math.abs(number("abs", x)),
  clamp,
  div: divided,
  join: (xs, separator) => (xs as readonly unknown[]).map(plainText).join(text(separator ?? "")),
  split: (s, separator) => text(s).split(text(separator)),
  lines: (s) =>
    text(s) === ""
      ? []
      : text(s)
          .replace(/\r?\n$/, "")
          .split(/\r?\n/),
  trim: (s) => text(s).trim(),
  lower: (s) => text(s).toLowerCase(),
  upper: (s) => text(s).toUpperCase(),
  contains: (s, part) => (Array.isArray(s) ? s.some((x) => deepEqual(x, part)) : text(s).includes(text(part))),
  starts_with: (s, part) => text(s).startsWith(text(part)),
  ends_with: (s, part) => text(s).endsWith(text(part)),
  replace: (s, from, to) => text(s).split(text(from)).join(text(to)),
  matches: (s, pattern) => expression(text(pattern)).test(text(s)),
  slice,
  chunk_text: chunkText,
  truncate: (s, size) => sliceText(text(s), 0, Math.max(0, number("truncate", size))),
  estimate_tokens: (s) => estimateTokens(text(s)),
  to_string: plainText,
};
