/**
 * Values of a running program: JSON without `undefined`. Equality, order, copies, and the texts that a person or a
 * model sees of a value. Everything here is pure and total.
 */

import { utf8Length } from "../source/utf8.js";

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A record as JSON knows it: not a list, a date, a map or an instance of some class. */
export function isPlain(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Sets a field even where its name has a meaning to JavaScript. */
export function setField(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  else target[name] = value;
}

/** A field of a record or map; an absent one is null. */
export function field(value: unknown, name: string): unknown {
  if (!isFields(value) || !Object.hasOwn(value, name)) return null;
  return value[name] ?? null;
}

export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as Fields;
  const right = b as Fields;
  for (const name of Object.keys(left)) if (!deepEqual(left[name] ?? null, field(right, name))) return false;
  // A field that is null equals one that is absent.
  for (const name of Object.keys(right)) if (!Object.hasOwn(left, name) && (right[name] ?? null) !== null) return false;
  return true;
}

/** Order of numbers, texts and booleans; null comes first. */
export function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "boolean" && typeof b === "boolean") return a ? 1 : -1;
  return String(a) < String(b) ? -1 : 1;
}

/** A copy that shares nothing that could be changed. */
export function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(value)) setField(out, name, copy((value as Fields)[name]));
  return out;
}

/** `$0.05`, `$1.00`, `$0.0004`: at least cents, at most billionths. */
export function moneyText(dollars: number): string {
  const sign = dollars < 0 ? "-" : "";
  const [whole = "0", digits = ""] = Math.abs(dollars).toFixed(9).split(".");
  return `${sign}$${whole}.${digits.replace(/0+$/, "").padEnd(2, "0")}`;
}

const units: readonly (readonly [number, string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
];

/** The shortest literal: `2m`, `90s`, `1500ms`. */
export function durationText(ms: number): string {
  if (ms === 0) return "0s";
  for (const [size, unit] of units) if (ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}

/** Text as it is, numbers and booleans as JSON, null as nothing. */
export function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return JSON.stringify(value);
}

/** Number of code points. */
export function textLength(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        length--;
        i++;
      }
    }
  }
  return length;
}

/** The beginning of a text that is longer than so many bytes, with a sign that it goes on. */
export function shortened(text: string, bytes: number): string {
  if (utf8Length(text) <= bytes) return text;
  let at = 0;
  let used = 3;
  for (const point of text) {
    const size = utf8Length(point);
    if (used + size > bytes) break;
    used += size;
    at += point.length;
  }
  return `${text.slice(0, at)}…`;
}

/** Whether the text has characters of two UTF-16 units, so that indices and code points differ. */
export function hasSurrogates(text: string): boolean {
  return /[\ud800-\udfff]/.test(text);
}

/** A value in a message: short, on one line. */
export function shown(value: unknown, limit = 60): string {
  const text = value === undefined ? "nothing" : typeof value === "bigint" ? `${value}n` : (safeJson(value) ?? typeof value);
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

function safeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

export function assertNever(value: never): never {
  throw new Error(`unexpected ${shown(value)}`);
}
