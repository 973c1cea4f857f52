/**
 * How a model is asked for JSON of a type. Where the interface of the provider holds the model to a schema, it is sent
 * there in the strict form that all of them take (closed objects, every field required, an object at the root); where
 * it does not, or the type is open or recursive, the schema stands in the system prompt. Either way the answer is read
 * leniently and validated afterwards, so this decides how often it fits, never what is accepted.
 */
import type { JSONSchema7 } from "@ai-sdk/provider";
import type { Json } from "../../plan/ir.js";
import { readJson } from "../../runtime/lenient.js";

export interface AnswerForm {
  /** For the interface of the provider. */
  readonly schema: JSONSchema7 | undefined;
  /** For the system prompt. */
  readonly instruction: string | undefined;
  /** The answer stands in a field, because the root of a strict schema is an object. */
  readonly wrapped: boolean;
}

/** Whether a provider enforces a schema, only may (so it is told as well), or cannot. */
export type Enforcement = "enforced" | "uncertain" | "none";

type Schema = { readonly [key: string]: Json };

const field = "answer";

/** How to ask for an answer; `schema` is undefined where text is wanted. */
export function answerForm(schema: Json | undefined, enforcement: Enforcement, recursive = false): AnswerForm {
  if (!isSchema(schema)) return { schema: undefined, instruction: undefined, wrapped: false };
  const { $defs: definitions, ...own } = recursive ? withPlainNames(schema) : schema;
  const strict = enforcement === "none" ? undefined : strictSchema(own, recursive);
  const defined = isSchema(definitions) ? strictEach(definitions, recursive) : undefined;
  if (strict === undefined || (definitions !== undefined && defined === undefined))
    return { schema: undefined, instruction: instruction(schema), wrapped: false };
  const wrapped = strict["type"] !== "object";
  const closed = wrapped ? { type: "object", properties: { [field]: strict }, required: [field], additionalProperties: false } : strict;
  const root = defined === undefined ? closed : { ...closed, $defs: defined };
  return { schema: root as JSONSchema7, instruction: enforcement === "uncertain" ? instruction(root) : undefined, wrapped };
}

/** The answer without the field around it; anything else as it is. */
export function unwrapped(text: string): string {
  const read = readJson(text);
  const value = read.ok ? read.value : undefined;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, field) || Object.keys(value).length !== 1) return text;
  return JSON.stringify((value as { readonly [field]: unknown })[field]);
}

function instruction(schema: Schema): string {
  return `Give your answer as JSON that fits this JSON Schema, with nothing before or after it:\n${JSON.stringify(schema)}`;
}

function isSchema(schema: Json | undefined): schema is Schema {
  return typeof schema === "object" && schema !== null && !Array.isArray(schema);
}

/** The same type in the form that strict interfaces take; undefined for maps, free JSON and, mostly, recursive types. */
function strictSchema(schema: Schema, recursive: boolean): Schema | undefined {
  // A reference stands alone: what is said about its field would make it another schema.
  if (schema["$ref"] !== undefined) return recursive ? { $ref: schema["$ref"] } : undefined;
  if (schema["not"] !== undefined) return undefined;
  if (Array.isArray(schema["anyOf"])) {
    const members = (schema["anyOf"] as readonly Json[]).map((member) => (isSchema(member) ? strictSchema(member, recursive) : undefined));
    return members.includes(undefined) ? undefined : ({ ...schema, anyOf: members } as Schema);
  }
  if (schema["const"] !== undefined) {
    const { const: value, ...rest } = schema;
    const type = typeof value === "number" ? (Number.isInteger(value) ? "integer" : "number") : typeof value;
    return { ...rest, type, enum: [value ?? null] };
  }
  switch (schema["type"]) {
    case "object":
      return strictObject(schema, recursive);
    case "array": {
      const { items } = schema;
      const strict = isSchema(items) ? strictSchema(items, recursive) : undefined;
      return strict === undefined ? undefined : { ...schema, items: strict };
    }
    case "string":
      return withoutLengths(schema);
    case undefined:
      return undefined;
    default:
      return schema;
  }
}

function strictObject(schema: Schema, recursive: boolean): Schema | undefined {
  const { properties } = schema;
  if (!isSchema(properties) || schema["additionalProperties"] !== false) return undefined;
  const strict = strictEach(properties, recursive);
  // What may be absent may be null, so it can be required.
  return strict === undefined ? undefined : { ...schema, properties: strict, required: Object.keys(strict) };
}

/** The names of recursive types without characters that have a meaning in references. */
function withPlainNames(schema: Schema): Schema {
  const { $defs: definitions } = schema;
  if (!isSchema(definitions)) return schema;
  const names = new Map(Object.keys(definitions).map((name, i) => [`#/$defs/${name}`, `${name.replace(/[^A-Za-z0-9]+/g, "_")}_${i + 1}`]));
  const renamed = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(renamed);
    if (!isSchema(value)) return value;
    const { $ref: to } = value;
    const name = typeof to === "string" ? names.get(to) : undefined;
    return name === undefined
      ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, renamed(each)]))
      : { ...value, $ref: `#/$defs/${name}` };
  };
  const { $defs: _, ...own } = schema;
  const defined = Object.entries(definitions).map(([name, each]) => [names.get(`#/$defs/${name}`) ?? name, renamed(each)]);
  return { ...(renamed(own) as Schema), $defs: Object.fromEntries(defined) as Schema };
}

function strictEach(schemas: Schema, recursive: boolean): Schema | undefined {
  const strict: Record<string, Json> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const one = isSchema(schema) ? strictSchema(schema, recursive) : undefined;
    if (one === undefined) return undefined;
    Object.defineProperty(strict, name, { value: one, enumerable: true, configurable: true, writable: true });
  }
  return strict;
}

/** Strict interfaces refuse lengths of text, so they are told in words. */
function withoutLengths(schema: Schema): Schema {
  const { minLength, maxLength, ...rest } = schema;
  const words = [
    ...(minLength === undefined ? [] : [`at least ${minLength} characters`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
  ].join(", ");
  if (words === "") return schema;
  const { description } = rest;
  return { ...rest, description: typeof description === "string" ? `${description} (${words})` : words };
}
