/** How models are asked for JSON: the strict form of a type where it has one, the prompt where it has none. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerForm, unwrapped } from "../../src/host/providers/answer-form.js";
import type { FieldIR, TypeIR } from "../../src/plan/ir.js";
import { jsonSchema } from "../../src/runtime/schema.js";

const form = (type: TypeIR, types: Readonly<Record<string, TypeIR>> = {}, how: "enforced" | "uncertain" | "none" = "enforced") =>
  answerForm(jsonSchema(type, types), how);
const field = (name: string, type: TypeIR, optional = false): FieldIR => ({ name, type, optional });
const int: TypeIR = { kind: "int", min: 1, max: 5 };
const record = (...fields: readonly FieldIR[]): TypeIR => ({ kind: "record", fields });

describe("strict schemas", () => {
  test("close objects and require every field", () => {
    const maybe: TypeIR = { kind: "union", of: [{ kind: "string" }, { kind: "null" }] };
    expect(form(record(field("a", int), field("b", maybe, true)))).toEqual({
      schema: {
        type: "object",
        properties: { a: { type: "integer", minimum: 1, maximum: 5 }, b: { anyOf: [{ type: "string" }, { type: "null" }] } },
        required: ["a", "b"],
        additionalProperties: false,
      },
      instruction: undefined,
      wrapped: false,
    });
  });

  test("say lengths of text in words, and literals as lists of one", () => {
    const type = record(field("t", { kind: "string", min: 2, max: 9 }), field("n", { kind: "literal", value: 3 }));
    expect(form(type).schema?.properties).toEqual({
      t: { type: "string", description: "at least 2 characters, at most 9 characters" },
      n: { type: "integer", enum: [3] },
    });
  });

  test("put what is no object into a field", () => {
    for (const type of [
      int,
      { kind: "list", of: int },
      { kind: "union", of: [record(field("a", int)), record(field("b", int))] },
    ] as const) {
      const { schema, wrapped } = form(type as TypeIR);
      expect(wrapped).toBe(true);
      expect(schema).toMatchObject({ type: "object", required: ["answer"], additionalProperties: false });
    }
  });

  test("are left to the prompt for maps, free JSON and recursive types, however deep", () => {
    const tree: TypeIR = record(field("children", { kind: "list", of: { kind: "ref", name: "Tree" } }));
    const open: readonly TypeIR[] = [{ kind: "map", of: int }, { kind: "json" }, { kind: "ref", name: "Tree" }];
    for (const type of open) {
      for (const outer of [type, record(field("x", { kind: "list", of: type }))]) {
        const { schema, instruction, wrapped } = form(outer, { Tree: tree });
        expect([schema, wrapped]).toEqual([undefined, false]);
        expect(instruction).toContain(JSON.stringify(jsonSchema(outer, { Tree: tree })));
      }
    }
  });

  test("stand in the prompt as well where nobody is sure that they are kept to", () => {
    const { schema, instruction } = form({ kind: "list", of: int }, {}, "uncertain");
    expect(instruction).toContain(JSON.stringify(schema));
    expect(form(record(field("a", int)), {}, "none")).toMatchObject({
      schema: undefined,
      instruction: expect.stringContaining("JSON Schema"),
    });
  });

  test("are not there for text", () => {
    expect(answerForm(undefined, "enforced")).toEqual({ schema: undefined, instruction: undefined, wrapped: false });
  });
});

describe("the field around an answer", () => {
  test("is taken off, whatever is in it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(unwrapped(JSON.stringify({ answer: value }))).toBe(JSON.stringify(value));
      }),
    );
  });

  test("is only taken off where it is", () => {
    for (const text of ["[1,2]", '{"answer":1,"more":2}', '{"other":1}', "no JSON", "null"]) expect(unwrapped(text)).toBe(text);
  });
});
