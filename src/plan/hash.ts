/**
 * A stable hash of plain data, for telling whether a definition has changed. Places in the source (`span`) are left out,
 * so moving code around changes nothing; the order of keys counts, and lowering always makes them in the same order.
 * Objects that stand in many places (types) are hashed once. Two lanes of the multiply-xor mixing of cyrb53 (public
 * domain, by bryc).
 */
export function hashOf(value: unknown): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  const text = (s: string): void => {
    for (let i = 0; i < s.length; i++) {
      const ch = s.charCodeAt(i);
      a = Math.imul(a ^ ch, 2654435761);
      b = Math.imul(b ^ ch, 1597334677);
    }
    a = Math.imul(a ^ 0x1f, 2654435761);
    b = Math.imul(b ^ 0x1f, 1597334677);
  };
  const walk = (v: unknown, top: boolean): void => {
    if (Array.isArray(v)) {
      text("[");
      for (const item of v) walk(item, false);
      text("]");
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
      text("{");
      for (const key in v) {
        const inner = (v as Readonly<Record<string, unknown>>)[key];
        if (key === "span" || inner === undefined) continue;
        text(key);
        walk(inner, false);
      }
      text("}");
    } else text(typeof v === "string" ? `"${v}` : String(v));
  };
  walk(value, true);
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b >>> 0).toString(16).padStart(8, "0") + (a >>> 0).toString(16).padStart(8, "0");
}

/** Types and expressions that were hashed before, by identity: graphs are never changed. */
const known = new WeakMap<object, string>();
