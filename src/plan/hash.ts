/**
 * A stable hash of plain data, for telling whether a definition has changed. Places in the source (`span`) are left out,
 * so moving code around changes nothing; the order of keys counts, and lowering always makes them in the same order.
 * Objects that stand in many places (types) are hashed once. Two lanes of the multiply-xor mixing of cyrb53 (public
 * domain, by bryc).
 */
export function hashOf(value: unknown): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  const mix = (n: number): void => {
    a = Math.imul(a ^ n, 2654435761);
    b = Math.imul(b ^ n, 1597334677);
  };
  const text = (s: string): void => {
    for (let i = 0; i < s.length; i++) mix(s.charCodeAt(i));
    mix(END);
  };
  const walk = (v: unknown, top: boolean): void => {
    if (Array.isArray(v)) {
      mix(LIST);
      for (const item of v) walk(item, false);
      mix(END);
    } else if (typeof v === "object" && v !== null) {
      if (!top && ("fields" in v || "of" in v)) {
        let inner = known.get(v);
        if (inner === undefined) {
          inner = hashOf(v);
          known.set(v, inner);
        }
        text(inner);
        return;
      }
      mix(OBJECT);
      for (const key in v) {
        const inner = (v as Readonly<Record<string, unknown>>)[key];
        if (key === "span" || inner === undefined) continue;
        mix(numberOf(key));
        walk(inner, false);
      }
      mix(END);
    } else if (typeof v === "string") {
      mix(TEXT);
      text(v);
    } else text(String(v));
  };
  walk(value, true);
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b >>> 0).toString(16).padStart(8, "0") + (a >>> 0).toString(16).padStart(8, "0");
}

/** A definition with the hash of its parts, which is found when it is first read: only a run asks for it. */
export function hashed<T extends object>(definition: T, parts: () => readonly unknown[]): T & { readonly hash: string } {
  partsOf.set(definition, parts);
  return Object.defineProperty(definition, "hash", HASH) as T & { readonly hash: string };
}

const partsOf = new WeakMap<object, () => readonly unknown[]>();
const hashes = new WeakMap<object, string>();

/** One getter for all definitions: with one each, no two would have the same shape, and reading them would be slow. */
const HASH: PropertyDescriptor & ThisType<object> = {
  enumerable: true,
  get() {
    let found = hashes.get(this);
    if (found === undefined) {
      found = hashOf(partsOf.get(this)?.() ?? []);
      hashes.set(this, found);
    }
    return found;
  },
};

/** What sets the parts of a value apart: no characters. */
const [END, LIST, OBJECT, TEXT] = [0x10001, 0x10002, 0x10003, 0x10004] as const;

/** The names of fields come again and again: each is a number, found once. */
function numberOf(key: string): number {
  let known = numbers.get(key);
  if (known === undefined) {
    known = 0x811c9dc5;
    for (let i = 0; i < key.length; i++) known = Math.imul(known ^ key.charCodeAt(i), 16777619);
    numbers.set(key, known);
  }
  return known;
}
const numbers = new Map<string, number>();

/** Types and expressions that were hashed before, by identity: graphs are never changed. */
const known = new WeakMap<object, string>();
