/** What an answer holds while it streams. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TypeIR } from "../../src/plan/ir.js";
import { partialReader, readPartial } from "../../src/runtime/partial.js";
import { shapes } from "../../src/runtime/shape.js";

const string: TypeIR = { kind: "string" };
const literal = (value: string): TypeIR => ({ kind: "literal", value });
const record = (fields: Readonly<Record<string, TypeIR>>): TypeIR => ({
  kind: "record",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, optional: false })),
});
const list = (of: TypeIR): TypeIR => ({ kind: "list", of });
const report = record({
  title: string,
  count: { kind: "int" },
  severity: { kind: "union", of: [literal("low"), literal("high")] },
  items: list(record({ file: string, line: { kind: "int" } })),
});
const so = (text: string, type: TypeIR = report, types = {}) => readPartial(text, type, types, shapes(types));

describe("a partial value", () => {
  it.each([
    ["", undefined],
    ["Here is the answer: ", undefined],
    ["{", {}],
    ['{"ti', {}],
    ['{"title"', {}],
    ['{"title": ', {}],
    ['{"title": "A go', { title: "A go" }],
    ['{"title": "A \\u00', { title: "A " }],
    ['{"title": "A \\\\', { title: "A \\" }],
    ['{"title": "A good one", "count": 4', { title: "A good one" }],
    ['{"title": "A", "count": 42,', { title: "A", count: 42 }],
    ['{"title": "A", "count": 42, "severity": "hi', { title: "A", count: 42 }],
    ['{"title": "A", "severity": "high"', { title: "A", severity: "high" }],
    ['{"items": [', { items: [] }],
    ['{"items": [{"file": "a.ts", "line": 1}, {"file": "b', { items: [{ file: "a.ts", line: 1 }, { file: "b" }] }],
    ['```json\n{"title": "A"', { title: "A" }],
    ["{title: 'A', unknown: 1, count: 3, ", { title: "A", count: 3 }],
    ['<think>{"title": "no"', undefined],
    ['<think>no</think>{"title": "yes"', { title: "yes" }],
    ['{"answer": {"title": "in', { title: "in" }],
    ['{"title": "A"}', undefined],
  ])("of %j is %j", (text, value) => expect(so(text)).toEqual(value));

  it("is of the member of a union that its tag says, or that fits best", () => {
    const shape: TypeIR = {
      kind: "union",
      tag: "kind",
      of: [record({ kind: literal("bug"), where: string }), record({ kind: literal("idea"), why: string })],
    };
    expect(so('{"kind": "idea", "why": "bec', shape)).toEqual({ kind: "idea", why: "bec" });
    expect(so('[1, 2, "th', list({ kind: "union", of: [{ kind: "int" }, string] }))).toEqual([1, 2, "th"]);
  });

  it("is of recursive types, maps and free JSON", () => {
    const tree = record({ name: string, kids: list({ kind: "ref", name: "Tree" }) });
    expect(so('{"name": "a", "kids": [{"name": "b", "kids": [{"na', { kind: "ref", name: "Tree" }, { Tree: tree })).toEqual({
      name: "a",
      kids: [{ name: "b", kids: [{}] }],
    });
    expect(so('{"a": 1, "b": 2, "c": 3', { kind: "map", of: { kind: "int" } })).toEqual({ a: 1, b: 2 });
    expect(so('{"a": [1, {"b": "x', { kind: "json" })).toEqual({ a: [1, { b: "x" }] });
  });

  it("never holds more than the whole answer, whatever it is and wherever it is cut", () => {
    const grows = (part: unknown, whole: unknown): boolean => {
      if (typeof part === "string") return typeof whole === "string" && whole.startsWith(part);
      if (Array.isArray(part)) return Array.isArray(whole) && part.every((each, i) => grows(each, whole[i]));
      if (typeof part === "object" && part !== null)
        return (
          typeof whole === "object" && Object.entries(part).every(([name, each]) => grows(each, (whole as Record<string, unknown>)[name]))
        );
      return part === whole;
    };
    const value = fc.record({
      title: fc.string(),
      count: fc.integer(),
      severity: fc.constantFrom("low", "high"),
      items: fc.array(fc.record({ file: fc.string({ unit: "binary" }), line: fc.integer() }), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(value, fc.nat(), fc.boolean(), (whole, at, pretty) => {
        const text = JSON.stringify(whole, null, pretty ? 2 : 0);
        const found = so(text.slice(0, at % text.length));
        expect(found === undefined || grows(found, whole)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("is told where it has changed, a number of times that does not grow with the length", () => {
    const text = JSON.stringify({ title: "x".repeat(5_000), items: Array.from({ length: 500 }, (_, line) => ({ file: "a.ts", line })) });
    const read = partialReader(report, {}, shapes({}));
    let told = 0;
    for (const c of text) if (read(c) !== undefined) told++;
    expect(told).toBeGreaterThan(10);
    expect(told).toBeLessThan(80);
  });
});
