/**
 * Fast questions about values and types, without explanations: does a value have exactly this type (nothing missing,
 * nothing to cut), and what is left of it when cut to a type. `schema.ts` explains what is wrong where this says no.
 */
import type { TypeIR } from "../plan/ir.js";
import { expression } from "./builtins-text.js";
import { assertNever, type Fields, isPlain, setField, textLength } from "./values.js";

export type Types = Readonly<Record<string, TypeIR>>;
export type Test = (value: unknown) => boolean;
export type Cut = (value: unknown) => unknown;

export interface Shapes {
  /** Whether a value has exactly a type. */
  readonly exactly: (type: TypeIR) => Test;
  /** Drops fields that a type does not have and makes absent ones null; the value is known to fit otherwise. */
  readonly cut: (type: TypeIR) => Cut;
}

/** Tests and cuts for the types of one graph, each made once. */
export function shapes(types: Types): Shapes {
  const tests = new Map<string, Test>();
  const cuts = new Map<string, Cut>();
  const exactly = (type: TypeIR): Test => (type.kind === "ref" ? refTest(type.name) : compileTest(type, exactly));
  const cut = (type: TypeIR): Cut => (type.kind === "ref" ? refCut(type.name) : compileCut(type, cut, exactly));

  function refTest(name: string): Test {
    // Recursive types refer to themselves before they are there.
    return (value) => {
      let test = tests.get(name);
      if (test === undefined) {
        test = exactly(named(types, name));
        tests.set(name, test);
      }
      return test(value);
    };
  }
  function refCut(name: string): Cut {
    return (value) => {
      let made = cuts.get(name);
      if (made === undefined) {
        made = cut(named(types, name));
        cuts.set(name, made);
      }
      return made(value);
    };
  }
  return { exactly, cut };
}

export function named(types: Types, name: string): TypeIR {
  const type = types[name];
  if (type === undefined) throw new Error(`the graph names the type ${name} but does not have it`);
  return type;
}

function compileTest(type: TypeIR, exactly: (type: TypeIR) => Test): Test {
  switch (type.kind) {
    case "string":
      return textTest(type);
    case "int":
    case "float":
      return numberTest(type);
    case "bool":
      return (value) => typeof value === "boolean";
    case "null":
      return (value) => value === null;
    case "json":
      return isJson;
    case "duration":
    case "money":
      return (value) => typeof value === "number" && Number.isFinite(value);
    case "image":
    case "audio":
    case "document":
      return isMedia;
    case "literal": {
      const expected = type.value;
      return (value) => value === expected;
    }
    case "list": {
      const of = exactly(type.of);
      const [min, max] = [type.min ?? 0, type.max ?? Number.POSITIVE_INFINITY];
      return (value) => Array.isArray(value) && value.length >= min && value.length <= max && value.every(of);
    }
    case "map": {
      const of = exactly(type.of);
      return (value) => isPlain(value) && Object.values(value).every(of);
    }
    case "record":
      return recordTest(type, exactly);
    case "union": {
      const members = type.of.map(exactly);
      return (value) => members.some((test) => test(value));
    }
    case "secret":
      return exactly(type.of);
    case "never":
      return () => false;
    case "ref":
      return exactly(type);
    default:
      return assertNever(type);
  }
}

function textTest(type: Extract<TypeIR, { kind: "string" }>): Test {
  const { min, max, pattern } = type;
  if (min === undefined && max === undefined && pattern === undefined) return (value) => typeof value === "string";
  return (value) => {
    if (typeof value !== "string") return false;
    if (pattern !== undefined && !expression(pattern).test(value)) return false;
    // Code points are at most as many as units, so most texts need no counting.
    if (max !== undefined && value.length > max && textLength(value) > max) return false;
    return min === undefined || (value.length >= min && textLength(value) >= min);
  };
}

function numberTest(type: { readonly kind: "int" | "float"; readonly min?: number; readonly max?: number }): Test {
  const [min, max] = [type.min ?? Number.NEGATIVE_INFINITY, type.max ?? Number.POSITIVE_INFINITY];
  if (type.kind === "int") return (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
  return (value) => typeof value === "number" && Number.isFinite(value) && value >= min && value <= max;
}

function recordTest(type: Extract<TypeIR, { kind: "record" }>, exactly: (type: TypeIR) => Test): Test {
  const fields = type.fields.map((field) => ({ name: field.name, test: exactly(field.type) }));
  return (value) => {
    if (!isPlain(value)) return false;
    for (const { name, test } of fields) if (!Object.hasOwn(value, name) || !test(value[name])) return false;
    return Object.keys(value).length === fields.length;
  };
}

export function isJson(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isJson);
      return isPlain(value) && Object.values(value).every(isJson);
    default:
      return false;
  }
}

/** Media is a text (a path or an address) or a record with its bytes. */
export function isMedia(value: unknown): boolean {
  return typeof value === "string" || (isPlain(value) && typeof value["data"] === "string" && typeof value["media_type"] === "string");
}

const same: Cut = (value) => value;

function compileCut(type: TypeIR, cut: (type: TypeIR) => Cut, exactly: (type: TypeIR) => Test): Cut {
  switch (type.kind) {
    case "list": {
      const of = cut(type.of);
      return of === same ? same : (value) => (Array.isArray(value) ? value.map(of) : value);
    }
    case "map": {
      const of = cut(type.of);
      return of === same ? same : (value) => (isPlain(value) ? mapValues(value, of) : value);
    }
    case "record": {
      const fields = type.fields.map((field) => ({ name: field.name, cut: cut(field.type) }));
      return (value) => {
        if (!isPlain(value)) return value;
        const out: Record<string, unknown> = {};
        for (const field of fields) setField(out, field.name, field.cut(Object.hasOwn(value, field.name) ? value[field.name] : null));
        return out;
      };
    }
    case "union": {
      const members = type.of.map((member) => ({ cut: cut(member), exactly: exactly(member) }));
      if (members.every((member) => member.cut === same)) return same;
      return (value) => {
        for (const member of members) if (member.exactly(value)) return value;
        for (const member of members) {
          const left = member.cut(value);
          if (member.exactly(left)) return left;
        }
        return value;
      };
    }
    case "secret":
    case "ref":
      return cut(type.kind === "ref" ? type : type.of);
    default:
      return same;
  }
}

function mapValues(value: Fields, of: Cut): Fields {
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(value)) setField(out, name, of(value[name]));
  return out;
}
