/**
 * Types of the graph as zod schemas that explain what is wrong, cut unknown fields and make absent optional fields
 * null. What a scalar must be is asked of `shape.ts`, so that the fast and the explaining half never disagree.
 */
import * as z from "zod";
import type { FieldIR, TypeIR } from "../plan/ir.js";
import { named, shapes, type Types } from "./shape.js";
import { typeProse } from "./type-prose.js";
import { assertNever, isPlain, shown } from "./values.js";

export { answerSchema, jsonSchema, parametersSchema } from "../plan/json-schema.js";

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string; readonly reasons: readonly string[] };

const made = new WeakMap<TypeIR, z.ZodType>();

/** Checks a value against a type and cuts it; says in the user's words what does not fit. */
export function validate(type: TypeIR, value: unknown, types: Types): Checked {
  const result = schemaOf(type, types).safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const reasons = result.error.issues.map((issue) => reasonOf(issue.path, issue.message));
  const shownReasons = reasons.slice(0, 5);
  const more = reasons.length - shownReasons.length;
  return { ok: false, message: `${shownReasons.join("; ")}${more > 0 ? `; and ${more} more` : ""}`, reasons };
}

function reasonOf(path: readonly PropertyKey[], message: string): string {
  if (path.length === 0) return message;
  let text = "";
  for (const part of path) text += typeof part === "number" ? `[${part}]` : text === "" ? String(part) : `.${String(part)}`;
  return `${typeof path[0] === "number" ? "element" : "field"} \`${text}\`: ${message}`;
}

/** The zod schema of a type. */
export function schemaOf(type: TypeIR, types: Types): z.ZodType {
  const found = made.get(type);
  if (found !== undefined) return found;
  const schema = compile(type, types);
  made.set(type, schema);
  return schema;
}

function expected(type: TypeIR): (issue: { readonly input?: unknown }) => string {
  return (issue) =>
    issue.input === undefined ? `expected ${typeProse(type)}, found nothing` : `expected ${typeProse(type)}, found ${shown(issue.input)}`;
}

function compile(type: TypeIR, types: Types): z.ZodType {
  switch (type.kind) {
    case "list":
      return compileList(type, types);
    case "map":
      return z.record(
        z.string(),
        z.lazy(() => schemaOf(type.of, types)),
        { error: expected(type) },
      );
    case "record":
      return z.object(Object.fromEntries(type.fields.map((field) => [field.name, fieldSchema(field, types)])), { error: expected(type) });
    case "union":
      return compileUnion(type, types);
    case "ref":
      return z.lazy(() => schemaOf(named(types, type.name), types));
    case "secret":
      return schemaOf(type.of, types);
    case "string":
    case "int":
    case "float":
    case "bool":
    case "null":
    case "json":
    case "duration":
    case "money":
    case "image":
    case "audio":
    case "document":
    case "literal":
    case "never":
      return z.custom(shapes(types).exactly(type), { error: expected(type) });
    default:
      return assertNever(type);
  }
}

function fieldSchema(field: FieldIR, types: Types): z.ZodType {
  const schema = schemaOf(field.type, types);
  return field.optional
    ? z
        .preprocess((value) => (value === undefined ? null : value), schema)
        .optional()
        .transform((value) => value ?? null)
    : schema;
}

function compileList(type: Extract<TypeIR, { kind: "list" }>, types: Types): z.ZodType {
  let schema = z.array(
    z.lazy(() => schemaOf(type.of, types)),
    { error: expected(type) },
  );
  const size = (issue: { readonly input?: unknown }): string =>
    `expected ${typeProse(type)}, found ${Array.isArray(issue.input) ? issue.input.length : "?"} elements`;
  if (type.min !== undefined) schema = schema.min(type.min, { error: size });
  if (type.max !== undefined) schema = schema.max(type.max, { error: size });
  return schema;
}

/** The member is chosen by tag or JSON kind first, so that a mistake inside is told as what it is. */
function compileUnion(type: Extract<TypeIR, { kind: "union" }>, types: Types): z.ZodType {
  return z.unknown().transform((value, context) => {
    const candidates = type.of.filter((member) => mayBe(member, value, types, type.tag));
    for (const member of candidates) {
      const result = schemaOf(member, types).safeParse(value);
      if (result.success) return result.data;
    }
    const [only] = candidates;
    const literals = candidates.length !== 1 || only === undefined || only.kind === "literal";
    if (literals) context.issues.push({ code: "custom", message: unionMessage(type, value), input: value });
    else {
      const result = schemaOf(only, types).safeParse(value);
      for (const issue of result.error?.issues ?? [])
        context.issues.push({ code: "custom", message: issue.message, path: [...issue.path], input: value });
    }
    return z.NEVER;
  });
}

function unionMessage(type: Extract<TypeIR, { kind: "union" }>, value: unknown): string {
  if (type.tag !== undefined && isPlain(value)) {
    const tags = type.of
      .flatMap((member) => (member.kind === "record" ? member.fields.filter((field) => field.name === type.tag) : []))
      .map((field) => typeProse(field.type));
    return `expected \`${type.tag}\` to be ${tags.join(" | ")}, found ${shown(value[type.tag])}`;
  }
  return `expected ${typeProse(type)}, found ${shown(value)}`;
}

function mayBe(type: TypeIR, value: unknown, types: Types, tag: string | undefined): boolean {
  switch (type.kind) {
    case "ref":
      return mayBe(named(types, type.name), value, types, tag);
    case "secret":
      return mayBe(type.of, value, types, tag);
    case "union":
      return type.of.some((member) => mayBe(member, value, types, member.kind === "union" ? member.tag : tag));
    case "string":
      return typeof value === "string";
    case "int":
    case "float":
    case "duration":
    case "money":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "null":
      return value === null || value === undefined;
    case "json":
      return true;
    case "image":
    case "audio":
    case "document":
      return typeof value === "string" || isPlain(value);
    case "literal":
      return typeof value === typeof type.value;
    case "list":
      return Array.isArray(value);
    case "map":
      return isPlain(value);
    case "record": {
      if (!isPlain(value)) return false;
      const tagged = tag === undefined ? undefined : type.fields.find((field) => field.name === tag);
      return tagged === undefined || shapes(types).exactly(tagged.type)(value[tagged.name]);
    }
    case "never":
      return false;
    default:
      return assertNever(type);
  }
}
