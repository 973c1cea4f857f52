/**
 * From checked types to the types of the graph: names are written out, except where a type refers to itself, which
 * becomes an entry of `Graph.types`. Type variables that nothing filled in are `json`.
 */
import { expand, isOptional, members, type NamedType, type Type, tagOf } from "../semantics/types.js";
import type { FieldIR, TextForm, TypeIR } from "./ir.js";

export interface TypeLowering {
  type(type: Type): TypeIR;
  /** The recursive types met so far, by name. */
  readonly named: Readonly<Record<string, TypeIR>>;
}

export function typeLowering(): TypeLowering {
  const named: Record<string, TypeIR> = {};
  const done = new Map<string, TypeIR>();
  const open = new Map<string, { recursive: boolean }>();
  const inPlace = new WeakMap<Type, TypeIR>();

  function lower(type: Type): TypeIR {
    switch (type.kind) {
      case "named":
        return lowerNamed(type);
      case "list":
      case "record":
      case "union": {
        // A value goes to many places, and its type with it.
        const known = inPlace.get(type);
        if (known !== undefined) return known;
        const made = lowerPlain(type);
        if (open.size === 0) inPlace.set(type, made);
        return made;
      }
      default:
        return lowerPlain(type);
    }
  }

  function lowerNamed(type: NamedType): TypeIR {
    const known = done.get(type.id);
    if (known !== undefined) return known;
    const inProgress = open.get(type.id);
    if (inProgress !== undefined) {
      inProgress.recursive = true;
      return { kind: "ref", name: type.id };
    }
    const state = { recursive: false };
    open.set(type.id, state);
    const made = lower(type.expand());
    open.delete(type.id);
    if (state.recursive) {
      named[type.id] = made;
      const ref: TypeIR = { kind: "ref", name: type.id };
      done.set(type.id, ref);
      return ref;
    }
    // What was made while an outer type was open may refer to it by name; it is complete all the same.
    if (open.size === 0) done.set(type.id, made);
    return made;
  }

  function lowerPlain(type: Exclude<Type, NamedType>): TypeIR {
    switch (type.kind) {
      case "untrusted":
        return lower(type.of);
      case "string":
      case "int":
      case "float":
      case "literal":
        return type;
      case "bool":
      case "null":
      case "json":
      case "duration":
      case "money":
      case "image":
      case "audio":
      case "document":
      case "never":
        return { kind: type.kind };
      case "list":
        return {
          kind: "list",
          of: lower(type.of),
          ...(type.min > 0 ? { min: type.min } : {}),
          ...(Number.isFinite(type.max) ? { max: type.max } : {}),
        };
      case "map":
        return { kind: "map", of: lower(type.of) };
      case "record":
        return {
          kind: "record",
          fields: type.fields.map(
            (f): FieldIR => ({
              name: f.name,
              type: lower(f.type),
              optional: isOptional(f.type),
              ...(f.redact === true ? { redact: true } : {}),
              ...(isUntrusted(f.type) ? { untrusted: true } : {}),
              ...(f.doc === undefined ? {} : { doc: f.doc }),
            }),
          ),
        };
      case "union": {
        const flat = members(type);
        const tag = tagOf(flat);
        const docs = type.docs;
        return {
          kind: "union",
          of: flat.map(lower),
          ...(docs !== undefined && docs.length === flat.length ? { docs: docs.map((doc) => doc ?? null) } : {}),
          ...(tag === undefined ? {} : { tag }),
        };
      }
      case "secret":
        return { kind: "secret", of: lower(type.of) };
      case "callable":
      case "var":
      case "error":
        return { kind: "json" };
    }
  }

  return { type: lower, named };
}

/** Whether a type is declared `untrusted`, itself or as the item of a list, a map or an optional. */
export function isUntrusted(type: Type): boolean {
  switch (type.kind) {
    case "untrusted":
      return true;
    case "list":
    case "map":
    case "secret":
      return isUntrusted(type.of);
    case "union":
      return type.of.some(isUntrusted);
    default:
      return false;
  }
}

/** How a value of the type becomes text in a template. */
export function textForm(type: Type): TextForm {
  for (const m of members(type)) {
    const t = expand(m);
    if (t.kind === "duration" || t.kind === "money" || t.kind === "image" || t.kind === "audio" || t.kind === "document") return t.kind;
    if (t.kind === "secret") return textForm(t.of);
  }
  return "plain";
}
