/** Declarations from JSON Schemas: what real servers say and what schemas can say at all compiles, formatted, and takes the values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { problems } from "../../src/diagnostics/problems.js";
import { format } from "../../src/format/format.js";
import { fileHost } from "../../src/host/files.js";
import { declarationsOf, type ServerTool } from "../../src/host/mcp/declare.js";
import { sourceFile } from "../../src/source/source.js";
import { parse } from "../../src/syntax/parser.js";

const declared = (tools: readonly ServerTool[]): string =>
  declarationsOf({ server: "s", declaration: 'mcp s { command: ["server"] }', tools, taken: new Set() });

/** The declarations of a tool, compiled and formatted already. */
function checked(tools: readonly ServerTool[]) {
  const text = declared(tools);
  const file = sourceFile("main.weave", text);
  expect(format(parse(file, problems()), file)).toBe(text);
  const result = compile("main.weave", fileHost(new Map([["main.weave", text]])));
  expect(result.problems.filter((problem) => problem.severity === "error")).toEqual([]);
  return { text, graph: result.graph };
}
const object = (properties: object, required: readonly string[] = Object.keys(properties)) => ({ type: "object", properties, required });
const typeOf = (schema: unknown): string => {
  const { text } = checked([{ name: "t", inputSchema: object({ x: schema }) }]);
  return /tool t\(\s*x: ([\s\S]*?),?\s*\) -> string/.exec(text)?.[1] ?? text;
};

describe("a schema becomes the type that says the same", () => {
  test.each<[string, unknown]>([
    ["string", { type: "string" }],
    ["string(..10)", { type: "string", maxLength: 10, minLength: 0 }],
    ["int(0..5)", { type: "integer", minimum: 0, exclusiveMaximum: 6 }],
    ["int", { type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
    ["float", { type: "number" }],
    ["bool", { type: "boolean" }],
    ["json", {}],
    ["json", true],
    ['"a" | "b"', { type: "string", enum: ["a", "b"] }],
    ['("a" | "b")?', { enum: ["a", null, "b"] }],
    ["1 | 2", { enum: [1, 2] }],
    ["string", { enum: ["{{x}}"] }],
    ["string?", { type: ["string", "null"] }],
    ["string | int", { anyOf: [{ type: "string" }, { type: "integer" }] }],
    ["float", { oneOf: [{ type: "number" }, { type: "integer" }] }],
    ["string[1..3]", { type: "array", items: { type: "string" }, minItems: 1, maxItems: 3 }],
    ["(string | int)[]", { type: "array", items: { type: ["string", "integer"] } }],
    ["json[]", { type: "array", prefixItems: [{ type: "string" }] }],
    ["map<int>", { type: "object", additionalProperties: { type: "integer" } }],
    ["map<json>", { type: "object" }],
    ["map<json>", { anyOf: [object({ a: {} }), object({ b: {} })] }],
    ["TX1 | TX2", { oneOf: [object({ kind: { const: "a" } }), object({ kind: { const: "b" }, n: { type: "integer" } })] }],
    ["TX", { allOf: [object({ a: { type: "string" } }), object({ b: { type: "string" } })] }],
    ["json", { $ref: "#/$defs/nowhere" }],
    ["json", { $ref: "https://example.com/other.json" }],
  ])("%s", (wanted, schema) => {
    expect(typeOf(schema)).toBe(wanted);
  });

  test("with names, documents, hints, optional and recursive parts", () => {
    const { text } = checked([
      {
        name: "read-file",
        description: "Reads a file.\r\nAll of it.",
        annotations: { readOnlyHint: true, openWorldHint: true },
        inputSchema: object(
          {
            "file-path": { type: "string", description: "Where it is." },
            match: { type: "boolean" },
            options: object({ "max bytes": { type: "integer", description: "At most." }, encoding: { enum: ["utf8", "latin1"] } }, [
              "encoding",
            ]),
          },
          ["file-path"],
        ),
        outputSchema: object({ tree: { $ref: "#/$defs/node" } }, []),
      },
      {
        name: "sum",
        inputSchema: {
          ...object({ tree: { $ref: "#/$defs/Node" } }),
          $defs: {
            Node: object(
              { v: { type: "number" }, next: { $ref: "#/$defs/Node" }, all: { type: "array", items: { $ref: "#/$defs/Node" } } },
              ["v", "all"],
            ),
          },
        },
        annotations: { idempotentHint: true },
      },
      { name: "Sum", inputSchema: { type: "object" } },
    ]);
    expect(text).toMatchSnapshot();
  });

  test("a value that could have no end is json", () => {
    const { text } = checked([
      {
        name: "t",
        inputSchema: {
          ...object({ a: { $ref: "#/$defs/A" } }),
          $defs: { A: object({ b: { $ref: "#/$defs/B" } }), B: object({ a: { $ref: "#/$defs/A" } }), C: { $ref: "#/$defs/C" } },
        },
      },
    ]);
    expect(text).toContain("type A = { b: json }");
  });
});

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    {},
    true,
    false,
    { type: "string" },
    { type: "integer", minimum: 1 },
    { type: "number", maximum: 1e21 },
    { type: "boolean" },
    { type: "null" },
  ),
  fc.record({ type: fc.constant("string"), description: fc.string() }),
  fc.record({ enum: fc.array(fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.constant({})), { maxLength: 4 }) }),
  fc.record({ const: fc.oneof(fc.string(), fc.integer()) }),
  fc.record({ $ref: fc.constantFrom("#", "#/$defs/A", "#/$defs/B", "#/properties/x", "#/nowhere", "bad") }),
);
const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.record({ type: fc.constant("array"), items: tie("schema"), minItems: fc.integer({ min: 0, max: 3 }) }),
    fc.record({
      type: fc.constant("object"),
      properties: fc.dictionary(fc.oneof(fc.constantFrom("a", "b", "kind", "if", "a-b", "__proto__"), fc.string()), tie("schema"), {
        maxKeys: 4,
      }),
      required: fc.subarray(["a", "b", "kind"]),
    }),
    fc.record({ type: fc.constant("object"), additionalProperties: tie("schema") }),
    fc.record({ anyOf: fc.array(tie("schema"), { maxLength: 3 }) }),
    fc.record({ oneOf: fc.array(tie("schema"), { maxLength: 3 }) }),
    fc.record({ allOf: fc.array(tie("schema"), { maxLength: 3 }) }),
    fc.record({ type: fc.array(fc.constantFrom("string", "null", "object", "array", "integer"), { maxLength: 3 }), items: tie("schema") }),
  ),
}));

test("any schema gives declarations that compile and are formatted", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          name: fc.oneof(fc.constantFrom("sum", "if", "s", "Failure", "map", "string"), fc.string()),
          description: fc.string(),
          inputSchema: schema,
          outputSchema: schema,
          a: schema,
          b: schema,
        }),
        { minLength: 1, maxLength: 3 },
      ),
      (tools) => {
        checked(
          tools.map(({ a, b, inputSchema, ...tool }) => ({
            ...tool,
            inputSchema: { type: "object", properties: { x: inputSchema }, $defs: { A: a, B: b } },
          })),
        );
      },
    ),
    { numRuns: Number(process.env["WEAVE_RUNS"] ?? 60) },
  );
});
