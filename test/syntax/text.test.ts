/** Text: escapes, block text and its indentation, and the way back from every character to the source. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Text } from "../../src/syntax/ast.js";
import { sourceOffset } from "../../src/syntax/text.js";
import { read } from "../support/syntax.js";

function text(source: string): { value: Text; whole: string; codes: readonly string[] } {
  const whole = `let A = ${source}\n`;
  const { module, found } = read(whole);
  const first = module.declarations[0];
  if (first?.kind !== "LetDecl" || first.value.kind !== "Text") throw new Error("no text");
  return { value: first.value, whole, codes: found.map((p) => p.code) };
}

describe("text on a line", () => {
  test.each([
    ['"plain"', "plain"],
    ['""', ""],
    ['"a \\"b\\" \\\\ \\/ \\n\\t\\u0041"', 'a "b" \\ / \n\tA'],
    ['"\\{{a}} {b}"', "\\{{a}} {b}"],
    ['"😀\\u00e9"', "😀é"],
  ])("%s says %j", (source, value) => {
    expect(text(source)).toMatchObject({ value: { value }, codes: [] });
  });

  test("keeps a wrong escape as it was typed and reports it", () => {
    expect(text('"a\\qb\\u00zz"')).toMatchObject({ value: { value: "a\\qb\\u00zz" }, codes: ["W0105", "W0105"] });
  });
});

describe("block text", () => {
  test.each([
    ['"""one line"""', "one line"],
    ['"""\n    a\n      b\n\n    c\n    """', "a\n  b\n\nc"],
    ['"""\n  a\n b\n"""', " a\nb"],
    ['"""\n\ta\n\t\tb\n\t"""', "a\n\tb"],
    ['"""\r\n  a\r\n  b\r\n"""', "a\nb"],
    ['"""\n  say "hi" and \\n\n  """', 'say "hi" and \\n'],
    ['"""\n  ends in a quote""""', 'ends in a quote"'],
    ['"""\n\n  a\n\n"""', "\na\n"],
    ['"""\n"""', ""],
    ['"""   """', "   "],
    ['"""a\n  b"""', "a\n  b"],
  ])("%j says %j", (source, value) => {
    expect(text(source)).toMatchObject({ value: { value, block: true }, codes: [] });
  });
});

describe("the way back to the source", () => {
  const line = fc
    .array(fc.constantFrom("a", "{{", "}}", " ", "é", "😀", '\\"', "\\\\", "\\n", "\\u0041", "\\/"), { maxLength: 12 })
    .map((parts) => `"${parts.join("")}"`);
  const block = fc
    .array(fc.tuple(fc.constantFrom("", "  ", "    ", "\t"), fc.constantFrom("", "a", "{{x}}", 'b "c"', "\\d")), { maxLength: 6 })
    .chain((lines) =>
      fc.constantFrom("\n", "\r\n").map((end) => `"""${end}${lines.map(([indent, words]) => indent + words).join(end)}${end}  """`),
    );

  test("finds every character of any text", () => {
    fc.assert(
      fc.property(fc.oneof(line, block), (source) => {
        const { value, whole } = text(source);
        const decoded: Record<string, string> = { "\n": "n", '"': '"', "\\": "\\", "/": "/", A: "u" };
        for (let i = 0; i < value.value.length; i++) {
          const at = sourceOffset(value, i);
          const typed = whole[at] ?? "";
          const meant = value.value[i] ?? "";
          // A character stands where it was typed, or where its escape begins.
          expect(typed === meant || (typed === "\\" && whole[at + 1] === decoded[meant])).toBe(true);
        }
        expect(sourceOffset(value, value.value.length)).toBeLessThanOrEqual(value.span.end);
      }),
      { numRuns: 500 },
    );
  });
});
