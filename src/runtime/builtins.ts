/**
 * The functions of the language that are on lists, records and failures. Each takes evaluated arguments by position and
 * is pure; a lambda argument arrives as a JavaScript function. A broken precondition is an `assertion` that names the
 * function. Functions on numbers and text are in `builtins-text.ts`.
 */
import { textBuiltins } from "./builtins-text.js";
import { type CallFailure, failure, isFailureKind } from "./failure.js";
import { canonical } from "./hash.js";
import { compare, deepEqual, type Fields, field, isFields, setField } from "./values.js";

export type Builtin = (...args: readonly unknown[]) => unknown;
type Fn = (...args: readonly unknown[]) => unknown;

const list = (value: unknown): readonly unknown[] => value as readonly unknown[];
const call = (value: unknown): Fn => value as Fn;
const broken = (message: string): CallFailure => failure("assertion", message);

/** A count that must be a whole number of at least `least`. */
function count(name: string, value: unknown, least: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least)
    throw broken(`${name} needs a whole number of at least ${least}, found ${String(value)}`);
  return value;
}

function extreme(xs: readonly unknown[], by: (x: unknown) => unknown, sign: 1 | -1): unknown {
  let best: unknown = null;
  let bestKey: unknown;
  for (const [i, x] of xs.entries()) {
    const key = by(x);
    if (i === 0 || compare(key, bestKey) * sign > 0) {
      best = x;
      bestKey = key;
    }
  }
  return best;
}

function grouped(xs: readonly unknown[], by: Fn): { key: unknown; items: unknown[] }[] {
  const groups = new Map<string, { key: unknown; items: unknown[] }>();
  for (const x of xs) {
    const key = by(x);
    const text = canonical(key);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { key, items: [x] });
    else group.items.push(x);
  }
  return [...groups.values()];
}

function distinct(xs: readonly unknown[], by: Fn | undefined): unknown[] {
  const seen = new Set<string>();
  return xs.filter((x) => {
    const text = canonical(by === undefined ? x : by(x));
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

function range(from: unknown, to: unknown): number[] {
  const [low, high] = typeof to === "number" ? [Number(from), to] : [0, Number(from)];
  if (high - low > 10_000_000) throw broken(`range of ${high - low} numbers is too long`);
  const out: number[] = [];
  for (let i = low; i < high; i++) out.push(i);
  return out;
}

function chunk(xs: readonly unknown[], size: unknown): unknown[][] {
  const step = count("chunk", size, 1);
  const out: unknown[][] = [];
  for (let i = 0; i < xs.length; i += step) out.push(xs.slice(i, i + step));
  return out;
}

function raise(first: unknown, second: unknown): never {
  if (isFields(first)) {
    const kind = first["kind"];
    const committed = first["committed"];
    throw failure(isFailureKind(kind) ? kind : "tool_error", String(first["message"] ?? ""), {
      path: String(first["call"] ?? ""),
      attempts: Number(first["attempts"] ?? 0),
      committed: committed === "yes" || committed === "unknown" ? committed : "no",
    });
  }
  if (second === undefined || second === null) throw failure("assertion", String(first));
  throw failure(isFailureKind(first) ? first : "tool_error", String(second));
}

function fromJson(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    const shown = String(text).trim().slice(0, 60);
    throw broken(`parse_json: the text is not JSON: ${shown === "" ? "it is empty" : shown}`);
  }
}

function merged(a: unknown, b: unknown): Fields {
  return { ...(a as Fields), ...(b as Fields) };
}

function indexed(xs: readonly unknown[], by: Fn): Fields {
  const out: Record<string, unknown> = {};
  for (const x of xs) setField(out, String(by(x)), x);
  return out;
}

function sorted(xs: readonly unknown[], by: Fn, descending: unknown): unknown[] {
  const sign = descending === true ? -1 : 1;
  const keyed = xs.map((x) => ({ x, key: by(x) }));
  return keyed.sort((a, b) => sign * compare(a.key, b.key)).map((entry) => entry.x);
}

const listBuiltins: Readonly<Record<string, Builtin>> = {
  first: (xs) => list(xs)[0] ?? null,
  last: (xs) => list(xs).at(-1) ?? null,
  take: (xs, n) => list(xs).slice(0, Math.max(0, Number(n))),
  drop: (xs, n) => list(xs).slice(Math.max(0, Number(n))),
  chunk: (xs, n) => chunk(list(xs), n),
  flatten: (xss) => list(xss).flatMap((xs) => xs as unknown[]),
  reverse: (xs) => [...list(xs)].reverse(),
  zip: (xs, ys) =>
    list(xs)
      .slice(0, list(ys).length)
      .map((left, i) => ({ left, right: list(ys)[i] ?? null })),
  range,
  filter: (xs, f) => list(xs).filter((x) => call(f)(x) === true),
  find: (xs, f) => list(xs).find((x) => call(f)(x) === true) ?? null,
  any: (xs, f) => list(xs).some((x) => call(f)(x) === true),
  all: (xs, f) => list(xs).every((x) => call(f)(x) === true),
  count: (xs, f) => list(xs).reduce<number>((n, x) => (call(f)(x) === true ? n + 1 : n), 0),
  map: (xs, f) => list(xs).map((x, i) => call(f)(x, i)),
  sort_by: (xs, f, descending) => sorted(list(xs), call(f), descending),
  max_by: (xs, f) => extreme(list(xs), call(f), 1),
  min_by: (xs, f) => extreme(list(xs), call(f), -1),
  group_by: (xs, f) => grouped(list(xs), call(f)),
  unique: (xs, by) => distinct(list(xs), by === undefined || by === null ? undefined : call(by)),
  index_by: (xs, f) => indexed(list(xs), call(f)),
  fold: (xs, start, f) => list(xs).reduce((acc, x) => call(f)(acc, x), start),
};

const recordBuiltins: Readonly<Record<string, Builtin>> = {
  keys: (r) => Object.keys(r as Fields),
  values: (r) => Object.values(r as Fields),
  entries: (m) => Object.entries(m as Fields).map(([key, value]) => ({ key, value })),
  has: (m, key) => isFields(m) && Object.hasOwn(m, String(key)),
  merge: merged,
  json: (x) => JSON.stringify(x ?? null),
  parse_json: fromJson,
  fail: raise,
  trust: (x) => x,
};

const logicBuiltins: Readonly<Record<string, Builtin>> = {
  eq: (a, b) => deepEqual(a, b),
  ne: (a, b) => !deepEqual(a, b),
  lt: (a, b) => compare(a, b) < 0,
  gt: (a, b) => compare(a, b) > 0,
  and: (...xs) => xs.every((x) => x === true),
  or: (...xs) => xs.some((x) => x === true),
  not: (x) => x !== true,
  lookup: (x, key) => (Array.isArray(x) ? (x[Number(key)] ?? null) : field(x, String(key))),
};

/** Every function of `reference.md` by its name. */
export const builtins: Readonly<Record<string, Builtin>> = { ...listBuiltins, ...recordBuiltins, ...logicBuiltins, ...textBuiltins };
