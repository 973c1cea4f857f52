/** Templates: the tree and its places, Handlebars' white space exactly, and a clear word for what is not supported. */
import Handlebars from "handlebars";
import { describe, expect, test } from "vitest";
import { problems } from "../../src/diagnostics/problems.js";
import type { Template, TemplateExpr, TemplatePart } from "../../src/syntax/ast.js";
import { parseTemplate } from "../../src/syntax/template.js";
import { read } from "../support/syntax.js";

function template(source: string): { template: Template; whole: string; found: readonly (readonly [code: string, marked: string])[] } {
  const whole = `let A = ${source}\n`;
  const { module, file, found: before } = read(whole);
  expect(before).toEqual([]);
  const first = module.declarations[0];
  if (first?.kind !== "LetDecl" || first.value.kind !== "Text") throw new Error("no text");
  const found = problems();
  const made = parseTemplate(first.value, file, found);
  return { template: made, whole, found: found.list().map((p) => [p.code, whole.slice(p.span.start, p.span.end)] as const) };
}

const values: Record<string, unknown> = { name: "Ada", yes: true, no: false, xs: ["a", "b"], deep: { er: "x" } };
/** Just enough to compare with Handlebars. */
function render(parts: readonly TemplatePart[], scope: Record<string, unknown>): string {
  const value = (e: TemplateExpr): unknown =>
    e.kind === "TemplatePath"
      ? e.segments.reduce<unknown>(
          (at, s) => (at as Record<string, unknown>)[s.text],
          e.self && e.segments.length === 0 ? scope["this"] : scope,
        )
      : e.kind === "TemplateLiteral"
        ? e.value
        : "";
  return parts
    .map((part) => {
      if (part.kind === "TemplateText") return part.text;
      if (part.kind === "TemplateValue") return String(value(part.value));
      const argument = part.args[0] === undefined ? undefined : value(part.args[0]);
      if (part.helper.text === "each") return (argument as unknown[]).map((item) => render(part.body, { ...scope, this: item })).join("");
      return render((argument === true) === (part.helper.text === "if") ? part.body : (part.otherwise ?? []), scope);
    })
    .join("");
}

describe("white space", () => {
  test.each([
    "Hi {{name}}!",
    "{ single } \\{{literal}} {{name}}",
    "a\n{{#if yes}}\nb\n{{/if}}\nc",
    "a\n  {{#if no}}\n  b\n  {{else}}\n  c\n  {{/if}}\nd",
    "a {{~#if yes~}} b {{~/if~}} c",
    "list:\n{{#each xs}}\n- {{this}}\n{{/each}}\nend",
    "{{#each xs}}{{this}},{{/each}}",
    "{{! note }}\n{{name}}\n{{!-- }} --}}\nx",
    "{{#unless no}}x{{else}}y{{/unless}} {{{name}}} {{&name}}",
    "{{#if no}}a{{else if yes}}b{{else}}c{{/if}}",
    "a\r\n{{#if yes}}\r\nb\r\n{{/if}}\r\nc {{deep.er}}",
  ])("of %j is as Handlebars renders it", (text) => {
    const source = `${JSON.stringify(text).replaceAll("\\\\{{", "\\{{")}`;
    const made = template(source);
    expect(made.found).toEqual([]);
    expect(render(made.template.parts, values)).toBe(Handlebars.compile(text, { noEscape: true })(values));
  });
});

describe("places", () => {
  test("of everything are those of the source, through escapes and indentation", () => {
    const source =
      '"""\n    é {{a.b}}\n      {{#each xs as |x i|}}\n      {{join x.[y z] \', \' k=(len i)}} {{../up}} {{@index}} {{this.q}}\n      {{/each}}\n    """';
    const { template: made, whole, found } = template(source);
    expect(found).toEqual([]);
    const texts: string[] = [];
    const collect = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if ("span" in value && !("body" in value))
        texts.push(whole.slice((value.span as { start: number }).start, (value.span as { end: number }).end));
      for (const inner of Object.values(value)) collect(inner);
    };
    collect(made.parts);
    expect(texts).toEqual(
      expect.arrayContaining([
        "{{a.b}}",
        "a.b",
        "a",
        "b",
        "each",
        "xs",
        "x",
        "i",
        "join",
        "x.[y z]",
        "y z",
        "', '",
        "k",
        "(len i)",
        "len",
        "../up",
        "up",
        "@index",
        "index",
        "this.q",
        "q",
      ]),
    );
  });

  test("of a name that is a part of the word `this` are those of the name", () => {
    for (const source of ['"{{this.i}}"', '"{{this.i}}{{! }}"']) {
      const { template: made, whole } = template(source);
      const [part] = made.parts;
      const segments = part?.kind === "TemplateValue" && part.value.kind === "TemplatePath" ? part.value.segments : [];
      expect(segments.map(({ span }) => span.start)).toEqual([whole.indexOf(".i") + 1]);
    }
  });

  test("are told apart by what a path is", () => {
    const { template: made } = template('"{{this}} {{.}} {{../a}} {{../..}} {{@index}} {{@../index}} {{a}}"');
    const paths = made.parts.flatMap((p) => (p.kind === "TemplateValue" && p.value.kind === "TemplatePath" ? [p.value] : []));
    expect(paths.map(({ up, self, data, segments }) => [up, self, data, segments.map((s) => s.text).join()])).toEqual([
      [0, true, false, ""],
      [0, true, false, ""],
      [1, false, false, "a"],
      [2, true, false, ""],
      [0, false, true, "index"],
      [1, false, true, "index"],
      [0, false, false, "a"],
    ]);
  });
});

describe("a mistake", () => {
  test.each([
    ['"a {{name"', "W0401", "{{"],
    ['"a {{name {{b}}"', "W0401", "{{"],
    ['"{{#each xs}} x"', "W0402", "{{#each xs}}"],
    ['"{{#if a}}x{{/each}}"', "W0403", "{{/each}}"],
    ['"x{{/each}}"', "W0404", "{{/each}}"],
    ['"a {{else}} b"', "W0405", "{{else}}"],
    ['"a {{ }} b"', "W0406", "{{ }}"],
    ['"ok {{a}} {{b c=}} {{d}}"', "W0407", "{{b c=}}"],
    ['"{{#each (len }}x{{/each}}"', "W0407", "{{#each (len }}"],
    ['"{{> header}}"', "W0408", "{{> header}}"],
    ['"{{#> layout}}x{{/layout}}"', "W0408", "{{#> layout}}"],
    ['"{{* deco}}"', "W0409", "{{* deco}}"],
    ['"{{{{raw}}}} x {{{{/raw}}}}"', "W0410", "{{{{raw}}}}"],
    ['"{{^ok}}x{{/ok}}"', "W0411", "{{^ok}}"],
    ['"{{#each xs by=id}}x{{/each}}"', "W0412", "by=id"],
    ['"{{a.b c}}"', "W0413", "a.b"],
    ['"{{#if a}}1{{else}}2{{else}}3{{/if}}"', "W0414", "{{else}}"],
  ])("in %s is %s at %j", (source, code, marked) => {
    expect(template(source).found).toEqual([[code, marked]]);
  });

  test("in block text is shown at its line", () => {
    const { found, whole } = template('"""\n      fine {{a}}\n      {{#if b}}\n      text\n    """');
    expect(found).toEqual([["W0402", "{{#if b}}"]]);
    expect(whole).toContain("{{#if b}}");
  });
});
