/**
 * Which type fits where. `assignable` answers yes or no and is what the checker calls all the time; `mismatch` is
 * called only to explain a no, and finds the innermost difference in the user's words.
 *
 * Values are cut to the declared type wherever they cross into it (`needsCut`), so a static record type lists exactly
 * the fields its values have, and a field that is missing fits an optional one.
 */
import {
  expand,
  type Field,
  fieldOf,
  isOptional,
  members,
  type NumberType,
  type RecordType,
  type StringType,
  type Type,
  typeText,
} from "./types.js";

/** Whether a value of `from` can stand where `to` is declared, without conversion. */
export function assignable(from: Type, to: Type): boolean {
  return fits(from, to, []);
}

type Pairs = readonly (readonly [string, string])[];

function fits(from: Type, to: Type, assumed: Pairs): boolean {
  if (from === to) return true;
  let pairs = assumed;
  if (from.kind === "named" && to.kind === "named") {
    if (from.id === to.id && from.args.length === to.args.length && from.args.every((a, i) => fits(a, to.args[i] ?? a, assumed)))
      return true;
    const key = [typeText(from) + from.id, typeText(to) + to.id] as const;
    if (assumed.some(([a, b]) => a === key[0] && b === key[1])) return true;
    pairs = [...assumed, key];
  }
  const f = expand(from);
  const t = expand(to);
  if (f.kind === "error" || t.kind === "error" || f.kind === "never") return true;
  if (t.kind === "secret") return fits(f.kind === "secret" ? f.of : f, t.of, pairs);
  if (f.kind === "secret") return false;
  if (f.kind === "union") return members(f).every((m) => fits(m, t, pairs));
  if (t.kind === "json") return f.kind !== "callable" && f.kind !== "var";
  if (t.kind === "union") return members(t).some((m) => fits(f, m, pairs)) || fitsByParts(f, t, pairs);
  switch (t.kind) {
    case "string":
      if (f.kind === "literal") return typeof f.value === "string" && textFits(f.value, t);
      return f.kind === "string" && inside(f, t) && (t.pattern === undefined || t.pattern === f.pattern);
    case "int":
    case "float":
      if (f.kind === "literal")
        return typeof f.value === "number" && (t.kind === "float" || Number.isInteger(f.value)) && inRange(f.value, t);
      return (f.kind === "int" || (f.kind === "float" && t.kind === "float")) && inside(f, t);
    case "bool":
      return f.kind === "bool" || (f.kind === "literal" && typeof f.value === "boolean");
    case "literal":
      return f.kind === "literal" && f.value === t.value;
    case "list":
      return f.kind === "list" && f.min >= t.min && f.max <= t.max && (f.max === 0 || fits(f.of, t.of, pairs));
    case "map":
      return f.kind === "map" && fits(f.of, t.of, pairs);
    case "record":
      return f.kind === "record" && t.fields.every((field) => fieldFits(f, field, pairs));
    case "callable":
      return (
        f.kind === "callable" &&
        f.params.every((p, i) => {
          const given = t.params[i];
          return given === undefined ? p.optional === true : fits(given.type, p.type, pairs);
        }) &&
        t.params.length <= f.params.length &&
        fits(f.result, t.result, pairs)
      );
    case "var":
      return f.kind === "var" && f.name === t.name;
    default:
      return f.kind === t.kind;
  }
}

/** `bool` fits `true | false`, and a record fits a union member for each literal of its tag taken alone. */
function fitsByParts(from: Type, to: Type, pairs: Pairs): boolean {
  if (from.kind === "bool") {
    return [true, false].every((value) => members(to).some((m) => fits({ kind: "literal", value }, m, pairs)));
  }
  if (from.kind !== "record") return false;
  const split = from.fields.find((f) => members(f.type).length > 1 && members(f.type).every((m) => expand(m).kind === "literal"));
  if (split === undefined) return false;
  return members(split.type).every((m) => {
    const one: RecordType = { kind: "record", fields: from.fields.map((f) => (f === split ? { ...f, type: m } : f)) };
    return members(to).some((target) => fits(one, target, pairs));
  });
}

function fieldFits(from: RecordType, to: Field, pairs: Pairs): boolean {
  const own = from.fields.find((f) => f.name === to.name);
  return own === undefined ? isOptional(to.type) || expand(to.type).kind === "error" : fits(own.type, to.type, pairs);
}

function inside(from: StringType | NumberType, to: StringType | NumberType): boolean {
  if (to.min !== undefined && (from.min === undefined || from.min < to.min)) return false;
  return to.max === undefined || (from.max !== undefined && from.max <= to.max);
}

function inRange(value: number, to: NumberType): boolean {
  return (to.min === undefined || value >= to.min) && (to.max === undefined || value <= to.max);
}

/** Whether a text fits a refined string; its length is counted in code points. */
export function textFits(text: string, to: StringType): boolean {
  if (to.pattern !== undefined) {
    try {
      if (!new RegExp(to.pattern, "u").test(text)) return false;
    } catch {
      return true; // a pattern that is no regular expression was reported at its declaration
    }
  }
  if (to.min === undefined && to.max === undefined) return true;
  return inRange([...text].length, {
    kind: "int",
    ...(to.min === undefined ? {} : { min: to.min }),
    ...(to.max === undefined ? {} : { max: to.max }),
  });
}

/** Whether a value of `from` has fields that `to` does not declare, so that it must be cut on the way. */
export function needsCut(from: Type, to: Type, depth = 0): boolean {
  if (from === to || depth > 8) return false;
  if (from.kind === "named" && to.kind === "named" && from.id === to.id && from.args.length === 0) return false;
  const f = expand(from);
  const t = expand(to);
  if (t.kind === "union" || f.kind === "union") {
    return members(f).some((m) => !members(t).some((target) => assignable(m, target) && !needsCut(m, target, depth + 1)) && hasRecord(m));
  }
  if (f.kind === "record" && t.kind === "record") {
    if (f.fields.some((own) => !t.fields.some((field) => field.name === own.name))) return true;
    return f.fields.some((own) => {
      const target = t.fields.find((field) => field.name === own.name);
      return target !== undefined && needsCut(own.type, target.type, depth + 1);
    });
  }
  if ((f.kind === "list" && t.kind === "list") || (f.kind === "map" && t.kind === "map")) return needsCut(f.of, t.of, depth + 1);
  return false;
}

function hasRecord(type: Type): boolean {
  const t = expand(type);
  if (t.kind === "list" || t.kind === "map") return hasRecord(t.of);
  return t.kind === "record";
}

/** Where the types that regions give hold the results themselves. */
const HELD: ReadonlyMap<string, string> = new Map(Object.entries({ Evidence: "value", Settled: "ok" }));

/** Why `from` does not fit `to`: the innermost difference, as a sentence without a full stop. */
export function mismatch(from: Type, to: Type, path = ""): string {
  const at = path === "" ? "" : /^(?:\[\])+$/.test(path) ? "each item " : `field \`${path}\` `;
  const f = expand(from);
  const t = expand(to);
  const holder = path === "" && from.kind === "named" ? HELD.get(from.name) : undefined;
  const held = holder === undefined || t.kind === "record" ? undefined : fieldOf(f, holder);
  if (held !== undefined && assignable(held, to)) return `its field \`.${holder}\` fits`;
  const plain = `${at === "" ? "" : `${at}is `}\`${typeText(from)}\` here, \`${typeText(to)}\` there`;
  if (f.kind === "record" && t.kind === "record") {
    for (const field of t.fields) {
      const own = f.fields.find((other) => other.name === field.name);
      const name = path === "" ? field.name : `${path}.${field.name}`;
      if (own === undefined) {
        if (!isOptional(field.type)) return `field \`${name}\` is missing; \`${typeText(field.type)}\` is expected`;
      } else if (!assignable(own.type, field.type)) return mismatch(own.type, field.type, name);
    }
  }
  if (f.kind === "list" && t.kind === "list") {
    if (!assignable(f.of, t.of)) return mismatch(f.of, t.of, path === "" ? "[]" : `${path}[]`);
    if (f.max > t.max) {
      return f.max === Number.POSITIVE_INFINITY
        ? `${at}the list has no upper bound here, at most ${t.max} items are allowed there`
        : `${at}the list may have ${f.max} items here, at most ${t.max} are allowed there`;
    }
    return `${at}the list may have ${f.min === 0 ? "no items" : `only ${f.min}`} here, at least ${t.min} are needed there`;
  }
  if (f.kind === "map" && t.kind === "map") return mismatch(f.of, t.of, path === "" ? "[]" : `${path}[]`);
  if (isOptional(f) && !isOptional(t) && f.kind === "union") {
    const mend = path === "" ? ": give a default with `??`, or test it before with `if`" : "";
    return `${at}it may be null (\`${typeText(from)}\`), \`${typeText(to)}\` may not${mend}`;
  }
  if (f.kind === "literal" && typeof f.value === "string" && t.kind === "union") {
    const options = members(t).map((m) => typeText(m));
    return `${at}${JSON.stringify(f.value)} is none of ${options.join(", ")}`;
  }
  if (
    f.kind === "literal" &&
    (t.kind === "int" || t.kind === "float" || t.kind === "string") &&
    t.kind === kindOfLiteral(f.value, t.kind)
  ) {
    return `${at}${JSON.stringify(f.value)} is outside \`${typeText(to)}\``;
  }
  if (f.kind === "secret" && t.kind !== "secret") return `${at}is secret and may only go where \`secret\` is declared`;
  if (f.kind === "json") return `${plain}; use \`as ${typeText(to)}\` to check it at run time`;
  return plain;
}

function kindOfLiteral(value: string | number | boolean, wanted: "int" | "float" | "string"): string {
  if (typeof value === "string") return "string";
  return typeof value === "number" ? wanted : "bool";
}

/**
 * The type of "one or the other": the wider of two when one fits the other, literals widened to their scalar, lists
 * and records joined part by part, otherwise their union.
 */
export function join(a: Type, b: Type): Type {
  if (assignable(a, b)) return b;
  if (assignable(b, a)) return a;
  const x = expand(a);
  const y = expand(b);
  if (x.kind === "null" || y.kind === "null") return { kind: "union", of: [...members(x.kind === "null" ? b : a), { kind: "null" }] };
  if (x.kind === "union" || y.kind === "union") {
    let out: readonly Type[] = members(a);
    for (const m of members(b)) {
      const i = out.findIndex((other) => expand(other).kind !== "null" && sameShape(other, m));
      const at = out[i];
      out = at === undefined ? (out.some((o) => assignable(m, o)) ? out : [...out, m]) : out.map((o, j) => (j === i ? join(at, m) : o));
    }
    return out.length === 1 && out[0] !== undefined ? out[0] : { kind: "union", of: out };
  }
  const scalarX = scalarOf(x);
  const scalarY = scalarOf(y);
  if (scalarX !== undefined && scalarX === scalarY) return joinScalars(x, y, scalarX);
  if ((scalarX === "int" && scalarY === "float") || (scalarX === "float" && scalarY === "int")) return joinScalars(x, y, "float");
  if (x.kind === "list" && y.kind === "list") {
    const of = x.max === 0 ? y.of : y.max === 0 ? x.of : join(x.of, y.of);
    return { kind: "list", of, min: Math.min(x.min, y.min), max: Math.max(x.max, y.max) };
  }
  if (x.kind === "map" && y.kind === "map") return { kind: "map", of: join(x.of, y.of) };
  if (x.kind === "record" && y.kind === "record" && sameShape(x, y)) {
    return {
      kind: "record",
      fields: x.fields.map((f) => ({ ...f, type: join(f.type, y.fields.find((g) => g.name === f.name)?.type ?? f.type) })),
    };
  }
  return { kind: "union", of: [a, b] };
}

/** Same JSON kind, and for records the same fields with no literal tag that differs. */
function sameShape(a: Type, b: Type): boolean {
  const x = expand(a);
  const y = expand(b);
  if (x.kind === "record" && y.kind === "record") {
    return (
      x.fields.length === y.fields.length &&
      x.fields.every((f) => {
        const other = y.fields.find((g) => g.name === f.name);
        if (other === undefined) return false;
        const l = expand(f.type);
        const r = expand(other.type);
        return !(l.kind === "literal" && r.kind === "literal" && typeof l.value === "string" && l.value !== r.value);
      })
    );
  }
  const s = scalarOf(x);
  const r = scalarOf(y);
  if (s !== undefined && r !== undefined) return s === r || (s !== "bool" && s !== "string" && r !== "bool" && r !== "string");
  return x.kind === y.kind && (x.kind === "list" || x.kind === "map");
}

function scalarOf(type: Type): "string" | "int" | "float" | "bool" | undefined {
  switch (type.kind) {
    case "string":
    case "int":
    case "float":
    case "bool":
      return type.kind;
    case "literal":
      return typeof type.value === "string"
        ? "string"
        : typeof type.value === "boolean"
          ? "bool"
          : Number.isInteger(type.value)
            ? "int"
            : "float";
    default:
      return undefined;
  }
}

function joinScalars(x: Type, y: Type, kind: "string" | "int" | "float" | "bool"): Type {
  if (x.kind === "literal" || y.kind === "literal" || kind === "bool") return { kind };
  if (kind === "string" && x.kind === "string" && y.kind === "string") {
    const max = x.max !== undefined && y.max !== undefined ? Math.max(x.max, y.max) : undefined;
    return max === undefined ? { kind } : { kind, max };
  }
  if ((x.kind === "int" || x.kind === "float") && (y.kind === "int" || y.kind === "float")) {
    const min = x.min !== undefined && y.min !== undefined ? Math.min(x.min, y.min) : undefined;
    const max = x.max !== undefined && y.max !== undefined ? Math.max(x.max, y.max) : undefined;
    return { kind: kind === "string" ? "float" : kind, ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  }
  return { kind };
}

/** Which kind of JSON a type's values are; `undefined` for unions and json. */
export function jsonKind(type: Type): "string" | "number" | "boolean" | "null" | "array" | "object" | undefined {
  const t = expand(type);
  switch (t.kind) {
    case "string":
    case "image":
    case "audio":
    case "document":
      return "string";
    case "int":
    case "float":
    case "duration":
    case "money":
      return "number";
    case "bool":
      return "boolean";
    case "null":
      return "null";
    case "list":
      return "array";
    case "map":
    case "record":
      return "object";
    case "literal":
      return typeof t.value === "string" ? "string" : typeof t.value === "number" ? "number" : "boolean";
    case "secret":
      return jsonKind(t.of);
    default:
      return undefined;
  }
}

/** Whether a checked conversion could ever succeed. */
export function castable(value: Type, type: Type): boolean {
  if (assignable(type, value)) return true;
  const v = expand(value);
  const t = expand(type);
  if (v.kind === "union") return v.of.some((m) => castable(m, type));
  if (t.kind === "union") return t.of.some((m) => castable(value, m));
  if (v.kind === "list" && t.kind === "list") return castable(v.of, t.of);
  if (v.kind === "map" && t.kind === "map") return castable(v.of, t.of);
  if (v.kind === "record" && t.kind === "record") {
    return t.fields.every((f) => {
      const own = v.fields.find((g) => g.name === f.name);
      return own === undefined ? isOptional(f.type) : assignable(own.type, f.type) || castable(own.type, f.type);
    });
  }
  // A medium is a path, an address, or a record with its bytes.
  if (t.kind === "image" || t.kind === "audio" || t.kind === "document")
    return v.kind === t.kind || v.kind === "record" || v.kind === "var" || assignable(v, { kind: "string" });
  const numbers = (k: string) => k === "int" || k === "float";
  if (v.kind === "literal" || t.kind === "literal") return assignable(v, widened(t)) || assignable(t, widened(v));
  return v.kind === t.kind || (numbers(v.kind) && numbers(t.kind)) || v.kind === "var" || t.kind === "var";
}

function widened(t: Type): Type {
  if (t.kind === "string" || t.kind === "int" || t.kind === "float") return { kind: t.kind };
  return t.kind === "literal" && typeof t.value === "boolean" ? { kind: "bool" } : t;
}
