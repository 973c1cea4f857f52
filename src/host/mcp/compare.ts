/**
 * Declared tools beside what their MCP server says of them. Only what is certain is reported: a value that fits the
 * declaration and that the server would refuse, or one that the server may give and that would not fit.
 */
import { d } from "../../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../../diagnostics/problems.js";
import { nearest } from "../../diagnostics/suggest.js";
import type { ToolIR, TypeIR } from "../../plan/ir.js";
import { typeProse } from "../../runtime/type-prose.js";
import { isReading, type ServerTool } from "./declare.js";
import { isSchemaObject, pointed } from "./schema.js";

export interface Comparing {
  readonly server: string;
  readonly declared: readonly ToolIR[];
  readonly found: readonly ServerTool[];
  readonly types: Readonly<Record<string, TypeIR>>;
}

export function compareTools({ server, declared, found, types }: Comparing, problems: Problems): void {
  const byName = new Map(found.map((tool) => [tool.name, tool]));
  for (const tool of declared) {
    if (tool.binding.kind !== "mcp") continue;
    const theirs = byName.get(tool.binding.tool);
    if (theirs === undefined) {
      const tools = [...byName.keys()];
      problems.report(d.serverToolMissing, tool.span, { server, tool: tool.binding.tool, near: nearest(tool.binding.tool, tools), tools });
      continue;
    }
    compareParams(tool, theirs, types, problems);
    compareResult(tool, theirs, types, problems);
    if (tool.effect !== "effect" && !isReading(theirs)) {
      const destructive = theirs.annotations?.["destructiveHint"] === true;
      problems.report(d.serverToolChanges, tool.span, { tool: theirs.name, name: tool.name, reads: tool.effect === "reads", destructive });
    }
  }
}

/** What is sent under which name: the parameters, or what `args` says. */
function sentOf(tool: ToolIR): readonly { readonly name: string; readonly type: TypeIR | undefined }[] {
  const args = tool.binding.kind === "mcp" ? tool.binding.args : undefined;
  if (args === undefined) return tool.params;
  if (args.kind !== "record") return [];
  return args.entries.flatMap((entry) => {
    if (!("name" in entry)) return [];
    const { value } = entry;
    return [{ name: entry.name, type: value.kind === "ref" ? tool.params.find((param) => param.id === value.id)?.type : undefined }];
  });
}

function compareParams(tool: ToolIR, theirs: ServerTool, types: Comparing["types"], problems: Problems): void {
  const schema = isSchemaObject(theirs.inputSchema) ? theirs.inputSchema : {};
  const properties = isSchemaObject(schema["properties"]) ? schema["properties"] : {};
  const names = Object.keys(properties);
  const required = new Set<unknown>(Array.isArray(schema["required"]) ? schema["required"] : []);
  const sent = sentOf(tool);
  const report = { tool: theirs.name };
  const missing = names.filter((name) => required.has(name) && !sent.some((each) => each.name === name));
  if (missing.length > 0) {
    const params = missing.map((name) => ({ name, type: schemaProse(properties[name], schema) }));
    problems.report(d.serverParamMissing, tool.span, { ...report, params });
  }
  const open = schema["additionalProperties"] === true || isSchemaObject(schema["additionalProperties"]);
  const unknown = open ? [] : sent.flatMap(({ name }) => (Object.hasOwn(properties, name) ? [] : [name]));
  const [first] = unknown;
  if (first !== undefined) {
    const near = unknown.length === 1 ? nearest(first, names) : undefined;
    problems.report(d.serverParamUnknown, tool.span, { ...report, unknown, near, names });
  }
  const wrong = sent.flatMap(({ name, type }) => {
    if (type === undefined || !Object.hasOwn(properties, name)) return [];
    const taken = ofSchema(properties[name], schema);
    const given = ofType(type, types, true);
    const nullable = required.has(name) && ofType(type, types)?.some(({ sort }) => sort === "null");
    const reason =
      nullable === true && taken !== undefined && !taken.some(({ sort }) => sort === "null")
        ? "it may be null, and the server needs it"
        : gap(given, taken, sending);
    return reason === undefined ? [] : [{ name, declared: typeProse(type), reason }];
  });
  if (wrong.length > 0) problems.report(d.serverParamType, tool.span, { ...report, params: wrong });
}

function compareResult(tool: ToolIR, theirs: ServerTool, types: Comparing["types"], problems: Problems): void {
  const schema = theirs.outputSchema;
  if (!isSchemaObject(schema)) return;
  const wanted = ofType(tool.result, types);
  // A text result is there beside structured content, and with `null` nothing is looked at.
  if (wanted === undefined || wanted.every(({ sort }) => sort === "string") || wanted.every(({ sort }) => sort === "null")) return;
  const reason = gap(ofSchema(schema, schema), wanted, receiving);
  if (reason !== undefined) problems.report(d.serverResultType, tool.span, { tool: theirs.name, declared: typeProse(tool.result), reason });
}

type Sort = "string" | "number" | "boolean" | "null" | "array" | "object";
const SORTS: readonly Sort[] = ["string", "number", "boolean", "null", "array", "object"];
/** Deep enough for what people write, and an end for what is recursive. */
const DEEPEST = 6;

/** One kind of value that a type or a schema allows. */
interface Choice {
  /** Undefined where nothing certain can be said. */
  readonly sort: Sort | undefined;
  /** The only value, where there is one. */
  readonly constant?: unknown;
  readonly whole?: boolean;
  readonly items?: () => Side;
  readonly fields?: ReadonlyMap<string, { readonly optional: boolean; readonly side: () => Side }>;
  readonly prose: string;
}

/** All that a type or a schema allows; undefined where nothing certain can be said. */
type Side = readonly Choice[] | undefined;

/** How a difference is said: what is declared is sent to the server, what it gives is received. */
interface Words {
  readonly none: (given: Choice, taken: readonly Choice[]) => string;
  readonly any: (given: Choice, constants: readonly unknown[]) => string;
  readonly other: (value: unknown, constants: readonly unknown[]) => string;
  readonly whole: string;
  readonly missing: (field: string, isKnown: boolean) => string;
}

const json = (value: unknown): string => JSON.stringify(value);
const listed = (values: readonly unknown[]): string => values.map(json).join(", ");
const proseOf = (choices: readonly Choice[]): string => [...new Set(choices.map(({ prose }) => prose))].join(" | ");

const sending: Words = {
  none: (given, taken) => `the server takes ${proseOf(taken)}, not ${given.prose}`,
  any: (_, constants) => `the server takes only ${listed(constants)}`,
  other: (value, constants) => `the server does not take ${json(value)}, only ${listed(constants)}`,
  whole: "the server takes whole numbers",
  missing: (field) => `the server needs the field ${json(field)}`,
};
const receiving: Words = {
  none: (given) => `the server may give ${given.prose}`,
  any: ({ sort }) => `the server may give any ${sort}`,
  other: (value) => `the server may give ${json(value)}`,
  whole: "the server may give numbers that are not whole",
  missing: (field, isKnown) =>
    isKnown ? `the server may leave out the field ${json(field)}` : `the server does not say that there is a field ${json(field)}`,
};

/** Why some value of one side does not fit the other; undefined where that is not certain of any. */
function gap(given: Side, taken: Side, words: Words, depth = 0): string | undefined {
  if (given === undefined || taken === undefined || depth > DEEPEST || taken.some(({ sort }) => sort === undefined)) return undefined;
  for (const one of given) {
    if (one.sort === undefined) continue;
    const fitting = taken.filter(({ sort }) => sort === one.sort);
    if (fitting.length === 0) return words.none(one, taken);
    const constants = fitting.flatMap((choice) => ("constant" in choice ? [choice.constant] : []));
    if (constants.length === fitting.length) {
      const isBoth = one.sort === "boolean" && constants.includes(true) && constants.includes(false);
      if (!("constant" in one)) {
        if (!isBoth && one.sort !== "null") return words.any(one, constants);
      } else if (!constants.includes(one.constant)) return words.other(one.constant, constants);
      continue;
    }
    const [only] = fitting;
    if (fitting.length !== 1 || only === undefined) continue;
    if (only.whole === true && one.whole !== true && !Number.isInteger(one.constant)) return words.whole;
    const inner = gap(one.items?.(), only.items?.(), words, depth + 1) ?? fieldGap(one, only, words, depth);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function fieldGap({ fields: given }: Choice, { fields: taken }: Choice, words: Words, depth: number): string | undefined {
  if (given === undefined || taken === undefined) return undefined;
  for (const [name, { optional }] of taken)
    if (!optional && given.get(name)?.optional !== false) return words.missing(name, given.has(name));
  for (const [name, { side }] of taken) {
    const own = given.get(name);
    const reason = own === undefined ? undefined : gap(own.side(), side(), words, depth + 1);
    if (reason !== undefined) return `in the field ${json(name)} ${reason}`;
  }
  return undefined;
}

/** What a type allows; of what is sent, nulls are left out. */
function ofType(type: TypeIR, types: Comparing["types"], isSent = false): Side {
  switch (type.kind) {
    case "secret":
      return ofType(type.of, types, isSent);
    case "ref": {
      const target = types[type.name];
      return target === undefined ? undefined : ofType(target, types, isSent);
    }
    case "union": {
      const members = type.of.filter((member) => !isSent || member.kind !== "null").map((member) => ofType(member, types, isSent));
      return members.flatMap((member) => member ?? [UNKNOWN]);
    }
    default:
      return [choiceOf(type, types, isSent)];
  }
}

const UNKNOWN: Choice = { sort: undefined, prose: "json" };

function choiceOf(type: TypeIR, types: Comparing["types"], isSent: boolean): Choice {
  const prose = typeProse(type);
  switch (type.kind) {
    case "string":
      return { sort: "string", prose };
    case "int":
      return { sort: "number", whole: true, prose };
    case "float":
    case "duration":
    case "money":
      return { sort: "number", prose };
    case "bool":
      return { sort: "boolean", prose };
    case "null":
      return { sort: "null", prose };
    case "literal":
      return { sort: typeof type.value as Sort, constant: type.value, prose };
    case "list":
      return { sort: "array", items: () => ofType(type.of, types), prose };
    case "map":
      return { sort: "object", prose };
    case "record": {
      const fields = type.fields.map((field) => {
        const side = (): Side => ofType(field.type, types, isSent);
        return [field.name, { optional: field.optional, side }] as const;
      });
      return { sort: "object", fields: new Map(fields), prose };
    }
    default:
      return UNKNOWN;
  }
}

/** What a schema allows, references followed. */
function ofSchema(schema: unknown, root: unknown): Side {
  return alternatives(schema, root)?.map((choice): Choice => {
    const prose = choiceProse(choice, root);
    if ("const" in choice) return { sort: sortOfConstant(choice["const"]), constant: choice["const"], prose };
    const { type } = choice;
    switch (type) {
      case "integer":
        return { sort: "number", whole: true, prose };
      case "array":
        return { sort: "array", items: () => ofSchema(choice["items"], root), prose };
      case "object": {
        const properties = isSchemaObject(choice["properties"]) ? choice["properties"] : {};
        const required = new Set<unknown>(Array.isArray(choice["required"]) ? choice["required"] : []);
        const names = new Set([...Object.keys(properties), ...[...required].filter((name) => typeof name === "string")]);
        const fields = [...names].map((name) => {
          const side = (): Side => (Object.hasOwn(properties, name) ? ofSchema(properties[name], root) : undefined);
          return [name, { optional: !required.has(name), side }] as const;
        });
        return { sort: "object", fields: new Map(fields), prose };
      }
      default:
        return { sort: SORTS.find((sort) => sort === type), prose };
    }
  });
}

const sortOfConstant = (value: unknown): Sort => (value === null ? "null" : Array.isArray(value) ? "array" : (typeof value as Sort));

/** The alternatives of a schema, references followed; undefined where it says nothing that can be compared. */
function alternatives(schema: unknown, root: unknown, depth = 0): readonly { readonly [key: string]: unknown }[] | undefined {
  if (!isSchemaObject(schema) || depth > DEEPEST || "allOf" in schema || "not" in schema) return undefined;
  if (typeof schema["$ref"] === "string") return alternatives(pointed(root, schema["$ref"]), root, depth + 1);
  for (const key of ["anyOf", "oneOf"]) {
    const members = schema[key];
    if (!Array.isArray(members)) continue;
    const each = members.map((member) => alternatives(member, root, depth + 1));
    return each.some((one) => one === undefined) ? undefined : each.flatMap((one) => one ?? []);
  }
  const { type } = schema;
  if (Array.isArray(type)) return type.map((one: unknown) => ({ ...schema, type: one }));
  if (Array.isArray(schema["enum"])) return schema["enum"].map((value: unknown) => ({ const: value }));
  return typeof type === "string" || "const" in schema ? [schema] : undefined;
}

/** A schema in a few words. */
function schemaProse(schema: unknown, root: unknown): string {
  const choices = alternatives(schema, root);
  return choices === undefined ? "json" : [...new Set(choices.map((choice) => choiceProse(choice, root)))].join(" | ");
}

function choiceProse(choice: { readonly [key: string]: unknown }, root: unknown): string {
  if ("const" in choice) return JSON.stringify(choice["const"]);
  switch (choice["type"]) {
    case "integer":
      return "int";
    case "number":
      return "float";
    case "boolean":
      return "bool";
    case "array":
      return `a list of ${schemaProse(choice["items"], root)}`;
    case "object":
      return "a record";
    default:
      return String(choice["type"]);
  }
}
