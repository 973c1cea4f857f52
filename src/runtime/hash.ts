/**
 * Small deterministic arithmetic that must be the same everywhere and for ever: a 106-bit content hash for guards and
 * keys, a canonical text of a value to hash, and a seeded random generator. Not for secrets.
 */
import type { Clock } from "./clock.js";

/** A hash of 53 bits (two rounds of multiply and xor with avalanche at the end). */
export function hash53(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  return finished(a, b);
}

function finished(left: number, right: number): number {
  let a = left;
  let b = right;
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}

/** A hash of a text for guards and cache keys. */
export function contentHash(text: string): string {
  return contentHashAfter("")(text);
}

/** Hashes texts that all begin alike; gives what `contentHash` gives for the whole. */
export function contentHashAfter(beginning: string): (rest: string) => string {
  const start = absorbed([0xdeadbeef, 0x41c6ce57, 0xdeadbeef ^ SECOND, 0x41c6ce57 ^ SECOND], beginning);
  return (rest) => {
    const { 0: a, 1: b, 2: c, 3: d } = absorbed(start, rest);
    return digits(finished(a, b)) + digits(finished(c, d));
  };
}

/** A hash in base 36, eleven digits: in two halves, each of which is a small integer, and made at once, for it is made for each call. */
function digits(hash: number): string {
  const high = Math.floor(hash / HALF);
  const low = hash - high * HALF;
  return String.fromCharCode(
    digit((high / 60466176) | 0),
    digit(((high / 1679616) | 0) % 36),
    digit(((high / 46656) | 0) % 36),
    digit(((high / 1296) | 0) % 36),
    digit(((high / 36) | 0) % 36),
    digit(high % 36),
    digit((low / 1679616) | 0),
    digit(((low / 46656) | 0) % 36),
    digit(((low / 1296) | 0) % 36),
    digit(((low / 36) | 0) % 36),
    digit(low % 36),
  );
}

const digit = (n: number): number => (n < 10 ? 48 : 87) + n;

const HALF = 36 ** 5;

/** The seed of the second half. */
const SECOND = 0x5bd1e995;

type State = readonly [number, number, number, number];

function absorbed(from: State, text: string): State {
  // By index, since going through an iterator would cost more than the hash of a short text.
  let a = from[0];
  let b = from[1];
  let c = from[2];
  let d = from[3];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
    c = Math.imul(c ^ unit, 2654435761);
    d = Math.imul(d ^ unit, 1597334677);
  }
  return [a, b, c, d];
}

/** JSON with the fields of records in order of their names, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "null";
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  // Without lists in between: it is done for each call.
  let inside = "";
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) inside += (i === 0 ? "" : ",") + canonical(value[i]);
    return `[${inside}]`;
  }
  const record = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(record);
  if (names.length > 1) names.sort();
  for (const name of names) inside += `${inside === "" ? "" : ","}${JSON.stringify(name)}:${canonical(record[name])}`;
  return `{${inside}}`;
}

/** Numbers from 0 to 1 that depend on the seed only. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A generator for one place of one run. */
export function randomFor(seed: number, place: string): () => number {
  return random(hash53(place, seed) >>> 0);
}

/** The id of a new run: its time, so that ids sort, and something of its own. */
export function runId(clock: Clock, seed: number): string {
  return `r${clock.wall().toString(36)}${(hash53(`${seed} ${clock.now()} ${Math.random()}`, 1) % 36 ** 4).toString(36).padStart(4, "0")}`;
}
