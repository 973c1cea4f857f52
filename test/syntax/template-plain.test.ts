/** Templates of plain values and blocks are read without Handlebars' parser; they must come out as it would read them. */
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
  fc
    .tuple(fc.constantFrom("len", "json", "f"), fc.array(name, { minLength: 1, maxLength: 3 }), name)
    .map(([helper, names, last]) => `{{ ${helper} ${names.join(".")}  ${last}}}`),
  fc.constantFrom("text", " ", "\n", "{", "}", "a { b }", "é", "😀", "\\\\", "\t"),
);

/** A comment at the end sends a text through Handlebars' parser; it and what stands before it are taken off again. */
function throughHandlebars(text: string): Template {
  const { parts } = parsed(`${text}|{{!-- --}}`);
  const last = parts[parts.length - 1];
  if (last?.kind !== "TemplateText") return { parts };
  return { parts: [...parts.slice(0, -1), ...(last.text === "|" ? [] : [{ ...last, text: last.text.slice(0, -1) }])] };
}

test("a plain template is what Handlebars reads", () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
      const text = parts.join("");
      // Single braces that meet may open a tag that nothing closes.
      fc.pre(/\{\{/.test(text) && !/\\\{\{|\{\{\{|\}\}\}|\{\{(?![a-z_.0-9 ]+\}\})/.test(text));
      expect(parsed(text).parts).toEqual(throughHandlebars(text).parts);
    }),
  );
});

const space = fc.constantFrom("", "\n", " \n", "\n  ", "\r\n", " ", "text", "text\n", "\ntext", "\t\n\n ");
const value = fc.constantFrom("{{this}}", "{{ this.name }}", "{{a.b}}", "{{x}}", "{{len xs}}", "{{f a.b  this}}");
const { inside } = fc.letrec<{ inside: string; block: string }>((tie) => ({
  inside: fc.array(fc.oneof({ maxDepth: 3 }, space, value, tie("block")), { maxLength: 5 }).map((parts) => parts.join("")),
  block: fc
    .tuple(
      fc.constantFrom("each xs", "if a.b", "unless this", "with  a ", "each xs as |item|", "each this.xs as |item at|"),
      tie("inside"),
      fc.option(fc.tuple(fc.constantFrom("{{else}}", "{{ else }}"), tie("inside"))),
    )
    .map(([head, body, otherwise]) => `{{#${head}}}${body}${otherwise?.join("") ?? ""}{{/${head.split(" ")[0]}}}`),
}));

test("blocks are what Handlebars reads, the white space around them included", () => {
  fc.assert(
    fc.property(inside, (text) => {
      fc.pre(text.includes("{{") && !/\s$/.test(text) && !text.endsWith("}}"));
      expect(parsed(text).parts).toEqual(throughHandlebars(text).parts);
    }),
    { numRuns: 500 },
  );
});
