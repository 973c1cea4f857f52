import { describe, expect, test } from "vitest";
import { codes, problem, typeOf } from "./program.js";

const types = (rows: readonly (readonly [string, string, string])[]) =>
  test.each(rows)("%s with (%s) is %s", (expression, params, type) => {
    expect(typeOf(expression, params)).toBe(type);
  });

describe("lengths", () => {
  types([
    ["len(xs)", "xs: string[]", "int(0..)"],
    ["len(xs)", "xs: string[2..5]", "int(2..5)"],
    ["len(s)", "s: string(..200)", "int(0..200)"],
    ["len(m)", "m: map<int>", "int(0..)"],
    ["first(xs)", "xs: int[]", "int?"],
    ["first(xs)", "xs: int[1..3]", "int"],
    ["last(xs)", "xs: int[1..]", "int"],
    ["take(xs, 3)", "xs: int[2..10]", "int[2..3]"],
    ["take(xs, n)", "xs: int[2..10], n: int", "int[..10]"],
    ["drop(xs, 3)", "xs: int[5..10]", "int[2..7]"],
    ["drop(xs, 3)", "xs: int[]", "int[]"],
    ["drop(xs, n)", "xs: int[5..10], n: int", "int[..10]"],
    ["slice(xs, 1, 3)", "xs: int[5..10]", "int[2]"],
    ["slice(xs, 2)", "xs: int[5..10]", "int[3..8]"],
    ["slice(xs, -2)", "xs: int[5..10]", "int[..10]"],
    ["chunk(xs, 3)", "xs: int[4..10]", "int[1..3][2..4]"],
    ["flatten(xss)", "xss: int[1..3][2..4]", "int[2..12]"],
    ["flatten(xss)", "xss: int[][..4]", "int[]"],
    ["flatten([])", "", "[]"],
    ["reverse(xs)", "xs: int[4..10]", "int[4..10]"],
    ["zip(xs, ys)", "xs: int[4..10], ys: string[2..20]", "{ left: int, right: string }[2..10]"],
    ["range(3)", "", "int(0..2)[3]"],
    ["range(n)", "n: int(1..5)", "int(0..4)[1..5]"],
    ["range(n)", "n: int", "int(0..)[]"],
    ["range(2, 6)", "", "int(2..5)[4]"],
    ["range(-3)", "", "int[..0]"],
  ]);
});

describe("with a function", () => {
  types([
    ["filter(xs, x => x > 2)", "xs: int[4..10]", "int[..10]"],
    ["filter(xs, x => x != null)", "xs: (int?)[..10]", "int[..10]"],
    ["xs |> filter(x => x > 2)", "xs: int[4..10]", "int[..10]"],
    ["find(xs, x => x > 2)", "xs: int[]", "int?"],
    ["any(xs, x => x > 2)", "xs: int[]", "bool"],
    ["count(xs, x => x > 2)", "xs: int[..7]", "int(0..7)"],
    ["sort_by(xs, x => x)", "xs: int[4..10]", "int[4..10]"],
    ["sort_by(xs, x => x, descending: true)", "xs: int[4..10]", "int[4..10]"],
    ["max_by(xs, x => x)", "xs: int[]", "int?"],
    ["min_by(xs, x => x)", "xs: int[1..]", "int"],
    ["group_by(xs, x => to_string(x))", "xs: int[3..10]", "{ key: string, items: int[1..10] }[1..10]"],
    ["unique(xs)", "xs: int[3..10]", "int[1..10]"],
    ["unique(xs, by: x => x % 2)", "xs: int[..10]", "int[..10]"],
    ["index_by(xs, x => to_string(x))", "xs: int[]", "map<int>"],
    ["fold(xs, 0, (acc, x) => acc + x)", "xs: int[]", "int"],
  ]);
});

describe("numbers", () => {
  types([
    ["sum(xs)", "xs: int[]", "int"],
    ["sum(xs)", "xs: money[]", "money"],
    ["mean(xs)", "xs: int[]", "float?"],
    ["mean(xs)", "xs: float(0..1)[1..]", "float(0..1)"],
    ["max(xs)", "xs: duration[]", "duration?"],
    ["max(xs)", "xs: int(1..5)[1..3]", "int(1..5)"],
    ["min(n, 5)", "n: int(1..10)", "int(1..5)"],
    ["max(n, 5)", "n: int(1..10)", "int(5..10)"],
    ["min(a, b)", "a: float, b: int", "float"],
    ["round(x)", "x: float(0..1)", "int(0..1)"],
    ["round(x, 2)", "x: float", "float"],
    ["floor(x)", "x: float", "int"],
    ["ceil(2.5)", "", "int(3)"],
    ["abs(n)", "n: int(-3..2)", "int(0..3)"],
    ["clamp(n, 1, 5)", "n: int", "int(1..5)"],
    ["div(7, 2)", "", "int"],
  ]);
});

describe("text", () => {
  types([
    ["truncate(s, 100)", "s: string", "string(..100)"],
    ["truncate(s, 100)", "s: string(..40)", "string(..40)"],
    ["slice(s, 0, 10)", "s: string", "string(..10)"],
    ["trim(s)", "s: string(..40)", "string(..40)"],
    ['split(s, ",")', "s: string", "string[1..]"],
    ['split(s, ",")[0]', "s: string", "string"],
    ["lines(s)", "s: string", "string[]"],
    ["chunk_text(s, 100)", "s: string(1..1000)", "string(..100)[1..10]"],
    ['join(xs, ", ")', "xs: int[]", "string"],
    ["estimate_tokens(s)", "s: string", "int(0..)"],
    ["matches(s, /^a/)", "s: string", "bool"],
    ["contains(s, part: s)", "s: string", "bool"],
    ["contains(xs, 3)", "xs: int[]", "bool"],
  ]);
});

describe("records, maps, json, failures", () => {
  types([
    ["values(r)", "r: { a: int, b: int }", "int[2]"],
    ["values(r)", "r: { a: int, b: string }", "(int | string)[2]"],
    ["values(r)", "r: { a: int, b: int? }", "int?[1..2]"],
    ["values(m)", "m: map<int>", "int[]"],
    ["keys(r)", "r: { a: int, b: int }", '("a" | "b")[2]'],
    ["keys(m)", "m: map<int>", "string[]"],
    ["entries(m)", "m: map<int>", "{ key: string, value: int }[]"],
    ['has(m, "k")', "m: map<int>", "bool"],
    ["merge(a, b)", "a: { x: int, y: int }, b: { y: string }", "{ x: int, y: string }"],
    ["json(r)", "r: { a: int }", "string"],
    ["parse_json(s)", "s: string", "json"],
    ['if b { 1 } else { fail("no") }', "b: bool", "1"],
    ['if b { 1 } else { fail("denied", "no") }', "b: bool", "1"],
    ["try f recover e { fail(e) }", "f: int", "int"],
    ['trust(x, "checked")', "x: untrusted string", "string"],
    ['trust(x, "checked").title', "x: { title: untrusted string }", "string"],
  ]);
});

test("a form is meant that the argument would fit if it were not null", () => {
  const { label, help } = problem("flow f(xs: string[]) -> int { len(xs[0]) }", "W0302");
  expect(label).toBe("this is a `string?`; a `string` is expected");
  expect(help).toContain("give a default with `??`");
});

test("wrong arguments are reported at the argument", () => {
  expect(codes("flow f(n: int) -> int { len(n) }", "W03")).toHaveLength(1);
  expect(codes("flow f(xs: string[]) -> int { sum(xs) }", "W03")).toHaveLength(1);
  expect(codes("flow f(r: int) -> int { len(values(r)) }", "W03")).toHaveLength(1);
});
