import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ExprIR, TemplatePartIR, TypeIR } from "../../src/plan/ir.js";
import { builtins } from "../../src/runtime/builtins.js";
import { compileExpr, type EvalContext } from "../../src/runtime/evaluate.js";
import { layout, newFrame } from "../../src/runtime/frame.js";
import { randomFor } from "../../src/runtime/hash.js";
import { readJson } from "../../src/runtime/lenient.js";
import { sample } from "../../src/runtime/sample.js";
import { validate } from "../../src/runtime/schema.js";
import { shapes } from "../../src/runtime/shape.js";
import { deepEqual, durationText, moneyText, textLength } from "../../src/runtime/values.js";
import * as f from "../support/flows.js";

const made = shapes({});
const context: EvalContext = { globals: new Map(), cut: made.cut, cast: () => (value) => value };

function evaluate(expr: ExprIR, values: Readonly<Record<string, unknown>> = {}): unknown {
  const scope = layout(undefined, Object.keys(values));
  const compiled = compileExpr(expr, scope, context);
  const frame = newFrame(scope, undefined);
  for (const [i, value] of Object.values(values).entries()) frame.slots[i] = value;
  return compiled(frame);
}
const call = (name: string, ...args: readonly unknown[]): unknown => builtins[name]?.(...args);

describe("functions", () => {
  it.each<[string, readonly unknown[], unknown]>([
    ["len", ["a👍b"], 3],
    ["len", [[1, 2]], 2],
    ["slice", ["a👍b", 1, 2], "👍"],
    ["truncate", ["👍👍👍", 2], "👍👍"],
    ["chunk_text", ["abcdefg", 3, 1], ["abc", "cde", "efg"]],
    ["chunk_text", ["", 3], []],
    ["round", [2.5], 3],
    ["round", [-2.5], -3],
    ["round", [1.005, 2], 1.01],
    ["round", [1e300, 2], 1e300],
    ["div", [-7, 2], -3],
    ["sum", [[]], 0],
    ["mean", [[]], null],
    ["min", [[3, 1, 2]], 1],
    ["max", [1, 2], 2],
    ["max", [[]], null],
    ["range", [2], [0, 1]],
    ["range", [2, 4], [2, 3]],
    ["chunk", [[1, 2, 3], 2], [[1, 2], [3]]],
    ["zip", [[1, 2], ["a"]], [{ left: 1, right: "a" }]],
    ["flatten", [[[1], [2, 3]]], [1, 2, 3]],
    ["unique", [[{ a: 1 }, { a: 1 }, 2]], [{ a: 1 }, 2]],
    [
      "group_by",
      [[1, 2, 3], (x: unknown) => Number(x) % 2],
      [
        { key: 1, items: [1, 3] },
        { key: 0, items: [2] },
      ],
    ],
    ["sort_by", [["bb", "a", "cc"], (x: unknown) => String(x).length], ["a", "bb", "cc"]],
    ["sort_by", [[1, 3, 2], (x: unknown) => x, true], [3, 2, 1]],
    ["max_by", [[], (x: unknown) => x], null],
    ["lines", ["a\nb\r\n"], ["a", "b"]],
    ["replace", ["a.b.c", ".", "$&"], "a$&b$&c"],
    ["matches", ["abc-1", "^[a-z]+-\\d$"], true],
    ["has", [{ a: null }, "a"], true],
    ["has", [{}, "toString"], false],
    ["merge", [{ a: 1, b: 1 }, { b: 2 }], { a: 1, b: 2 }],
    ["json", [{ a: [1] }], '{"a":[1]}'],
    ["to_string", [0.5], "0.5"],
    ["join", [["a", 1], "-"], "a-1"],
  ])("%s%j", (name, args, wanted) => {
    expect(call(name, ...args)).toEqual(wanted);
  });

  it.each<[string, readonly unknown[], string]>([
    ["div", [1, 0], "div: division by zero"],
    ["parse_json", ["{"], "parse_json: the text is not JSON: {"],
    ["chunk_text", ["a", 2, 2], "chunk_text needs an overlap from 0 to less than its size 2, found 2"],
    ["chunk", [[1], 0], "chunk needs a whole number of at least 1, found 0"],
  ])("%s%j fails with an assertion", (name, args, message) => {
    expect(() => call(name, ...args)).toThrow(expect.objectContaining({ kind: "assertion", message }));
  });

  it("raises failures in all three forms", () => {
    expect(() => call("fail", "why")).toThrow(expect.objectContaining({ kind: "assertion", message: "why" }));
    expect(() => call("fail", "auth", "why")).toThrow(expect.objectContaining({ kind: "auth", message: "why" }));
    expect(() => call("fail", { kind: "timeout", message: "m", call: "main/x", attempts: 2, committed: "unknown" })).toThrow(
      expect.objectContaining({ kind: "timeout", path: "main/x", attempts: 2, committed: "unknown" }),
    );
  });
});

describe("expressions", () => {
  it("read absent fields as null, also those that every object inherits", () => {
    expect(evaluate(f.fieldOf(f.r("x"), "constructor"), { x: {} })).toBe(null);
    expect(evaluate(f.fieldOf(f.r("x"), "a"), { x: null })).toBe(null);
    expect(evaluate({ kind: "index", of: f.r("x"), at: f.k("__proto__") }, { x: {} })).toBe(null);
  });

  it("compare deeply, with null for what is absent", () => {
    expect(deepEqual({ a: [1, { b: null }] }, { a: [1, {}] })).toBe(true);
    expect(deepEqual([1, 2], [1])).toBe(false);
  });

  it("fail where arithmetic has no result", () => {
    expect(() => evaluate({ kind: "binary", op: "/", left: f.k(1), right: f.k(0), span: f.span })).toThrow(
      expect.objectContaining({ message: "division by zero: 1 / 0" }),
    );
    expect(() => evaluate(f.op("*", f.k(1e200), f.k(1e200)))).toThrow(expect.objectContaining({ kind: "assertion" }));
  });

  it("bind lambdas and arms", () => {
    const doubled: ExprIR = {
      kind: "builtin",
      name: "map",
      args: [f.r("xs"), { kind: "lambda", params: ["x"], body: f.op("*", f.r("x"), f.r("n")) }],
      span: f.span,
    };
    expect(evaluate(doubled, { xs: [1, 2], n: 3 })).toEqual([3, 6]);
    const chosen: ExprIR = {
      kind: "switch",
      value: f.r("v"),
      arms: [
        { patterns: [{ kind: "record", fields: [{ name: "k", bind: "k" }] }], body: f.r("k") },
        { patterns: [{ kind: "any" }], body: f.k("other") },
      ],
    };
    expect([evaluate(chosen, { v: { k: 1 } }), evaluate(chosen, { v: 2 })]).toEqual([1, "other"]);
  });

  it("write money and durations as their literals", () => {
    expect([0, 0.05, 1, 0.0004, -2.5].map(moneyText)).toEqual(["$0.00", "$0.05", "$1.00", "$0.0004", "-$2.50"]);
    expect([0, 250, 90_000, 120_000, 86_400_000, 1500].map(durationText)).toEqual(["0s", "250ms", "90s", "2m", "1d", "1500ms"]);
  });
});

describe("templates", () => {
  const value = (expr: ExprIR): TemplatePartIR => ({ kind: "value", value: expr, as: "plain" });
  const text = (t: string): TemplatePartIR => ({ kind: "text", text: t });
  const render = (parts: readonly TemplatePartIR[], values: Readonly<Record<string, unknown>>) =>
    evaluate({ kind: "template", parts }, values);

  it("go through lists with index, first and last, and say what an empty one is", () => {
    const each: TemplatePartIR = {
      kind: "each",
      over: f.r("xs"),
      item: "x",
      index: "i",
      key: "k",
      first: "a",
      last: "z",
      body: [value(f.r("i")), text(":"), value(f.r("x")), { kind: "if", test: f.r("z"), then: [], else: [text(", ")] }],
      else: [text("(none)")],
    };
    expect(render([each], { xs: ["a", "b"] })).toBe("0:a, 1:b");
    expect(render([each], { xs: [] })).toBe("(none)");
  });

  it("take empty texts and lists, null and false for false, and nothing else", () => {
    const part: TemplatePartIR = { kind: "if", test: f.r("v"), then: [text("yes")], else: [text("no")] };
    expect(["", [], null, false, 0, "x", [0], {}].map((v) => render([part], { v }))).toEqual([
      "no",
      "no",
      "no",
      "no",
      "yes",
      "yes",
      "yes",
      "yes",
    ]);
  });

  it("do not escape", () => {
    expect(render([value(f.r("v"))], { v: "<a> & {b}" })).toBe("<a> & {b}");
  });
});

const someType: fc.Arbitrary<TypeIR> = fc.letrec<{ type: TypeIR }>((tie) => ({
  type: fc.oneof(
    { depthSize: "small" },
    fc.tuple(fc.nat(5), fc.nat(20)).map(([min, more]): TypeIR => ({ kind: "string", min, max: min + more })),
    fc.constantFrom<TypeIR>(
      { kind: "string", pattern: "^[a-z][a-z0-9-]*$" },
      { kind: "string", pattern: "^(?:\\d{4})-\\d{2}$" },
      { kind: "bool" },
      { kind: "json" },
      { kind: "money" },
    ),
    fc.tuple(fc.integer({ min: -50, max: 50 }), fc.nat(50)).map(([min, more]): TypeIR => ({ kind: "int", min, max: min + more })),
    fc.constant<TypeIR>({ kind: "float", min: 0, max: 1 }),
    fc.tuple(tie("type"), fc.nat(2), fc.nat(2)).map(([of, min, more]): TypeIR => ({ kind: "list", of, min, max: min + more })),
    tie("type").map((of): TypeIR => ({ kind: "map", of })),
    fc.array(fc.tuple(tie("type"), fc.boolean()), { maxLength: 4 }).map(
      (fields): TypeIR => ({
        kind: "record",
        fields: fields.map(([type, optional], i) => ({
          name: `f${i}`,
          type: optional ? { kind: "union", of: [type, { kind: "null" }] } : type,
          optional,
        })),
      }),
    ),
    fc.constant<TypeIR>({
      kind: "union",
      of: [
        { kind: "literal", value: "low" },
        { kind: "literal", value: "high" },
      ],
    }),
  ),
})).type;

describe("validation", () => {
  it("takes every sample, unchanged, by both halves", () => {
    fc.assert(
      fc.property(someType, fc.nat(), fc.boolean(), (type, seed, full) => {
        const value = sample(type, { types: {}, random: randomFor(seed, "x"), full });
        expect(made.exactly(type)(value)).toBe(true);
        expect(validate(type, value, {})).toEqual({ ok: true, value });
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with the fast half on any JSON", () => {
    fc.assert(
      fc.property(someType, fc.jsonValue(), (type, value) => {
        const checked = validate(type, value, {});
        if (made.exactly(type)(value)) expect(checked).toEqual({ ok: true, value });
        else if (checked.ok) expect(made.exactly(type)(checked.value)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  const finding = f.record({
    file: f.text,
    line: { kind: "int", min: 1 },
    severity: {
      kind: "union",
      of: [
        { kind: "literal", value: "low" },
        { kind: "literal", value: "high" },
      ],
    },
  });
  const shape: TypeIR = {
    kind: "union",
    tag: "kind",
    of: [f.record({ kind: { kind: "literal", value: "a" }, n: f.int }), f.record({ kind: { kind: "literal", value: "b" } })],
  };

  it.each<[TypeIR, unknown, string]>([
    [{ kind: "int", min: 1, max: 5 }, "7", 'expected int from 1 to 5, found "7"'],
    [finding, { file: "a", line: 0, severity: "low" }, "field `line`: expected int of at least 1, found 0"],
    [finding, { file: "a", line: 1, severity: "mid" }, 'field `severity`: expected "low" | "high", found "mid"'],
    [finding, { file: "a", severity: "low" }, "field `line`: expected int of at least 1, found nothing"],
    [f.list(finding, { max: 1 }), [{ file: 1, line: 1, severity: "low" }], "element `[0].file`: expected string, found 1"],
    [f.list(f.int, { max: 1 }), [1, 2], "expected a list of int with at most 1 elements, found 2 elements"],
    [shape, { kind: "a", n: "x" }, 'field `n`: expected int, found "x"'],
    [shape, { kind: "c" }, 'expected `kind` to be "a" | "b", found "c"'],
    [{ kind: "string", max: 3 }, "abcd", 'expected a string of at most 3 characters, found "abcd"'],
  ])("says what does not fit", (type, value, message) => {
    expect(validate(type, value, {})).toMatchObject({ ok: false, message });
  });

  it("cuts unknown fields, makes absent optional ones null, and knows recursive types", () => {
    const optional: TypeIR = {
      kind: "record",
      fields: [{ name: "a", type: { kind: "union", of: [f.int, { kind: "null" }] }, optional: true }],
    };
    expect(validate(optional, { b: 1 }, {})).toEqual({ ok: true, value: { a: null } });
    expect(made.cut(optional)({ b: 1 })).toEqual({ a: null });
    const types = { Tree: f.record({ v: f.int, kids: f.list({ kind: "ref", name: "Tree" }) }) };
    expect(validate({ kind: "ref", name: "Tree" }, { v: 1, kids: [{ v: 2, kids: [], x: 1 }] }, types)).toEqual({
      ok: true,
      value: { v: 1, kids: [{ v: 2, kids: [] }] },
    });
    expect(validate({ kind: "ref", name: "Tree" }, { v: 1, kids: [{ v: "x", kids: [] }] }, types)).toMatchObject({
      message: 'field `kids[0].v`: expected int, found "x"',
    });
  });

  it("counts code points", () => {
    expect(textLength("👍a")).toBe(2);
    expect(made.exactly({ kind: "string", max: 2 })("👍👍")).toBe(true);
  });
});

describe("reading answers", () => {
  it("gives back what was written as JSON, whatever stands around it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
          fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 2 }),
        ),
        fc.constantFrom("", "Here you are: ", "```json\n"),
        (value, before) => {
          const text = `${before}${JSON.stringify(value)}${before.startsWith("`") ? "\n```" : ""}`;
          const read = readJson(text);
          expect(read).toMatchObject({ ok: true });
          if (read.ok) expect(read.value).toEqual(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
  });

  it.each([
    ["", "the answer is empty"],
    ["no", "the answer holds no JSON"],
    ['{"a": 1', "the JSON ends in the middle: it may have been cut off"],
    ['{"a": 1} or {"a": 2}', "the answer has 2 JSON values, one is expected"],
    ['{"a": 1, "a": 2, x}', 'the field "a" is there twice'],
  ])("refuses %j", (text, reason) => {
    expect(readJson(text)).toEqual({ ok: false, reason });
  });

  it("never throws", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "'", ":", ",", "a", "1", " ", "\\", "/", "`", "\n") }),
        (text) => void readJson(text),
      ),
    );
  });
});
