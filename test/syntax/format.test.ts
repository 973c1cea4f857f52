/** The formatter: nothing it does changes what a program means or loses a comment, and doing it twice changes nothing. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { format, WIDTH } from "../../src/format/format.js";
import { concat, group, hardline, indent, line, print, softline, suffix } from "../../src/format/layout.js";
import { program } from "../support/programs.js";
import { examples, meaning, read } from "../support/syntax.js";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 300);

function formatted(text: string): string {
  const { module, file, found } = read(text);
  expect(found.filter((p) => p.severity === "error")).toEqual([]);
  return format(module, file);
}
const comments = (text: string) =>
  read(text)
    .module.comments.map((c) => c.text.trimEnd())
    .sort();

function keeps(text: string): void {
  const once = formatted(text);
  expect(meaning(read(once).module)).toEqual(meaning(read(text).module));
  expect(comments(once)).toEqual(comments(text));
  expect(formatted(once)).toBe(once);
  expect(once).not.toMatch(/\n\n\n/);
}

describe("formatting keeps meaning and comments and is done once", () => {
  test.each(examples().map(({ path, text }) => [path, text] as const))("%s", (_, text) => keeps(text));

  test("of generated programs", () => {
    fc.assert(
      fc.property(program, (text) => {
        // Chance chains comparisons now and then, which is an error.
        fc.pre(!read(text).found.some((p) => p.severity === "error"));
        keeps(text);
      }),
      { numRuns: RUNS },
    );
  });

  test("of examples with other white space", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...examples()),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(" ", "  ", " /* c */ ")), { maxLength: 30 }),
        ({ text }, changes) => {
          let changed = text;
          for (const [at, space] of changes) {
            const spot = at % changed.length;
            const { module } = read(changed);
            // Outside of texts and comments, where a space stands already.
            const inside = [...module.comments.map((c) => c.span), ...texts(changed)].some((s) => s.start <= spot && spot < s.end);
            if (!inside && changed[spot] === " ") changed = changed.slice(0, spot) + space + changed.slice(spot + 1);
          }
          fc.pre(!read(changed).found.some((p) => p.severity === "error"));
          keeps(changed);
        },
      ),
      { numRuns: Math.ceil(RUNS / 10) },
    );
  });
});

/** Where the texts of a program stand. */
function texts(text: string): { start: number; end: number }[] {
  return [...text.matchAll(/"""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*"/g)].map((m) => ({ start: m.index, end: m.index + m[0].length }));
}

describe("the style", () => {
  test.each([
    ["spaces", "let   A=1+2 *3", "let A = 1 + 2 * 3\n"],
    ["parentheses that mean nothing", "let A = ((a + (b * c)))", "let A = a + b * c\n"],
    ["parentheses that mean something", "let A = (a + b) * c - (d - e)", "let A = (a + b) * c - (d - e)\n"],
    ["a cast before <", "let A = (x as int) < 3", "let A = (x as int) < 3\n"],
    ["blank lines", "let A = 1\n\n\n\nlet B = 2\nlet C = 3", "let A = 1\n\nlet B = 2\nlet C = 3\n"],
    ["fields on one line", "type A={a:int,b:int}", "type A = { a: int, b: int }\n"],
    ["fields on lines", "type A = {\na: int, b: int }", "type A = {\n  a: int\n  b: int\n}\n"],
    ["a record of names on lines", "let A = {\na, b }", "let A = {\n  a,\n  b\n}\n"],
    ["a record of one name", "let A = { a, }", "let A = { a, }\n"],
    ["a block on one line", "flow f() {a}", "flow f() { a }\n"],
    ["two statements", "flow f() {let a=1\na}", "flow f() {\n  let a = 1\n  a\n}\n"],
    ["a comment at the end", "let A = 1 // one\nlet B = 2", "let A = 1 // one\nlet B = 2\n"],
    ["a comment in empty braces", "model m { // none\n}", "model m {\n  // none\n}\n"],
    ["comments around arguments", "let A = f(a, // first\n b)", "let A = f(\n  a, // first\n  b\n)\n"],
    ["a documented union", 'type A =\n/// low\n| "x" | "y"', 'type A =\n  /// low\n  | "x"\n  | "y"\n'],
    ["annotations on their line", "@a   @b(1)\nflow f() { 1 }", "@a @b(1)\nflow f() { 1 }\n"],
    ["annotations beside", "@a @b(1) flow f() { 1 }", "@a @b(1) flow f() { 1 }\n"],
    ["a pipeline on lines", "let A = x\n|> f\n|> g(1)", "let A = x\n  |> f\n  |> g(1)\n"],
    [
      "block text",
      'agent A() -> string {\nprompt: """\n      a\n        b\n   """ }',
      'agent A() -> string {\n  prompt: """\n    a\n      b\n  """\n}\n',
    ],
    ["only comments", "// a\n\n\n// b", "// a\n\n// b\n"],
    ["nothing", "\n\n", ""],
  ])("of %s", (_, text, wanted) => {
    expect(formatted(text)).toBe(wanted);
  });

  test("breaks what is too wide, and only that", () => {
    const long = `let A = some_function(${Array.from({ length: 12 }, (_, i) => `argument_number_${i}: f(x)`).join(", ")})`;
    const lines = formatted(long).split("\n");
    expect(lines.length).toBe(15);
    for (const each of lines) expect(each.length).toBeLessThanOrEqual(WIDTH);
  });

  test("never begins a line with what starts a new statement", () => {
    const long = `flow f() {\n  let a = ${Array.from({ length: 40 }, (_, i) => `number_${i}`).join(" - ")}\n  a\n}`;
    keeps(long);
    expect(formatted(long)).not.toMatch(/^\s*-/m);
  });
});

describe("layouts", () => {
  test("break a group when it does not fit, the outer one first", () => {
    const inner = group("[", indent(softline, "aaa,", line, "bbb"), softline, "]");
    const outer = group("(", indent(softline, inner, ",", line, "c"), softline, ")");
    expect(print(outer, 40)).toBe("([aaa, bbb], c)");
    expect(print(outer, 14)).toBe("(\n  [aaa, bbb],\n  c\n)");
    expect(print(outer, 8)).toBe("(\n  [\n    aaa,\n    bbb\n  ],\n  c\n)");
  });
  test("put a suffix at the end of its line", () => {
    expect(print(concat("a", suffix(" // c"), ",", hardline, "b"), 80)).toBe("a, // c\nb");
  });
  test("write no white space before a line break", () => {
    expect(print(indent("a ", hardline, hardline, "b"), 80)).toBe("a\n\n  b");
  });
});
