/**
 * The catalogue of diagnostics and its pages are held to each other: every code has a page, every page shows what the
 * compiler really says of its failing program, and nothing of the mended one. What commands print is held by the
 * end-to-end tests.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compiled, messageOf, messageOfInputs, pageCodes, readPage } from "../scripts/error-pages.js";
import { d } from "../src/diagnostics/catalogue/catalogue.js";

const SOURCES = join(import.meta.dirname, "..", "src");
const CATALOGUE = join(SOURCES, "diagnostics", "catalogue");

/** What no program, command or input of a page can cause: mistakes of the compiler, files of a size or owner of their own. */
const SHOWN_ONLY: ReadonlySet<string> = new Set(["W0115", "W0701", "W0702", "W0703", "W0910", "W0953"]);

const entries = Object.entries(d);
const codes = pageCodes();

describe("the catalogue", () => {
  test("has a code for each entry and an entry for each code", () => {
    expect(new Set(entries.map(([, { code }]) => code)).size).toBe(entries.length);
  });

  test("has each name in one family", () => {
    const names = readdirSync(CATALOGUE)
      .filter((file) => /^w\d\d/.test(file))
      .flatMap((file) => [...readFileSync(join(CATALOGUE, file), "utf8").matchAll(/^ {2}(\w+): (?:error|warning|note)\b/gm)])
      .map((match) => match[1]);
    expect([...names].sort()).toEqual(entries.map(([name]) => name).sort());
  });

  test("has nothing that is never reported", () => {
    const text = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.includes("catalogue"))
      .map((file) => readFileSync(join(SOURCES, file), "utf8"))
      .join("\n");
    expect(entries.map(([name]) => name).filter((name) => !new RegExp(`\\bd\\.${name}\\b`).test(text))).toEqual([]);
  });

  test("has a page for each code, and there is no other page", () => {
    expect(codes).toEqual(entries.map(([, { code }]) => code).sort());
  });
});

describe("the page of", () => {
  test.each(codes)("%s", async (code) => {
    const page = readPage(code);
    expect(page.title).not.toBe("");
    expect(page.message).toContain(`[${code}]`);
    if (page.inputs !== undefined) expect(await messageOfInputs(page)).toBe(page.message);
    else if (page.commands === undefined && page.failing !== undefined) {
      expect(messageOf(page.failing, code)).toBe(page.message);
      const others = compiled(page.failing).problems.filter((problem) => problem.code !== code && problem.severity !== "note");
      expect(others.map((problem) => `${problem.code} ${problem.title}`)).toEqual([]);
    } else expect(SHOWN_ONLY.has(code) || page.commands !== undefined).toBe(true);
    if (page.mended === undefined) return;
    const left = compiled(page.mended).problems.filter((problem) => problem.code === code || problem.severity !== "note");
    expect(left.map((problem) => `${problem.code} ${problem.title}`)).toEqual([]);
  });
});

test("the index lists every page", () => {
  const index = readFileSync(join(import.meta.dirname, "..", "docs", "errors", "README.md"), "utf8");
  expect(codes.filter((code) => !index.includes(`[${code}](${code}.md) ${readPage(code).title}`))).toEqual([]);
});
