/** Templates of plain values and blocks are read without Handlebars' parser; they must come out as it would read them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { problems } from "../../src/diagnostics/problems.js";
import { type Span, sourceFile } from "../../src/source/source.js";
import type { TemplatePart, Text } from "../../src/syntax/ast.js";
import { plainTemplate } from "../../src/syntax/plain-template.js";
import { parseAnyTemplate } from "../../src/syntax/template.js";

const textOf = (value: string): Text => ({
  ...{ kind: "Text", value, block: false },
  ...{ runs: [{ at: 0, source: 0 }], span: { file: "x", start: 0, end: value.length } },
});

/** Handlebars' own places are sometimes one off behind a line that holds a tag alone. */
const withoutPlaces = (parts: readonly TemplatePart[]): unknown =>
  JSON.parse(JSON.stringify(parts, (key, inner: unknown) => (key === "span" ? undefined : inner)));

const plainly = (value: string): unknown => {
  const parts = plainTemplate(textOf(value), "x");
  return parts === undefined ? undefined : { parts: withoutPlaces(parts), mistakes: 0 };
};

const throughHandlebars = (value: string): unknown => {
  const found = problems();
  const { parts } = parseAnyTemplate(textOf(value), sourceFile("x", value), found);
  return { parts: withoutPlaces(parts), mistakes: found.list().length };
};

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/).filter((word) => !/^(else.*|this|true|false|null|undefined|as)$/.test(word));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("."));
const blank = fc.constantFrom("", " ", "\t", "\n", "\r\n", "\r", "\u00a0", "  \n ", "\n\n", " \r\n\t", "\u2028");
const text = fc.oneof({ weight: 3, arbitrary: blank }, fc.constantFrom("text", "a { b }", "é", "😀", "text\n", "\ntext", "\\ "));
const value = fc.oneof(
  fc.constantFrom("{{this}}", "{{ this.name }}", "{{x}}", "{{len xs}}", "{{f a.b  this}}"),
  fc.tuple(blank, path, blank).map(([before, inner, after]) => `{{${before}${inner}${after}}}`),
  fc.tuple(name, path, path).map(([helper, first, second]) => `{{ ${helper} ${first}  ${second}}}`),
);
const { inside } = fc.letrec<{ inside: string; block: string }>((tie) => ({
  inside: fc.array(fc.oneof({ maxDepth: 3 }, text, value, tie("block")), { maxLength: 6 }).map((parts) => parts.join("")),
  block: fc
    .tuple(
      fc.constantFrom("each xs", "if a.b", "unless this", "with  a ", "each xs as |item|", "each this.xs as |item at| "),
      tie("inside"),
      fc.option(fc.tuple(fc.constantFrom("{{else}}", "{{else }}"), tie("inside"))),
    )
    .map(([head, body, otherwise]) => `{{#${head}}}${body}${otherwise?.join("") ?? ""}{{/${head.split(" ")[0]}}}`),
}));

test("what is plain is read as Handlebars reads it, white space included", () => {
  fc.assert(
    fc.property(inside, (made) => {
      expect(plainly(made)).toEqual(throughHandlebars(made));
    }),
    { numRuns: 1000 },
  );
});

test("the places of plain templates are those of what stands there", () => {
  fc.assert(
    fc.property(inside, (made) => {
      JSON.stringify(plainTemplate(textOf(made), "x"), (_key, node: unknown) => {
        if (typeof node !== "object" || node === null || !("span" in node)) return node;
        const { start, end } = node.span as Span;
        const here = made.slice(start, end);
        if ("text" in node) expect(here).toBe(node.text);
        else if ("kind" in node && node.kind === "TemplatePath") expect(here).toMatch(/^[a-z_][\w.]*$/);
        else if ("kind" in node && node.kind === "TemplateCall") expect(here).toMatch(/^[a-z_][\w.]*\s.*[\w.]$/s);
        else if ("kind" in node && node.kind === "TemplateValue") expect(here).toMatch(/^\{\{(?!\{\{).*\}\}$/s);
        else expect(here).toMatch(/^\{\{#([a-z]+)\s.*\{\{\/\1\}\}$/s);
        return node;
      });
    }),
  );
});

const piece = fc.constantFrom(
  ...["{{", "}}", "#if", "/if", "else", "x", " ", "\n", ".", "this", "true", "as", "|", "~", "\\", "!", "1", "{", "-", "^"],
  ...["{{#if x}}", "{{/if}}", "{{else}}", " \n", "{{x}}", "{{f a.b}}", "{{this.x}}", "{{a.b c}}", "{{! x }}"],
);
test("what is not plain, or wrong, is left to Handlebars", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const made = pieces.join("");
      // `{{x}}}` and `{{elsewhere}}`, which Handlebars refuses, are plain.
      fc.pre(!/\}\}\}|\{\{\s*else\w/.test(made));
      const plain = plainly(made);
      if (plain !== undefined) expect(plain).toEqual(throughHandlebars(made));
    }),
    { numRuns: 2000 },
  );
});
