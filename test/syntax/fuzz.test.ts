/**
 * Whatever is typed, the front end answers: it never throws, ends in bounded time, and the tree that it returns can be
 * walked. `FUZZ_RUNS` sets the number of inputs.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { problems } from "../../src/diagnostics/problems.js";
import { fileHost } from "../../src/host/files.js";
import { parseTemplate } from "../../src/syntax/template.js";
import { lex } from "../../src/syntax/tokens.js";
import { walk } from "../../src/syntax/walk.js";
import { program } from "../support/programs.js";
import { examples, read } from "../support/syntax.js";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2_000);

function survives(text: string): void {
  const { module, file, found } = read(text);
  const templates = problems();
  walk(module, (node) => {
    const { start, end } = node.span;
    if (!(start >= 0 && start <= end && end <= text.length)) throw new Error(`a span outside of the text: ${start} to ${end}`);
    if ("kind" in node && node.kind === "Text" && node.value.includes("{{")) parseTemplate(node, file, templates);
  });
  for (const problem of [...found, ...templates.list()]) {
    expect(problem.span.start).toBeGreaterThanOrEqual(0);
    expect(problem.span.end).toBeLessThanOrEqual(text.length);
    expect(problem.title).not.toMatch(/undefined|\[object|NaN/);
    expect(problem.code).toMatch(/^W0[14]\d\d$/);
    // The net under the rules is never needed.
    expect(problem.title).not.toContain("something else");
  }
}

const sources = fc.oneof(program, fc.constantFrom(...examples().map(({ text }) => text)));
const scraps = fc.constantFrom(
  "{", "}", "(", ")", "[", "]", ",", ":", ";", "=", "=>", "->", "|>", "|", "&", "?", ".", "..", "...", "@", "/", '"', '"""', "'", "//", "/*", "\n", "#",
  "let", "flow", "agent", "type", "map", "if", "else", "match", "fork", "loop", "try", "recover", "as", "in", "stub", "test", "return", "_", "x", "1", "10min",
  "{{", "}}", "\\", "\u0000", "“", "😀", "\r",
); // biome-ignore format: a list of scraps

/** The words and signs of a text, with the white space between them. */
const pieces = (text: string): string[] => text.match(/\s+|\w+|"[^"\n]*"|[^\s\w]/g) ?? [];

const mutated = fc
  .tuple(
    sources,
    fc.array(fc.tuple(fc.constantFrom("drop", "double", "swap", "insert", "replace"), fc.nat(), fc.nat(), scraps), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([text, changes]) => {
    const parts = pieces(text);
    for (const [what, a, b, scrap] of changes) {
      const i = a % Math.max(1, parts.length);
      const j = b % Math.max(1, parts.length);
      const at = parts[i] ?? "";
      if (what === "drop") parts.splice(i, 1);
      else if (what === "double") parts.splice(i, 0, at);
      else if (what === "insert") parts.splice(i, 0, scrap);
      else if (what === "replace") parts[i] = scrap;
      else [parts[i], parts[j]] = [parts[j] ?? "", at];
    }
    return parts.join("");
  });

/** Everything up to the graph and its bounds. */
function compiles(text: string): void {
  const { problems: found, ok } = compile("main.weave", fileHost(new Map([["main.weave", text]])));
  expect(ok).toBe(!found.some((problem) => problem.severity === "error"));
  for (const problem of found) expect(`${problem.title} ${problem.help ?? ""}`).not.toMatch(/undefined|\[object|NaN/);
}

describe("the compiler survives", () => {
  test("programs with words dropped, doubled, swapped and inserted", { timeout: 60_000 + RUNS * 200 }, () => {
    fc.assert(fc.property(mutated, compiles), { numRuns: Math.ceil(RUNS / 4) });
  });
});

/** A long run takes as long as it takes. */
const LONG = { timeout: 20_000 + RUNS * 50 };

describe("the front end survives", LONG, () => {
  test("programs with words dropped, doubled, swapped and inserted", () => {
    fc.assert(fc.property(mutated, survives), { numRuns: RUNS });
  });

  test("programs cut off anywhere", () => {
    fc.assert(
      fc.property(sources, fc.nat(), fc.nat(), (text, a, b) =>
        survives(text.slice(Math.min(a, b) % (text.length + 1), Math.max(a, b) % (text.length + 1))),
      ),
      {
        numRuns: Math.ceil(RUNS / 4),
      },
    );
  });

  test("words and signs in any order", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            scraps,
            scraps.map((s) => ` ${s} `),
          ),
          { maxLength: 60 },
        ),
        (parts) => survives(parts.join("")),
      ),
      { numRuns: RUNS },
    );
  });

  test("any characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), survives), { numRuns: RUNS });
  });

  test.each([
    ["(", "let A = "],
    ["[", "let A = "],
    ["{", "flow f() "],
    ["f(", "let A = "],
    ["x => ", "let A = "],
    ["!", "let A = "],
    ["settle ", "let A = "],
    ["@a(", "let A = "],
    ["map<", "type A = "],
    ["{ a: ", "type A = "],
    ["map x in xs { ", "flow f() { "],
    ["if a { ", "flow f() { "],
    ["{ a: ", "flow f() { match x { "],
  ])("10,000 times %j, with one clear word", (part, before) => {
    const { found } = read(before + part.repeat(10_000));
    expect(found.map((p) => p.code)).toEqual(["W0114"]);
    survives(`${before}${part.repeat(10_000)}\nlet B = 1\n`);
  });

  test.each([
    ["terms", "let A = 1", " + a"],
    ["stages", "let A = 1", " |> f"],
    ["fields", "let A = a", ".b"],
    ["else ifs", "let A = if a { 1 }", " else if a { 1 }"],
  ])("10,000 %s in a row, which are no mistake", (_, before, part) => {
    expect(read(before + part.repeat(10_000)).found).toEqual([]);
  });

  test("ten megabytes of one character", () => {
    for (const character of ["(", "#", "文", "\n", '"', "a", "/"]) {
      const found = problems();
      lex({ path: "test.weave", text: character.repeat(10_000_000), lineStarts: [0] }, found);
      expect(found.list().length).toBeLessThanOrEqual(2);
    }
  });
});
