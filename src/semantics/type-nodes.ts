/**
 * From written types to types: names looked up, generics applied, refinements checked, unions whose members cannot be
 * told apart refused. A declared type is expanded lazily, so types may refer to themselves through a list, a map or an
 * optional.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Bounds, NamedType as NamedNode, TypeDecl, TypeNode } from "../syntax/ast.js";
import { join, jsonKind } from "./relate.js";
import { BUILTIN_TYPES, type Resolved } from "./resolve.js";
import type { DeclSymbol, ModuleScope } from "./symbols.js";
import {
  BOOL,
  DURATION,
  ERROR,
  expand,
  type Field,
  JSON_TYPE,
  list,
  MONEY,
  mapOf,
  members,
  NULL,
  record,
  substitute,
  type Type,
  tagOf,
  typeText,
} from "./types.js";

export interface TypeReader {
  read(node: TypeNode, scope: ModuleScope, vars?: ReadonlyMap<string, Type>): Type;
  /** The type a declaration stands for, with its parameters as variables. */
  declared(symbol: DeclSymbol, args: readonly Type[]): Type;
  /** Checks that had to wait until every declaration could be expanded. */
  finish(): void;
}

const PLAIN: ReadonlyMap<string, Type> = new Map<string, Type>(
  Object.entries({
    string: { kind: "string" },
    int: { kind: "int" },
    float: { kind: "float" },
    bool: BOOL,
    json: JSON_TYPE,
    null: NULL,
    duration: DURATION,
    money: MONEY,
    image: { kind: "image" },
    audio: { kind: "audio" },
    document: { kind: "document" },
  }),
);

/** Parts of a type when its names are written out, as in the schema a model is shown. */
const LARGEST = 20_000;

export function typeReader(resolved: Resolved, problems: Problems, memo: Map<TypeNode, Type>): TypeReader {
  const bodies = new Map<TypeDecl, Type>();
  const named = new Map<string, Type>();
  const reading = new Set<TypeDecl>();
  const finite = new Set<Type>();
  const unions: { readonly node: TypeNode & { readonly kind: "UnionType" }; readonly types: readonly Type[] }[] = [];
  const sizes = new Map<string, number>();
  let large = false;

  function read(node: TypeNode, scope: ModuleScope, vars?: ReadonlyMap<string, Type>): Type {
    const known = memo.get(node);
    if (known !== undefined) return known;
    const type = make(node, scope, vars);
    memo.set(node, type);
    return type;
  }

  function make(node: TypeNode, scope: ModuleScope, vars: ReadonlyMap<string, Type> | undefined): Type {
    switch (node.kind) {
      case "NamedType":
        return readNamed(node, scope, vars);
      case "MapType":
        return mapOf(read(node.value, scope, vars));
      case "LiteralType":
        return node.value === null ? NULL : { kind: "literal", value: node.value };
      case "RecordType": {
        const seen = new Set<string>();
        const fields: Field[] = [];
        for (const field of node.fields) {
          const name = field.name.text;
          if (name === "") continue;
          if (seen.has(name)) problems.report(d.duplicateField, field.name.span, { name });
          seen.add(name);
          const type = read(field.type, scope, vars);
          const made: Field = field.doc === undefined ? { name, type } : { name, type, doc: field.doc };
          fields.push(field.annotations.some((a) => a.name.text === "redact") ? { ...made, redact: true } : made);
        }
        return record(fields);
      }
      case "UnionType": {
        const types = node.members.map((m) => read(m.type, scope, vars));
        unions.push({ node, types });
        return {
          kind: "union",
          of: types,
          ...(node.members.some((m) => m.doc !== undefined) ? { docs: node.members.map((m) => m.doc) } : {}),
        };
      }
      case "ListType": {
        const of = read(node.element, scope, vars);
        if (node.bounds === undefined) return list(of);
        checkBounds(node.bounds, true);
        const { low, high } = node.bounds;
        return list(of, Math.max(0, low ?? 0), high ?? Number.POSITIVE_INFINITY);
      }
      case "OptionalType":
        // Not `optional()`: a type is not expanded while it may still be being read.
        return { kind: "union", of: [read(node.inner, scope, vars), NULL] };
      case "CallableType":
        return {
          kind: "callable",
          params: node.params.map((p) => ({ type: read(p, scope, vars) })),
          result: read(node.result, scope, vars),
        };
      case "QualifiedType":
        return { kind: node.qualifier, of: read(node.inner, scope, vars) };
      case "MissingType":
        return ERROR;
    }
  }

  function readNamed(node: NamedNode, scope: ModuleScope, vars: ReadonlyMap<string, Type> | undefined): Type {
    const name = node.name.text;
    const variable = vars?.get(name);
    if (variable !== undefined) return variable;
    if (scope.failed.has(name)) return ERROR;
    const plain = PLAIN.get(name);
    if (plain !== undefined) {
      if (node.args.length > 0) problems.report(d.typeArguments, node.span, { name, expected: 0, found: node.args.length });
      return refine(node, plain);
    }
    const symbol = scope.names.get(name) ?? resolved.prelude?.names.get(name);
    if (symbol === undefined) {
      const instead = insteadOf(node, scope);
      if (instead !== undefined) {
        // What its items are must be known to write it.
        const fixes = node.args.length === 0 ? [] : writing(node.span, instead);
        problems.report(d.unknownType, node.name.span, { name, near: undefined, instead }, { fixes });
        for (const arg of node.args) read(arg, scope, vars);
      } else if (name !== "") {
        const candidates = [
          ...BUILTIN_TYPES,
          ...typeNames(scope),
          ...(resolved.prelude === undefined ? [] : typeNames(resolved.prelude)),
          ...(vars?.keys() ?? []),
        ];
        const near = ALIASES.get(name) ?? nearest(name, candidates);
        const fixes = writing(node.name.span, near);
        problems.report(d.unknownType, node.name.span, { name, near }, { fixes });
      }
      scope.used.add(name);
      return ERROR;
    }
    scope.used.add(name);
    if (symbol.decl.kind !== "TypeDecl") {
      if (scope.twice.has(name)) return ERROR;
      problems.report(
        d.notAType,
        node.name.span,
        { name, kind: symbol.decl.kind },
        { related: [{ span: symbol.decl.name.span, message: "declared here" }] },
      );
      return ERROR;
    }
    const decl = symbol.decl;
    if (decl.typeParams.length !== node.args.length) {
      problems.report(d.typeArguments, node.span, { name, expected: decl.typeParams.length, found: node.args.length });
      return ERROR;
    }
    if (node.bounds !== undefined || node.pattern !== undefined) {
      problems.report(d.refinedNamed, node.span, { name });
    }
    return declared(
      symbol,
      node.args.map((a) => read(a, scope, vars)),
    );
  }

  /** What the language writes for a generic type of another language. */
  function insteadOf(node: NamedNode, scope: ModuleScope): string | undefined {
    const form = FOREIGN.get(node.name.text);
    const arg = node.args[node.args.length - 1];
    if (form === undefined || arg === undefined) return form?.("T");
    const text = resolved.files.get(scope.module.file)?.text.slice(arg.span.start, arg.span.end) ?? "T";
    return form(arg.kind === "UnionType" || arg.kind === "CallableType" ? `(${text})` : text);
  }

  function declared(symbol: DeclSymbol, args: readonly Type[]): Type {
    const decl = symbol.decl;
    if (decl.kind !== "TypeDecl") return ERROR;
    const key = args.length === 0 ? symbol.id : `${symbol.id}<${args.map((a) => typeText(a)).join(",")}>`;
    const known = named.get(key);
    if (known !== undefined) return known;
    let body: Type | undefined;
    const type: Type = {
      kind: "named",
      name: symbol.name,
      id: key,
      args,
      expand: () => {
        body ??= substitute(bodyOf(symbol, decl), new Map(decl.typeParams.map((p, i) => [p.text, args[i] ?? ERROR])));
        return body;
      },
    };
    named.set(key, type);
    return type;
  }

  /** The right side of a type declaration. A type that is itself all the way down has no values: reported once. */
  function bodyOf(symbol: DeclSymbol, decl: TypeDecl): Type {
    const known = bodies.get(decl);
    if (known !== undefined) return known;
    if (reading.has(decl)) {
      problems.report(d.endlessType, decl.name.span, { name: decl.name.text });
      return ERROR;
    }
    reading.add(decl);
    const vars = new Map<string, Type>(decl.typeParams.map((p) => [p.text, { kind: "var", name: p.text }]));
    const body = read(decl.type, symbol.scope, vars);
    reading.delete(decl);
    bodies.set(decl, body);
    if (isEndless(body, new Set([symbol.id]))) {
      problems.report(d.endlessType, decl.name.span, { name: decl.name.text });
      bodies.set(decl, ERROR);
      return ERROR;
    }
    return body;
  }

  /** Whether a value of the type would have to hold itself: recursion must pass a list, a map or an optional. */
  function isEndless(type: Type, seen: ReadonlySet<string>): boolean {
    switch (type.kind) {
      case "named": {
        const id = type.id.replace(/<.*$/s, "");
        if (seen.has(id)) return true;
        if (finite.has(type)) return false;
        const endless = isEndless(type.expand(), new Set([...seen, id]));
        // Finite in one place is finite everywhere; endless may be due to the place.
        if (!endless) finite.add(type);
        return endless;
      }
      case "record":
        return type.fields.some((f) => isEndless(f.type, seen));
      case "union":
        return type.of.every((m) => isEndless(m, seen));
      case "secret":
      case "untrusted":
        return isEndless(type.of, seen);
      case "list":
        return type.min > 0 && isEndless(type.of, seen);
      default:
        return false;
    }
  }

  /** How many parts a type has when it is written out; one that refers to itself counts once there. */
  function sizeOf(type: Type): number {
    switch (type.kind) {
      case "named": {
        const before = sizes.get(type.id);
        if (before !== undefined) return before;
        sizes.set(type.id, 1);
        const size = sizeOf(type.expand());
        sizes.set(type.id, size);
        return size;
      }
      case "record":
        return type.fields.reduce((sum, f) => sum + sizeOf(f.type), 1);
      case "union":
        return type.of.reduce((sum, m) => sum + sizeOf(m), 1);
      case "list":
      case "map":
      case "secret":
      case "untrusted":
        return 1 + sizeOf(type.of);
      default:
        return 1;
    }
  }

  function refine(node: NamedNode, plain: Type): Type {
    if (node.bounds !== undefined) {
      if (plain.kind !== "int" && plain.kind !== "float" && plain.kind !== "string") {
        problems.report(d.refinementNotAllowed, node.bounds.span, { name: node.name.text });
        return plain;
      }
      checkBounds(node.bounds, plain.kind === "string");
      const { low, high } = node.bounds;
      return { ...plain, ...(low === undefined ? {} : { min: low }), ...(high === undefined ? {} : { max: high }) };
    }
    if (node.pattern !== undefined) {
      if (plain.kind !== "string") {
        problems.report(d.refinementNotAllowed, node.pattern.span, { name: node.name.text });
        return plain;
      }
      return { ...plain, pattern: node.pattern.source };
    }
    return plain;
  }

  function checkBounds(bounds: Bounds, count: boolean): void {
    const { low, high } = bounds;
    if (low !== undefined && high !== undefined && low > high) problems.report(d.emptyRange, bounds.span, { low, high });
    else if (count && ((low ?? 0) < 0 || (high ?? 0) < 0 || !Number.isInteger(low ?? 0) || !Number.isInteger(high ?? 0))) {
      problems.report(d.countBounds, bounds.span, {});
    }
  }

  function checkUnion(nodes: readonly { readonly type: TypeNode }[], types: readonly Type[]): void {
    // Unions of literals are the most frequent.
    if (types.every((type) => type.kind === "literal") && new Set(types.map((type) => type.value)).size === types.length) return;
    const flat = types.flatMap((type, i) => members(type).map((type) => ({ type, i })));
    for (let i = 0; i < flat.length; i++) {
      for (let j = 0; j < i; j++) {
        const a = flat[j];
        const b = flat[i];
        const node = b === undefined ? undefined : nodes[b.i]?.type;
        if (a === undefined || b === undefined || node === undefined || a.i === b.i) continue;
        if (!toldApart(a.type, b.type)) {
          problems.report(d.ambiguousUnion, node.span, { first: typeText(a.type), second: typeText(b.type) });
          return;
        }
      }
    }
  }

  return {
    read,
    declared,
    finish() {
      for (const { node, types } of unions.splice(0)) checkUnion(node.members, types);
      for (const [decl, body] of bodies) {
        const size = sizeOf(body);
        if (size > LARGEST && !large) {
          problems.report(d.typeTooLarge, decl.name.span, { name: decl.name.text, most: LARGEST });
          large = true;
        }
      }
    },
  };
}

const ALIASES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    str: "string",
    String: "string",
    text: "string",
    number: "float",
    Number: "float",
    integer: "int",
    double: "float",
    boolean: "bool",
    Boolean: "bool",
    any: "json",
    unknown: "json",
    object: "json",
    void: "null",
    undefined: "null",
    None: "null",
  }),
);

const listOf = (of: string): string => `${of}[]`;
const mapOfText = (of: string): string => `map<${of.replace(/^\((.*)\)$/s, "$1")}>`;
const optionalOf = (of: string): string => `${of}?`;
const itself = (of: string): string => of;
/** Generic types of other languages, by what the language writes for the last of their arguments. */
const FOREIGN: ReadonlyMap<string, (of: string) => string> = new Map(
  Object.entries({
    Array: listOf,
    ReadonlyArray: listOf,
    List: listOf,
    list: listOf,
    Vec: listOf,
    Sequence: listOf,
    Iterable: listOf,
    Set: listOf,
    Record: mapOfText,
    Map: mapOfText,
    HashMap: mapOfText,
    Dict: mapOfText,
    dict: mapOfText,
    Optional: optionalOf,
    Option: optionalOf,
    Maybe: optionalOf,
    Promise: itself,
    Future: itself,
    Readonly: itself,
  }),
);

/** Whether a JSON value can only be one of the two. */
export function toldApart(first: Type, second: Type): boolean {
  const a = expand(first);
  const b = expand(second);
  if (a.kind === "error" || b.kind === "error" || a.kind === "var" || b.kind === "var") return true;
  if (a.kind === "json" || b.kind === "json") return a.kind === "null" || b.kind === "null";
  if (jsonKind(a) !== jsonKind(b)) return true;
  if (a.kind === "literal" && b.kind === "literal") return a.value !== b.value;
  if (a.kind === "record" && b.kind === "record") return tagOf([a, b]) !== undefined;
  return false;
}

/** Whether the types of two branches may stand side by side in a union, or must have been a mistake. */
export function canJoin(a: Type, b: Type): boolean {
  const both = members(join(a, b));
  return both.every((x, i) => both.every((y, j) => j >= i || toldApart(x, y)));
}

function typeNames(scope: ModuleScope): readonly string[] {
  return [...scope.names.values()].filter((s) => s.decl.kind === "TypeDecl").map((s) => s.name);
}
