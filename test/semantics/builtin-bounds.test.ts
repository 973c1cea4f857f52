/** What the types of built-in functions promise holds for what the functions give: random arguments, run and compared. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { builtins as runtime } from "../../src/runtime/builtins.js";
import { builtins } from "../../src/semantics/builtins.js";
import { expand, INT, list, literal, type Type, typeText } from "../../src/semantics/types.js";

/** Whether a value is one of a type. */
function holds(value: unknown, type: Type): boolean {
  const t = expand(type);
  switch (t.kind) {
    case "int":
      return Number.isInteger(value) && Number(value) >= (t.min ?? -Infinity) && Number(value) <= (t.max ?? Infinity);
    case "float":
      return typeof value === "number" && value >= (t.min ?? -Infinity) && value <= (t.max ?? Infinity);
    case "string":
      return typeof value === "string" && [...value].length >= (t.min ?? 0) && [...value].length <= (t.max ?? Infinity);
    case "literal":
      return value === t.value;
    case "null":
      return value === null;
    case "list":
      return Array.isArray(value) && value.length >= t.min && value.length <= t.max && value.every((x) => holds(x, t.of));
    case "record":
      return (
        typeof value === "object" &&
        value !== null &&
        t.fields.every((f) => holds((value as Record<string, unknown>)[f.name] ?? null, f.type))
      );
    case "union":
      return t.of.some((m) => holds(value, m));
    default:
      return true;
  }
}

interface Given {
  readonly value: unknown;
  readonly type: Type;
}

const small = fc.integer({ min: -6, max: 12 });
/** A number with a type that holds it: a constant, a range around it, or any. */
const int: fc.Arbitrary<Given> = fc.tuple(small, fc.nat(4), fc.nat(4), fc.nat(3)).map(([value, below, above, form]) => ({
  value,
  type:
    form === 0
      ? literal(value)
      : form === 1
        ? INT
        : form === 2
          ? { kind: "int", min: value - below, max: value + above }
          : { kind: "int", min: value - below },
}));
const count: fc.Arbitrary<Given> = int.map(({ value, type }) => {
  const n = Math.abs(Number(value));
  return type.kind === "literal"
    ? { value: n, type: literal(n) }
    : { value: n, type: { kind: "int", min: Math.max(0, n - 2), max: n + 2 } };
});
const listOf = (item: fc.Arbitrary<Given>, type: Type): fc.Arbitrary<Given> =>
  fc.tuple(fc.array(item, { maxLength: 12 }), fc.nat(3), fc.option(fc.nat(3))).map(([items, below, above]) => ({
    value: items.map((i) => i.value),
    type: list(type, Math.max(0, items.length - below), above === null ? Number.POSITIVE_INFINITY : items.length + above),
  }));
const ints = listOf(int, INT);
const lists = listOf(
  fc.array(small, { minLength: 1, maxLength: 4 }).map((value) => ({ value, type: INT })),
  list(INT, 1, 4),
);
const text: fc.Arbitrary<Given> = fc
  .tuple(fc.string({ unit: fc.constantFrom("a", "ß", "😀", ",", "\n", " "), maxLength: 20 }), fc.nat(3), fc.nat(2))
  .map(([value, slack, form]) => {
    const length = [...value].length;
    return {
      value,
      type:
        form === 0
          ? literal(value)
          : form === 1
            ? { kind: "string" }
            : { kind: "string", min: Math.max(0, length - slack), max: length + slack },
    };
  });
const separator: fc.Arbitrary<Given> = fc.constantFrom(",", "", "a").map((value) => ({ value, type: literal(value) }));
const size: fc.Arbitrary<Given> = count.map(({ value, type }) => ({
  value: Number(value) + 3,
  type: type.kind === "literal" ? literal(Number(value) + 3) : INT,
}));

const cases: readonly (readonly [string, number, readonly fc.Arbitrary<Given>[]])[] = [
  ["len", 0, [ints]],
  ["len", 1, [text]],
  ["first", 0, [ints]],
  ["last", 0, [ints]],
  ["take", 0, [ints, int]],
  ["drop", 0, [ints, int]],
  ["slice", 0, [ints, int]],
  ["slice", 0, [ints, int, int]],
  ["slice", 1, [text, int, int]],
  ["chunk", 0, [ints, size]],
  ["flatten", 0, [lists]],
  ["reverse", 0, [ints]],
  ["zip", 0, [ints, ints]],
  ["range", 0, [int]],
  ["range", 1, [int, int]],
  ["unique", 0, [ints]],
  ["sum", 0, [ints]],
  ["mean", 0, [ints]],
  ["min", 0, [ints]],
  ["max", 0, [ints]],
  ["min", 4, [int, int]],
  ["max", 4, [int, int]],
  ["round", 0, [int]],
  ["floor", 0, [int]],
  ["ceil", 0, [int]],
  ["abs", 0, [int]],
  ["clamp", 0, [int, int, int]],
  ["split", 0, [text, separator]],
  ["lines", 0, [text]],
  ["trim", 0, [text]],
  ["chunk_text", 0, [text, size]],
  ["chunk_text", 0, [text, size, fc.constantFrom(0, 1, 2).map((value) => ({ value, type: literal(value) }))]],
  ["truncate", 0, [text, int]],
  ["estimate_tokens", 0, [text]],
];

test.each(cases)("%s (form %i)", (name, form, args) => {
  fc.assert(
    fc.property(fc.tuple(...args), (given) => {
      const signature = builtins.get(name)?.[form];
      const own = runtime[name];
      if (signature === undefined || own === undefined) throw new Error(`${name} has no form ${form}`);
      const value = own(...given.map((g) => g.value));
      const type = signature.result(
        given.map((g) => g.type),
        new Map(),
      );
      expect(
        holds(value, type),
        `${name}(${given.map((g) => JSON.stringify(g.value)).join(", ")}) = ${JSON.stringify(value)} is ${typeText(type)}`,
      ).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("every function has a type and a meaning", () => {
  expect([...builtins.keys()].filter((name) => runtime[name] === undefined)).toEqual([]);
});
