/**
 * Types of the graph as JSON Schema, for models and tools: documentation becomes `description`, recursive types `$defs`.
 * A field that may be absent is not required.
 */
import type { Json, ParamIR, TypeIR } from "./ir.js";

type Types = Readonly<Record<string, TypeIR>>;
type JsonObject = { readonly [key: string]: Json };

/** The schema of a type, complete with the definitions it refers to. */
export function jsonSchema(type: TypeIR, types: Types): JsonObject {
  const used = new Set<string>();
  const schema = schemaOf(type, used);
  const definitions: Record<string, Json> = {};
  for (const name of used) {
    // Definitions found on the way are visited by the same loop.
    setField(definitions, name, schemaOf(named(types, name), used));
  }
  return used.size === 0 ? schema : { ...schema, $defs: definitions };
}

/** The schema that a model is asked to answer by; undefined where plain text is wanted. */
export function answerSchema(type: TypeIR, types: Types): JsonObject | undefined {
  return type.kind === "string" ? undefined : jsonSchema(type, types);
}

/** The schema of the arguments of a callable. */
export function parametersSchema(params: readonly ParamIR[], types: Types): JsonObject {
  return jsonSchema(
    {
      kind: "record",
      fields: params.map((param) => ({
        name: param.name,
        type: param.type,
        optional: param.default !== undefined,
        ...(param.doc === undefined ? {} : { doc: param.doc }),
      })),
    },
    types,
  );
}

function schemaOf(type: TypeIR, used: Set<string>): JsonObject {
  switch (type.kind) {
    case "string":
      return {
        type: "string",
        ...given("minLength", type.min),
        ...given("maxLength", type.max),
        ...(type.pattern === undefined ? {} : { pattern: type.pattern }),
      };
    case "int":
    case "float":
      return { type: type.kind === "int" ? "integer" : "number", ...given("minimum", type.min), ...given("maximum", type.max) };
    case "bool":
      return { type: "boolean" };
    case "null":
      return { type: "null" };
    case "json":
      return {};
    case "duration":
      return { type: "number", description: "a duration in milliseconds" };
    case "money":
      return { type: "number", description: "an amount in US dollars" };
    case "image":
    case "audio":
    case "document":
      return {
        type: "string",
        description: `the path or address of a file with ${type.kind === "document" ? "a document" : type.kind === "image" ? "an image" : "audio"}`,
      };
    case "literal":
      return { const: type.value };
    case "list":
      return { type: "array", items: schemaOf(type.of, used), ...given("minItems", type.min), ...given("maxItems", type.max) };
    case "map":
      return { type: "object", additionalProperties: schemaOf(type.of, used) };
    case "record":
      return recordSchema(type, used);
    case "union":
      return unionSchema(type, used);
    case "ref":
      used.add(type.name);
      return { $ref: `#/$defs/${type.name}` };
    case "secret":
      return schemaOf(type.of, used);
    case "never":
      return { not: {} };
    default:
      return assertNever(type);
  }
}

function given(name: string, value: number | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}

function recordSchema(type: Extract<TypeIR, { kind: "record" }>, used: Set<string>): JsonObject {
  const properties: Record<string, Json> = {};
  for (const field of type.fields) {
    const schema = schemaOf(field.type, used);
    setField(properties, field.name, field.doc === undefined ? schema : { ...schema, description: field.doc });
  }
  return {
    type: "object",
    properties,
    required: type.fields.filter((field) => !field.optional).map((field) => field.name),
    additionalProperties: false,
  };
}

function unionSchema(type: Extract<TypeIR, { kind: "union" }>, used: Set<string>): JsonObject {
  const texts = type.of.flatMap((member) => (member.kind === "literal" && typeof member.value === "string" ? [member.value] : []));
  if (texts.length === type.of.length) {
    const docs = type.of.flatMap((_, i) => {
      const doc = type.docs?.[i];
      return doc === undefined || doc === null ? [] : [`${texts[i]}: ${doc}`];
    });
    return { type: "string", enum: texts, ...(docs.length === 0 ? {} : { description: docs.join("\n") }) };
  }
  return {
    anyOf: type.of.map((member, i) => {
      const doc = type.docs?.[i];
      const schema = schemaOf(member, used);
      return doc === undefined || doc === null ? schema : { ...schema, description: doc };
    }),
  };
}

function named(types: Types, name: string): TypeIR {
  const type = types[name];
  if (type === undefined) throw new Error(`the graph names the type ${name} but does not have it`);
  return type;
}

/** Sets a field even where its name has a meaning to JavaScript. */
function setField(target: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function assertNever(value: never): never {
  throw new Error(`a type that JSON Schema does not have: ${JSON.stringify(value)}`);
}
