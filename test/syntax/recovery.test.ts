/** Every mistake is reported once, at its own place, and nothing around it is lost. */
import { describe, expect, test } from "vitest";
import { type Problem, problems } from "../../src/diagnostics/problems.js";
import { sourceFile } from "../../src/source/source.js";
import type { FlowDecl, Module } from "../../src/syntax/ast.js";
import { parse } from "../../src/syntax/parser.js";
import { mended } from "../support/syntax.js";
import { declarations, imports, statements } from "./mistakes.js";

function read(text: string): { module: Module; found: readonly Problem[]; marked: readonly string[] } {
  const found = problems();
  const module = parse(sourceFile("test.weave", text), found);
  const list = found.list();
  return { module, found: list, marked: list.map(({ span }) => text.slice(span.start, span.end)) };
}
const names = (module: Module) => module.declarations.map(({ name }) => name.text);
const lets = (module: Module, flow: string) => {
  const body = module.declarations.find((d): d is FlowDecl => d.kind === "FlowDecl" && d.name.text === flow)?.body;
  return body?.kind === "Block" ? body.statements.flatMap((s) => (s.kind === "Let" ? s.names.map((n) => n.text) : [])) : [];
};

describe("a mistake", () => {
  test.each(declarations)("in a declaration: %s", (source, code, marked) => {
    const result = read(`let BEFORE = 1\n${source}\nflow after(x: int) -> int { x }\n`);
    expect(result.found.map((p) => p.code)).toEqual([code]);
    expect(result.marked).toEqual([marked]);
    expect(names(result.module)).toContain("BEFORE");
    expect(names(result.module)).toContain("after");
  });

  test.each(statements)("in a statement: %s", (source, code, marked) => {
    const result = read(
      `let BEFORE = 1\nflow f(a: int) {\n  let first = 1\n  ${source}\n  let last = 2\n  last\n}\nflow after(x: int) -> int { x }\n`,
    );
    expect(result.found.map((p) => p.code)).toEqual([code]);
    expect(result.marked).toEqual([marked]);
    expect(names(result.module)).toEqual(expect.arrayContaining(["BEFORE", "f", "after"]));
    // A bracket that stays open may take the lines after it along; everything else leaves them alone.
    if (!source.includes("{") && !source.startsWith("}"))
      expect(lets(result.module, "f")).toEqual(expect.arrayContaining(["first", "last"]));
  });

  test.each(imports)("in an import: %s", (source, code, marked) => {
    const result = read(`${source}\nflow after(x: int) -> int { x }\n`);
    expect(result.found.map((p) => p.code)).toEqual([code]);
    expect(result.marked).toEqual([marked]);
    expect(names(result.module)).toContain("after");
  });

  test("is none where a list that is reduced stands in parentheses, or looks like a lambda", () => {
    for (const list of ["(a)", "(a ?? b)", "(a, b) => c", "(a |> g(1, 2))"])
      expect(read(`flow f() { reduce ${list} in groups of 2 with g }`).found).toEqual([]);
  });

  test("of each kind is told apart from the next one in the same file", () => {
    const result = read('flow a() { let x = 1 2\n 3 }\ntype B = { x int }\nagent C() -> string { prompt "x" }\nflow d() { return 1 }\n');
    expect(result.found.map((p) => p.code)).toEqual(["W0131", "W0130", "W0130", "W0133"]);
    expect(names(result.module)).toEqual(["a", "B", "C", "d"]);
  });

  test("that leaves a brace open points at the brace", () => {
    const text = "flow a() {\n  map x in xs {\n    f(x)\n\nflow b() { 1 }\n";
    const { found } = read(text);
    expect(found.map((p) => p.code)).toEqual(["W0122"]);
    expect(found[0]?.related.map(({ span }) => span.start)).toEqual([text.lastIndexOf("{", text.indexOf("f(x)"))]);
  });
});

describe("a fix", () => {
  test.each([
    ["let A = 'it'", 'let A = "it"'],
    ["let A = “it”", 'let A = "it"'],
    ['let A = `\\`it\\` "is"`', 'let A = "`it` \\"is\\""'],
    ["flow f(x: int) { `n: ${x}, ${ x.y }` }", 'flow f(x: int) { "n: {{x}}, {{x.y}}" }'],
    ["let A = `two\n  lines`", 'let A = """two\n  lines"""'],
    ["let A = 10min", "let A = 10m"],
    ["let A = 1;", "let A = 1"],
    ["let A = f(1 2)", "let A = f(1, 2)"],
    ["let A = f(x = 1)", "let A = f(x : 1)"],
    ["let A = a & b", "let A = a && b"],
    ["let A = a and b", "let A = a && b"],
    ["let A = a === b", "let A = a == b"],
    ["let A = not a", "let A = !a"],
    ["let A = .5", "let A = 0.5"],
    ["let A = (1", "let A = (1)"],
    ["flow f() { return 1 }", "flow f() { 1 }"],
    ["function f() { 1 }", "flow f() { 1 }"],
    ["export flow f() { 1 }", "flow f() { 1 }"],
    ["agnet A() -> string { prompt: 1 }", "agent A() -> string { prompt: 1 }"],
    ["@retry (2) flow f() { 1 }", "@retry(2) flow f() { 1 }"],
    ["flow f() { if a = 1 { 2 } }", "flow f() { if a == 1 { 2 } }"],
    ["flow f() {\n  x = 1\n}", "flow f() {\n  let x = 1\n}"],
    ["flow f() {\n  const x = 1\n  x\n}", "flow f() {\n  let x = 1\n  x\n}"],
    ["flow f() { g(1); h(2) }", "flow f() { g(1)\n h(2) }"],
    ["type A = { a: int; b: int }", "type A = { a: int, b: int }"],
    ["flow f() { a |> map(x => x + 1) |> sum }", "flow f() { map x in a { x + 1 } |> sum }"],
    ["flow f() { a |> g(1) |> map((x, i) => x + i) }", "flow f() { map x, i in (a |> g(1)) { x + i } }"],
    ["flow f() { map(a.b, g) }", "flow f() { map x in a.b { g(x) } }"],
    ["flow f() { map(a, x => { v: x, w: [x, 1] }) }", "flow f() { map x in a { v: x, w: [x, 1] } }"],
    ["flow f() { reduce(a, g) }", "flow f() { reduce a with g }"],
    ["flow f() { a.b.0 }", "flow f() { a.b[0] }"],
    ["flow f() { match a { 1 => 2, default => 3 } }", "flow f() { match a { 1 => 2, _ => 3 } }"],
    ["flow f() { match a { case 1 => 2, _ => 3 } }", "flow f() { match a { 1 => 2, _ => 3 } }"],
    ["flow f() { a |> reduce(g) |> h }", "flow f() { reduce a with g |> h }"],
  ])("of %j compiles", (text, wanted) => {
    const result = mended(text, read(text).found[0]);
    expect(result).toBe(wanted);
    expect(read(result).found).toEqual([]);
  });
});
