/** Plain `{{name.field}}` templates are read without Handlebars; they must come out as Handlebars would read them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { problems } from "../../src/diagnostics/problems.js";
import { sourceFile } from "../../src/source/source.js";
import type { Template, Text } from "../../src/syntax/ast.js";
import { parseTemplate } from "../../src/syntax/template.js";

const parsed = (value: string): Template => {
  const found = problems();
  const text: Text = { kind: "Text", value, block: false, runs: [{ at: 0, source: 0 }], span: { file: "x", start: 0, end: value.length } };
  const template = parseTemplate(text, sourceFile("x", value), found);
  expect(found.list()).toEqual([]);
  return template;
};

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/);
const part = fc.oneof(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `{{${names.join(".")}}}`),
  fc.constantFrom("text", " ", "\n", "{", "}", "a { b }", "é", "😀", "\\\\", "\t"),
);

test("a plain template is what Handlebars reads", () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
      const text = parts.join("");
      fc.pre(text.includes("{{") && !/\\\{\{|\{\{\{|\}\}\}|\{\{(?![a-z])/.test(text));
      // A comment at the end sends the text through Handlebars and leaves nothing behind.
      const through = parsed(`${text}|{{!-- --}}`).parts;
      const last = through[through.length - 1];
      const expected = last?.kind === "TemplateText" ? [...through.slice(0, -1), { ...last, text: last.text.slice(0, -1) }] : through;
      expect(parsed(text).parts).toEqual(expected.filter((p) => p.kind !== "TemplateText" || p.text !== ""));
    }),
  );
});
