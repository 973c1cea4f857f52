/**
 * Counts that may depend on sizes: a number, a polynomial in symbols such as `|paths|` with coefficients that are not
 * negative, or `Infinity` where nothing is known. Every operation gives an upper bound of what it says, for all sizes.
 */

/** A product of symbols, sorted; a symbol may stand in it more than once. */
interface Term {
  readonly symbols: readonly string[];
  readonly times: number;
}

export interface Polynomial {
  readonly constant: number;
  /** By the symbols, joined. */
  readonly terms: ReadonlyMap<string, Term>;
}

export type Count = number | Polynomial;

const JOIN = "\u0001";

export function symbol(name: string): Count {
  return { constant: 0, terms: new Map([[name, { symbols: [name], times: 1 }]]) };
}

/** Whether nothing is known of the count. */
export const isOpen = (a: Count): boolean => a === Number.POSITIVE_INFINITY;

export const isNumber = (a: Count): a is number => typeof a === "number";

export function plus(a: Count, b: Count): Count {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (isOpen(a) || isOpen(b)) return Number.POSITIVE_INFINITY;
  if (typeof a === "number") return typeof b === "number" ? a + b : a === 0 ? b : { constant: b.constant + a, terms: b.terms };
  if (typeof b === "number") return b === 0 ? a : { constant: a.constant + b, terms: a.terms };
  return { constant: a.constant + b.constant, terms: merged(a, b, (x, y) => x + y) };
}

export function sum(all: readonly Count[]): Count {
  let out: Count = 0;
  for (const each of all) out = plus(out, each);
  return out;
}

/** Nothing times anything is nothing. */
export function times(a: Count, b: Count): Count {
  if (a === 0 || b === 0) return 0;
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (isOpen(a) || isOpen(b)) return Number.POSITIVE_INFINITY;
  if (typeof a === "number") return scaled(b, a);
  if (typeof b === "number") return scaled(a, b);
  const terms = new Map<string, Term>();
  let out: Count = { constant: a.constant * b.constant, terms };
  for (const term of a.terms.values()) {
    if (b.constant > 0) out = plus(out, single(term.symbols, term.times * b.constant));
    for (const other of b.terms.values()) out = plus(out, single([...term.symbols, ...other.symbols].sort(), term.times * other.times));
  }
  if (a.constant > 0) for (const term of b.terms.values()) out = plus(out, single(term.symbols, term.times * a.constant));
  return out;
}

function single(symbols: readonly string[], by: number): Polynomial {
  return { constant: 0, terms: new Map([[symbols.join(JOIN), { symbols, times: by }]]) };
}

function scaled(a: Count, by: number): Count {
  if (typeof a === "number") return a * by;
  if (by === 1) return a;
  return { constant: a.constant * by, terms: new Map([...a.terms].map(([key, term]) => [key, { ...term, times: term.times * by }])) };
}

function merged(a: Polynomial, b: Polynomial, of: (x: number, y: number) => number): ReadonlyMap<string, Term> {
  const terms = new Map(a.terms);
  for (const [key, term] of b.terms) {
    const own = a.terms.get(key);
    terms.set(key, own === undefined ? term : { symbols: term.symbols, times: of(own.times, term.times) });
  }
  return terms;
}

/** At least as large as both, for every size. */
export function larger(a: Count, b: Count): Count {
  if (a === b) return a;
  if (typeof a === "number" && typeof b === "number") return Math.max(a, b);
  if (isOpen(a) || isOpen(b)) return Number.POSITIVE_INFINITY;
  if (typeof a === "number") return typeof b === "number" ? Math.max(a, b) : { constant: Math.max(a, b.constant), terms: b.terms };
  if (typeof b === "number") return { constant: Math.max(a.constant, b), terms: a.terms };
  return { constant: Math.max(a.constant, b.constant), terms: merged(a, b, Math.max) };
}

/** One of both, where either is an upper bound: a plain number rather than a formula. */
export function tighter(a: Count, b: Count): Count {
  if (typeof a === "number" && typeof b === "number") return Math.min(a, b);
  if (typeof a === "number") return isOpen(a) ? b : a;
  if (typeof b === "number") return isOpen(b) ? a : b;
  return a.terms.size <= b.terms.size ? a : b;
}

/** Every coefficient rounded up to a whole number. */
export function roundedUp(a: Count): Count {
  if (typeof a === "number") return Math.ceil(a);
  return {
    constant: Math.ceil(a.constant),
    terms: new Map([...a.terms].map(([key, term]) => [key, { ...term, times: Math.ceil(term.times) }])),
  };
}

/** The symbols of a count, in the order of their names. */
export function symbolsOf(a: Count): readonly string[] {
  if (typeof a === "number") return [];
  return [...new Set([...a.terms.values()].flatMap((term) => term.symbols))].sort();
}

/** The count for given sizes; what is not given is unlimited. */
export function valueAt(a: Count, sizes: (symbol: string) => number | undefined): number {
  if (typeof a === "number") return a;
  let out = a.constant;
  for (const { symbols, times: by } of a.terms.values()) {
    let product = by;
    for (const name of symbols) {
      const size = sizes(name) ?? Number.POSITIVE_INFINITY;
      product = size === 0 || product === 0 ? 0 : product * size;
    }
    out += product;
  }
  return out;
}

/** The terms of a polynomial, those with more symbols and larger coefficients first; then the constant. */
export function termsOf(a: Polynomial): readonly Term[] {
  return [...a.terms.values()].sort((x, y) => y.symbols.length - x.symbols.length || y.times - x.times);
}

export function sameCount(a: Count, b: Count): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  if (a.constant !== b.constant || a.terms.size !== b.terms.size) return false;
  for (const [key, term] of a.terms) if (b.terms.get(key)?.times !== term.times) return false;
  return true;
}

/**
 * The largest size of the only symbol for which the count stays within a limit: undefined where it has no symbol or
 * several, -1 where not even nothing fits.
 */
export function largestWithin(a: Count, limit: number): { readonly symbol: string; readonly size: number } | undefined {
  const [only, ...others] = symbolsOf(a);
  if (only === undefined || others.length > 0) return undefined;
  const fits = (size: number): boolean => valueAt(a, () => size) <= limit;
  if (!fits(0)) return { symbol: only, size: -1 };
  let high = 1;
  while (fits(high) && high < 1e15) high *= 2;
  let low = Math.floor(high / 2);
  if (high === 1) low = 0;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return { symbol: only, size: low };
}
