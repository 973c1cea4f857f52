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
    const property = properties[name];
    const nullable = required.has(name) && allows(type, types, "null") && !accepts(property, schema, "null");
    const reason = nullable ? "it may be null, and the server needs it" : refusal(withoutNull(type, types), property, schema, types, 0);
    return reason === undefined ? [] : [{ name, declared: typeProse(type), reason }];
  });
  if (wrong.length > 0) problems.report(d.serverParamType, tool.span, { ...report, params: wrong });
}

function compareResult(tool: ToolIR, theirs: ServerTool, types: Comparing["types"], problems: Problems): void {
  const schema = theirs.outputSchema;
  if (!isSchemaObject(schema) || resolved(tool.result, types).kind === "null") return;
  const reason = misfit(tool.result, schema, schema, types, 0);
  if (reason !== undefined) problems.report(d.serverResultType, tool.span, { tool: theirs.name, declared: typeProse(tool.result), reason });
}

type Sort = "string" | "number" | "boolean" | "null" | "array" | "object";
const SORTS: readonly Sort[] = ["string", "number", "boolean", "null", "array", "object"];
/** Deep enough for what people write, and an end for what is recursive. */
const DEEPEST = 6;

function resolved(type: TypeIR, types: Comparing["types"]): TypeIR {
  if (type.kind === "secret") return resolved(type.of, types);
  const target = type.kind === "ref" ? types[type.name] : undefined;
  return target === undefined ? type : resolved(target, types);
}

function membersOf(type: TypeIR, types: Comparing["types"]): readonly TypeIR[] {
  const found = resolved(type, types);
  return found.kind === "union" ? found.of.flatMap((member) => membersOf(member, types)) : [found];
}

function sortOf(type: TypeIR): Sort | undefined {
  switch (type.kind) {
    case "string":
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
    case "literal":
      return typeof type.value as Sort;
    case "list":
      return "array";
    case "map":
    case "record":
      return "object";
    default:
      return undefined;
  }
}

function allows(type: TypeIR, types: Comparing["types"], sort: Sort): boolean {
  return membersOf(type, types).some((member) => sortOf(member) === sort);
}

function withoutNull(type: TypeIR, types: Comparing["types"]): TypeIR {
  const rest = membersOf(type, types).filter((member) => member.kind !== "null");
  const [only] = rest;
  return rest.length === 1 && only !== undefined ? only : { kind: "union", of: rest };
}

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

function sortOfSchema(schema: { readonly [key: string]: unknown }): Sort | undefined {
  if ("const" in schema) {
    const value = schema["const"];
    return value === null ? "null" : Array.isArray(value) ? "array" : (typeof value as Sort);
  }
  const { type } = schema;
  return type === "integer" ? "number" : SORTS.find((sort) => sort === type);
}

function accepts(schema: unknown, root: unknown, sort: Sort): boolean {
  const found = alternatives(schema, root);
  return found === undefined || found.some((each) => sortOfSchema(each) === sort);
}

/** Why some value of the declared type is refused by the schema; undefined where none is for certain. */
function refusal(type: TypeIR, schema: unknown, root: unknown, types: Comparing["types"], depth: number): string | undefined {
  const choices = alternatives(schema, root);
  if (choices === undefined || depth > DEEPEST) return undefined;
  for (const member of membersOf(type, types)) {
    const sort = sortOf(member);
    if (sort === undefined) continue;
    const fitting = choices.filter((choice) => sortOfSchema(choice) === sort);
    if (fitting.length === 0) return `the server takes ${schemaProse(schema, root)}, not ${typeProse(member)}`;
    const constants = fitting.filter((choice) => "const" in choice);
    if (constants.length === fitting.length) {
      const values = constants.map((choice) => choice["const"]);
      if (member.kind !== "literal") {
        if (member.kind !== "bool") return `the server takes only ${values.map((value) => JSON.stringify(value)).join(", ")}`;
      } else if (!values.includes(member.value))
        return `the server does not take ${JSON.stringify(member.value)}, only ${values.map((value) => JSON.stringify(value)).join(", ")}`;
      continue;
    }
    const [only] = fitting;
    if (fitting.length !== 1 || only === undefined) continue;
    if (member.kind === "float" && only["type"] === "integer") return "the server takes whole numbers";
    const inner =
      member.kind === "list"
        ? refusal(member.of, only["items"], root, types, depth + 1)
        : member.kind === "record"
          ? recordRefusal(member, only, root, types, depth)
          : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function recordRefusal(
  type: Extract<TypeIR, { kind: "record" }>,
  schema: { readonly [key: string]: unknown },
  root: unknown,
  types: Comparing["types"],
  depth: number,
): string | undefined {
  const properties = isSchemaObject(schema["properties"]) ? schema["properties"] : {};
  const required = Array.isArray(schema["required"]) ? (schema["required"] as readonly unknown[]) : [];
  for (const name of required)
    if (!type.fields.some((field) => field.name === name && !field.optional)) return `the server needs the field ${JSON.stringify(name)}`;
  for (const field of type.fields) {
    if (!Object.hasOwn(properties, field.name)) continue;
    const reason = refusal(withoutNull(field.type, types), properties[field.name], root, types, depth + 1);
    if (reason !== undefined) return `in the field ${JSON.stringify(field.name)} ${reason}`;
  }
  return undefined;
}

/** Why some value that the server may give does not fit the declared type. */
function misfit(type: TypeIR, schema: unknown, root: unknown, types: Comparing["types"], depth: number): string | undefined {
  const members = membersOf(type, types);
  const choices = alternatives(schema, root);
  if (choices === undefined || depth > DEEPEST || members.some((member) => sortOf(member) === undefined)) return undefined;
  for (const choice of choices) {
    const sort = sortOfSchema(choice);
    const fitting = members.filter((member) => sortOf(member) === sort);
    if (sort === undefined) continue;
    // A text result is there beside structured content.
    if (depth === 0 && members.every((member) => sortOf(member) === "string")) return undefined;
    const [only] = fitting;
    if (only === undefined) return `the server may give ${schemaProse(choice, root)}`;
    if (fitting.every((member) => member.kind === "literal")) {
      if (!("const" in choice)) return `the server may give any ${sort}`;
      if (!fitting.some((member) => member.kind === "literal" && member.value === choice["const"]))
        return `the server may give ${JSON.stringify(choice["const"])}`;
      continue;
    }
    if (fitting.length > 1) continue;
    if (only.kind === "int" && choice["type"] === "number") return "the server may give numbers that are not whole";
    const inner =
      only.kind === "list"
        ? misfit(only.of, choice["items"], root, types, depth + 1)
        : only.kind === "record"
          ? recordMisfit(only, choice, root, types, depth)
          : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function recordMisfit(
  type: Extract<TypeIR, { kind: "record" }>,
  schema: { readonly [key: string]: unknown },
  root: unknown,
  types: Comparing["types"],
  depth: number,
): string | undefined {
  const properties = isSchemaObject(schema["properties"]) ? schema["properties"] : {};
  const required = new Set<unknown>(Array.isArray(schema["required"]) ? schema["required"] : []);
  for (const field of type.fields) {
    const name = JSON.stringify(field.name);
    if (!required.has(field.name) && !field.optional) {
      if (!Object.hasOwn(properties, field.name)) return `the server does not say that there is a field ${name}`;
      return `the server may leave out the field ${name}`;
    }
    if (!Object.hasOwn(properties, field.name)) continue;
    const reason = misfit(field.type, properties[field.name], root, types, depth + 1);
    if (reason !== undefined) return `in the field ${name} ${reason}`;
  }
  return undefined;
}

/** A schema in a few words. */
function schemaProse(schema: unknown, root: unknown): string {
  const choices = alternatives(schema, root);
  if (choices === undefined) return "json";
  const words = choices.map((choice) => {
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
  });
  return [...new Set(words)].join(" | ");
}
