/**
 * From JSON Schemas to types of Weave, as source text. Every schema has a type: what cannot be said in Weave (tuples,
 * `not`, objects that nothing tells apart) is said more loosely, in the end as `json`, so that no value that the schema
 * allows is refused. Definitions become named types, also when they are recursive.
 */

export type Schema = boolean | { readonly [key: string]: unknown };

/** What sorts of JSON a value can be. */
type Sort = "string" | "number" | "bool" | "null" | "list" | "object";

interface Shape {
  readonly text: string;
  /** Undefined is every sort. */
  readonly sorts: ReadonlySet<Sort> | undefined;
  /** Of a record: its fields that are one text, which may tell it apart from others. */
  readonly tags?: ReadonlyMap<string, string>;
  /** Every text that it can be, where they are listed. */
  readonly literals?: readonly string[];
  readonly whole?: boolean;
}

export interface TypeNames {
  /** A name for a type that nothing has yet. */
  readonly fresh: (wanted: string) => string;
  /** Takes the declaration of a named type. */
  readonly declare: (name: string, text: string, doc: string | undefined) => void;
}

interface Definition {
  readonly name: string;
  shape: Shape | undefined;
  /** Named types that a value of it always holds a value of. */
  readonly holds: Set<string>;
}

const JSON_SHAPE: Shape = { text: "json", sorts: undefined };
const of = (text: string, ...sorts: readonly Sort[]): Shape => ({ text, sorts: new Set(sorts) });

export function isSchemaObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The words that a schema says about a value. */
export function docOf(schema: unknown): string | undefined {
  const found = isSchemaObject(schema) ? (schema["description"] ?? schema["title"]) : undefined;
  return typeof found === "string" && found.trim() !== "" ? found : undefined;
}

/** A documentation comment, or nothing. */
export function docText(doc: string | undefined): string {
  if (doc === undefined || doc.trim() === "") return "";
  const lines = doc
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f\u2028\u2029]/g, (c) => (c === "\r" ? "" : " "))
    .trim()
    .split("\n");
  return lines.map((line) => `/// ${line.trim()}`.trimEnd()).join("\n");
}

/** `read-file` becomes `ReadFile`. */
export function pascal(name: string): string {
  const made = name
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
  return /^[A-Z]/.test(made) ? made : `T${made}`;
}

/** Types of the schemas below one root; `root` is where references start. */
export function schemaTypes(root: unknown, rootName: string, names: TypeNames) {
  const definitions = new Map<string, Definition>();
  /** References that are being put together with others. */
  const merging = new Set<string>();

  /** `at` names a record that has to be declared; `within` is the definition that holds the value for certain. */
  function shape(schema: unknown, at: string, within: Definition | undefined): Shape {
    if (!isSchemaObject(schema)) return JSON_SHAPE;
    if (typeof schema["$ref"] === "string") return reference(schema["$ref"], within);
    if (Array.isArray(schema["enum"])) return oneOf(schema["enum"]);
    if ("const" in schema) return oneOf([schema["const"]]);
    for (const key of ["anyOf", "oneOf"] as const) {
      const members = schema[key];
      if (Array.isArray(members) && members.length > 0)
        return joined(members.map((member, i) => shape(beside(schema, key, member), members.length === 1 ? at : `${at}${i + 1}`, within)));
    }
    if (Array.isArray(schema["allOf"]) && schema["allOf"].length > 0) return together(schema, schema["allOf"], at, within);
    const { type } = schema;
    if (Array.isArray(type)) return joined(type.map((each) => typed({ ...schema, type: each }, each, at, within)));
    return typed(schema, type ?? implied(schema), at, within);
  }

  function typed(schema: { readonly [key: string]: unknown }, type: unknown, at: string, within: Definition | undefined): Shape {
    switch (type) {
      case "string":
        return of(`string${bounds(schema["minLength"] === 0 ? undefined : schema["minLength"], schema["maxLength"], 0)}`, "string");
      case "integer":
        return { ...of(`int${bounds(least(schema), most(schema))}`, "number"), whole: true };
      case "number":
        return of(`float${bounds(schema["minimum"], schema["maximum"])}`, "number");
      case "boolean":
        return of("bool", "bool");
      case "null":
        return of("null", "null");
      case "array": {
        const { items } = schema;
        // A list that is never empty is no end of what holds itself.
        const filled = typeof schema["minItems"] === "number" && schema["minItems"] > 0;
        const element =
          Array.isArray(items) || "prefixItems" in schema ? JSON_SHAPE : shape(items, `${at}Item`, filled ? within : undefined);
        const size = bounds(schema["minItems"] === 0 ? undefined : schema["minItems"], schema["maxItems"], 0).slice(1, -1);
        return of(`${atom(element)}[${size}]`, "list");
      }
      case "object":
        return object(schema, at, within);
      default:
        return JSON_SHAPE;
    }
  }

  function object(schema: { readonly [key: string]: unknown }, at: string, within: Definition | undefined): Shape {
    const { properties, additionalProperties } = schema;
    const names = isSchemaObject(properties) ? Object.keys(properties) : [];
    if (names.length === 0 || !names.every(plainText)) {
      const value =
        names.length === 0 && isSchemaObject(additionalProperties) ? shape(additionalProperties, `${at}Value`, undefined) : JSON_SHAPE;
      return of(`map<${value.text}>`, "object");
    }
    // A type of its own is declared before its fields are looked at, so that types stand in order of use.
    const name = fresh(at);
    const { text, tags } = record(schema, name, within);
    declare(name, text, docOf(schema));
    return { ...of(name, "object"), tags };
  }

  function record(
    schema: { readonly [key: string]: unknown },
    at: string,
    within: Definition | undefined,
  ): { readonly text: string; readonly tags: ReadonlyMap<string, string> } {
    const properties = isSchemaObject(schema["properties"]) ? schema["properties"] : {};
    const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
    const tags = new Map<string, string>();
    const fields = Object.entries(properties).map(([name, property]) => {
      const always = required.has(name);
      const found = shape(property, `${at}${pascal(name)}`, always ? within : undefined);
      if (always && found.literals?.length === 1 && found.literals[0] !== undefined) tags.set(name, found.literals[0]);
      const doc = docText(docOf(property));
      const key = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quoted(name);
      return `${doc === "" ? "" : `${doc}\n`}${key}: ${always ? found.text : optional(found)}`;
    });
    const line = `{ ${fields.join(", ")} }`;
    return { text: line.includes("\n") || line.length > 80 ? `{\n${fields.join("\n")}\n}` : line, tags };
  }

  function reference(target: string, within: Definition | undefined): Shape {
    let found = definitions.get(target);
    if (found === undefined) {
      const schema = pointed(root, target);
      if (schema === undefined) return JSON_SHAPE;
      const made: Definition = {
        name: fresh(pascal(target === "#" ? rootName : (target.split("/").at(-1) ?? rootName))),
        shape: undefined,
        holds: new Set(),
      };
      found = made;
      definitions.set(target, made);
      const plain = isSchemaObject(schema) && !("$ref" in schema) && (schema["type"] ?? implied(schema)) === "object";
      const hasFields =
        plain &&
        isSchemaObject(schema["properties"]) &&
        Object.keys(schema["properties"]).length > 0 &&
        Object.keys(schema["properties"]).every(plainText);
      if (hasFields && !["anyOf", "oneOf", "allOf", "enum", "const"].some((key) => key in schema)) {
        const { text, tags } = record(schema, made.name, made);
        made.shape = { ...of(made.name, "object"), tags };
        declare(made.name, text, docOf(schema));
      } else {
        const inner = shape(schema, `${made.name}Value`, made);
        made.shape = { ...inner, text: made.name };
        declare(made.name, inner.text, docOf(schema));
      }
    }
    if (within !== undefined) {
      // A value that always holds one of its own kind would have no end.
      if (reaches(found, within, new Set())) return JSON_SHAPE;
      within.holds.add(target);
    }
    return found.shape ?? { text: found.name, sorts: undefined };
  }

  function reaches(from: Definition, to: Definition, seen: Set<Definition>): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...from.holds].some((each) => {
      const next = definitions.get(each);
      return next !== undefined && reaches(next, to, seen);
    });
  }

  /** All of several schemas at once: objects are put together, of others the first that says something counts. */
  function together(
    schema: { readonly [key: string]: unknown },
    members: readonly unknown[],
    at: string,
    within: Definition | undefined,
  ): Shape {
    const { allOf: _, ...rest } = schema;
    const targets = members.flatMap((part) => (isSchemaObject(part) && typeof part["$ref"] === "string" ? [part["$ref"]] : []));
    // What is put together of itself has its own name.
    const again = targets.find((target) => merging.has(target));
    if (again !== undefined) return reference(again, within);
    for (const target of targets) merging.add(target);
    const made = merged(rest, members, at, within);
    for (const target of targets) merging.delete(target);
    return made;
  }

  function merged(
    rest: { readonly [key: string]: unknown },
    members: readonly unknown[],
    at: string,
    within: Definition | undefined,
  ): Shape {
    const parts = [...members, rest].map((part) =>
      isSchemaObject(part) && typeof part["$ref"] === "string" ? pointed(root, part["$ref"]) : part,
    );
    if (members.length === 1 && Object.keys(rest).every((key) => key === "description" || key === "title" || key === "default"))
      return shape(members[0], at, within);
    const objects = parts.filter((part) => isSchemaObject(part) && isSchemaObject(part["properties"])) as {
      readonly [key: string]: unknown;
    }[];
    if (objects.length === 0) {
      const said = parts.find((part) => isSchemaObject(part) && ["type", "enum", "const", "anyOf", "oneOf"].some((key) => key in part));
      return said === undefined ? JSON_SHAPE : shape(said, at, within);
    }
    const whole = {
      type: "object",
      ...(docOf(rest) === undefined ? {} : { description: docOf(rest) }),
      properties: Object.fromEntries(objects.flatMap((part) => Object.entries(part["properties"] as object))),
      required: objects.flatMap((part): readonly unknown[] => (Array.isArray(part["required"]) ? part["required"] : [])),
    };
    return object(whole, at, within);
  }

  const { fresh, declare } = names;
  return {
    /** A type for a value, as it is written; `at` is the name of a record that has to be declared for it. */
    type: (schema: unknown, at: string): string => shape(schema, at, undefined).text,
    optionalType: (schema: unknown, at: string): string => optional(shape(schema, at, undefined)),
  };
}

function implied(schema: { readonly [key: string]: unknown }): string | undefined {
  if ("properties" in schema || "additionalProperties" in schema) return "object";
  return "items" in schema ? "array" : undefined;
}

/** A member of a union with what stands beside the union. */
function beside(schema: { readonly [key: string]: unknown }, key: string, member: unknown): unknown {
  if (!isSchemaObject(member) || "$ref" in member) return member;
  const { [key]: _, description: _d, title: _t, default: _f, ...rest } = schema;
  return Object.keys(rest).length === 0 || "type" in member ? member : { ...rest, ...member };
}

/** What a reference within a schema points to. */
export function pointed(root: unknown, target: string): unknown {
  if (target !== "#" && !target.startsWith("#/")) return undefined;
  let at = root;
  for (const part of target.split("/").slice(1)) {
    const name = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(at)) at = (at as readonly unknown[])[Number(name)];
    else if (isSchemaObject(at) && Object.hasOwn(at, name)) at = at[name];
    else return undefined;
  }
  return at;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A text as a literal that is no template. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("{{", "\\u007b{");
}

/** A text that can stand as a literal: not one that would be a template. */
const plainText = (text: string): boolean => !text.includes("{{") && !/[\u0000-\u001f\u2028\u2029]/.test(text);

function oneOf(values: readonly unknown[]): Shape {
  const shapes = values.map((value): Shape => {
    if (typeof value === "string") return plainText(value) ? { ...of(quoted(value), "string"), literals: [value] } : of("string", "string");
    if (typeof value === "number") {
      const written = numberText(value);
      return written === undefined
        ? of("float", "number")
        : { ...of(written, "number"), literals: [written], whole: Number.isInteger(value) };
    }
    if (typeof value === "boolean") return { ...of(String(value), "bool"), literals: [String(value)] };
    if (value === null) return of("null", "null");
    return JSON_SHAPE;
  });
  return shapes.length === 0 ? JSON_SHAPE : joined(shapes);
}

/** One type for several: those of one sort become one, where a value could not be told apart. */
function joined(shapes: readonly Shape[]): Shape {
  if (shapes.some((each) => each.sorts === undefined)) return JSON_SHAPE;
  const parts: Shape[] = [];
  const take = (sort: Sort, merge: (some: readonly Shape[]) => Shape): void => {
    const some = shapes.filter((each) => each.sorts?.has(sort) === true);
    const distinct = some.filter((each, i) => some.findIndex((other) => other.text === each.text) === i);
    const [only] = distinct;
    if (only === undefined) return;
    parts.push(distinct.length === 1 && only.sorts?.size === 1 ? only : merge(distinct));
  };
  const listed = (some: readonly Shape[], sort: Sort): Shape | undefined => {
    if (some.some((each) => each.literals === undefined || each.sorts?.size !== 1)) return undefined;
    const texts = [...new Set(some.flatMap((each) => each.text.split(" | ")))];
    return { ...of(texts.join(" | "), sort), literals: some.flatMap((each) => each.literals ?? []) };
  };
  take("string", (some) => listed(some, "string") ?? of("string", "string"));
  take("number", (some) => listed(some, "number") ?? of(some.every((each) => each.whole === true) ? "int" : "float", "number"));
  take("bool", () => of("bool", "bool"));
  take("list", () => of("json[]", "list"));
  take("object", (some) => (toldApart(some) ? of(some.map((each) => each.text).join(" | "), "object") : of("map<json>", "object")));
  const sorts = new Set(parts.flatMap((each) => [...(each.sorts ?? [])]));
  const [single] = parts;
  const made: Shape =
    parts.length === 1 && single !== undefined
      ? single
      : parts.length === 0
        ? of("null", "null")
        : { text: parts.map((each) => each.text).join(" | "), sorts };
  if (parts.length === 0 || !shapes.some((each) => each.sorts?.has("null") === true)) return made;
  return { text: optional(made), sorts: new Set([...sorts, "null"]) };
}

/** Whether records share a field whose text is another in each. */
function toldApart(records: readonly Shape[]): boolean {
  const [first] = records;
  if (first?.tags === undefined) return false;
  return [...first.tags.keys()].some(
    (tag) =>
      new Set(records.map((each) => each.tags?.get(tag) ?? "")).size === records.length &&
      records.every((each) => each.tags?.has(tag) === true),
  );
}

const atom = (shape: Shape): string => (shape.text.includes(" | ") ? `(${shape.text})` : shape.text);

function optional(shape: Shape): string {
  if (shape.text === "json" || shape.text === "null" || shape.text.endsWith("?")) return shape.text;
  return `${atom(shape)}?`;
}

const least = (schema: { readonly [key: string]: unknown }): unknown =>
  typeof schema["exclusiveMinimum"] === "number" ? Math.floor(schema["exclusiveMinimum"]) + 1 : schema["minimum"];
const most = (schema: { readonly [key: string]: unknown }): unknown =>
  typeof schema["exclusiveMaximum"] === "number" ? Math.ceil(schema["exclusiveMaximum"]) - 1 : schema["maximum"];

function numberText(value: unknown): string | undefined {
  if (typeof value !== "number" || !Number.isFinite(value) || Math.abs(value) >= Number.MAX_SAFE_INTEGER) return undefined;
  const text = String(value);
  return text.includes("e") ? undefined : text;
}

/** `(1..5)`, where there is a bound that can be written. */
function bounds(min: unknown, max: unknown, smallest = Number.NEGATIVE_INFINITY): string {
  const written = (value: unknown): string | undefined => (typeof value === "number" && value >= smallest ? numberText(value) : undefined);
  const [low, high] = [written(min), written(max)];
  if (low === undefined && high === undefined) return "";
  if (low !== undefined && high !== undefined && Number(low) > Number(high)) return "";
  return `(${low ?? ""}..${high ?? ""})`;
}
