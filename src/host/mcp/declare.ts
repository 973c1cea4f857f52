/**
 * The tools of an MCP server as declarations of Weave: names made legal, types from the schemas, effects from the hints,
 * documentation as comments. The text is formatted and compiles.
 */
import { problems } from "../../diagnostics/problems.js";
import { format } from "../../format/format.js";
import { builtins } from "../../semantics/builtins.js";
import { BUILTIN_TYPES } from "../../semantics/resolve.js";
import { sourceFile } from "../../source/source.js";
import { parse } from "../../syntax/parser.js";
import { isReserved } from "../../syntax/tokens.js";
import { docOf, docText, isSchemaObject, pascal, quoted, schemaTypes } from "./schema.js";

export interface ServerTool {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: { readonly [hint: string]: unknown } | undefined;
}

export interface Declaring {
  /** The name that the tools refer to the server by. */
  readonly server: string;
  /** The declaration of the server itself; undefined where the program has it already. */
  readonly declaration: string | undefined;
  readonly tools: readonly ServerTool[];
  /** Names that the program has already. */
  readonly taken: ReadonlySet<string>;
}

/** Types that every program has. */
const PRELUDE = ["FailureKind", "Failure", "ItemFailure", "Outcome", "Settled", "Partial", "Evidence", "Spend"];

/** The declarations, formatted. */
export function declarationsOf({ server, declaration, tools, taken }: Declaring): string {
  const used = new Set([...taken, ...PRELUDE, server]);
  // A parameter may not have the name of a declaration, so types keep away from what servers call theirs.
  const keys = new Set(tools.flatMap((tool) => Object.keys(propertiesOf(tool))));
  const fresh = (wanted: string): string => {
    let name = wanted;
    for (let i = 2; used.has(name) || keys.has(name) || BUILTIN_TYPES.has(name) || builtins.has(name); i++) name = `${wanted}${i}`;
    used.add(name);
    return name;
  };
  // Tools have the first claim on names: they are what a program calls.
  const named = tools.map((tool) => ({ tool, name: toolName(tool.name, used) }));
  const declared = new Set(used);
  const parts = named.map(({ tool, name }) => toolText(server, tool, name, fresh, declared));
  const text = [...(declaration === undefined ? [] : [declaration]), ...parts].join("\n\n");
  const file = sourceFile("import.weave", `${text}\n`);
  return format(parse(file, problems()), file);
}

/** `getSum` and `get-sum` become `get_sum`; what is taken gets a number. */
export function legalName(name: string): string {
  const made = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9_]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toLowerCase();
  return /^[a-z]/.test(made) ? made : `t_${made}`;
}

function toolName(wanted: string, used: Set<string>): string {
  const legal = legalName(wanted);
  const base = isReserved(legal) || builtins.has(legal) || BUILTIN_TYPES.has(legal) ? `${legal}_tool` : legal;
  let name = base;
  for (let i = 2; used.has(name); i++) name = `${base}_${i}`;
  used.add(name);
  return name;
}

interface Parameter {
  /** What the server calls it. */
  readonly key: string;
  readonly name: string;
  readonly text: string;
}

function toolText(
  server: string,
  tool: ServerTool,
  name: string,
  fresh: (wanted: string) => string,
  declared: ReadonlySet<string>,
): string {
  const types = new Map<string, string>();
  const declare = (type: string, text: string, doc: string | undefined): void => {
    types.set(type, [docText(doc), `type ${type} = ${text}`].filter((line) => line !== "").join("\n"));
  };
  const params = parameters(tool, name, { fresh, declare }, declared);
  const result = resultType(tool, name, { fresh, declare });
  const renamed = params.some(({ key, name: own }) => key !== own);
  const args = renamed ? `, args: { ${params.map(({ key, name: own }) => `${quoted(key)}: ${own}`).join(", ")} }` : "";
  const signature = `tool ${name}(${params.map(({ text }) => text).join(",\n")}) -> ${result} = mcp(${server}, ${quoted(tool.name)}${args})`;
  const head = [docText(tool.description ?? tool.title), ...marks(tool)].filter((line) => line !== "");
  const effect = isReading(tool) ? "" : "effect ";
  return [...neededTypes(types, signature), [...head, `${effect}${signature}`].join("\n")].join("\n\n");
}

/** The declared types that the signature reaches: what was said more loosely in the end leaves some behind. */
function neededTypes(types: ReadonlyMap<string, string>, signature: string): readonly string[] {
  const needed = new Set<string>();
  const visit = (text: string): void => {
    const code = text.replace(/^\s*\/\/\/.*$/gm, "").replace(/"(?:[^"\\]|\\.)*"/g, "");
    for (const [word] of code.matchAll(/[A-Za-z_]\w*/g)) {
      if (needed.has(word) || !types.has(word)) continue;
      needed.add(word);
      visit(types.get(word) ?? "");
    }
  };
  visit(signature);
  return [...types].filter(([name]) => needed.has(name)).map(([, text]) => text);
}

export const isReading = ({ annotations }: ServerTool): boolean => annotations?.["readOnlyHint"] === true;

/** What the hints of a tool say in Weave; without hints a tool may do anything. */
function marks(tool: ServerTool): readonly string[] {
  const { annotations } = tool;
  return [
    ...(annotations?.["openWorldHint"] === true ? ["@untrusted"] : []),
    ...(isReading(tool) ? ["@reads"] : annotations?.["idempotentHint"] === true ? ["@idempotent"] : []),
  ];
}

type Names = Parameters<typeof schemaTypes>[2];

function propertiesOf({ inputSchema }: ServerTool): { readonly [key: string]: unknown } {
  return isSchemaObject(inputSchema) && isSchemaObject(inputSchema["properties"]) ? inputSchema["properties"] : {};
}

function parameters(tool: ServerTool, name: string, names: Names, declared: ReadonlySet<string>): readonly Parameter[] {
  const schema = tool.inputSchema;
  const properties = propertiesOf(tool);
  const required = new Set(isSchemaObject(schema) && Array.isArray(schema["required"]) ? schema["required"] : []);
  const types = schemaTypes(schema, `${pascal(name)}Input`, names);
  const used = new Set<string>();
  // What must be given stands first, so that it can be given by position.
  const keys = Object.keys(properties).sort((a, b) => Number(required.has(b)) - Number(required.has(a)));
  return keys.map((key) => {
    const own = parameterName(key, used, declared);
    const at = `${pascal(name)}${pascal(key)}`;
    const property = properties[key];
    const type = required.has(key) ? types.type(property, at) : `${types.optionalType(property, at)} = null`;
    const doc = docText(docOf(property));
    return { key, name: own, text: `${doc === "" ? "" : `\n${doc}\n`}${own}: ${type}` };
  });
}

/** The server's own name where Weave can say it and no declaration has it. */
function parameterName(key: string, used: Set<string>, declared: ReadonlySet<string>): string {
  const own = /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : legalName(key);
  const base = isReserved(own) || declared.has(own) ? `${own}_value` : own;
  let name = base;
  for (let i = 2; used.has(name) || declared.has(name); i++) name = `${base}_${i}`;
  used.add(name);
  return name;
}

function resultType(tool: ServerTool, name: string, names: Names): string {
  const schema = tool.outputSchema;
  if (!isSchemaObject(schema)) return "string";
  return schemaTypes(schema, `${pascal(name)}Result`, names).type(schema, `${pascal(name)}Result`);
}
