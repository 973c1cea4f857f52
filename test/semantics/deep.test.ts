/** However long or deep a program is, the compiler answers: with a graph or with one message, never with a throw. */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";

const n = 5000;
const many = (make: (i: number) => string, separator: string) => Array.from({ length: n }, (_, i) => make(i)).join(separator);

const cases: Readonly<Record<string, readonly [source: string, code: string | undefined]>> = {
  sums: [`flow f(a: int) -> int { ${many(() => "a", " + ")} }`, "W0387"],
  tests: [`flow f(a: bool) -> bool { ${many(() => "a", " && ")} }`, "W0387"],
  defaults: [`flow f(a: int?) -> int? { ${many(() => "a", " ?? ")} }`, "W0387"],
  pipelines: [`flow g(a: int) -> int { a }\nflow f(a: int) -> int { a ${many(() => "|> g", " ")} }`, "W0387"],
  fields: [`type T = { b: T? }\nflow f(a: T?) { a${many(() => "?.b", "")} }`, "W0387"],
  indexes: [`flow f(a: json) { a${many(() => "[0]", "")} }`, "W0387"],
  casts: [`flow f(a: json) { a${many(() => " as json", "")} }`, "W0387"],
  branches: [`flow f(a: int) -> int { ${many((i) => `if a == ${i} { ${i} }`, " else ")} else { 0 } }`, "W0387"],
  "flows without results": [many((i) => `flow f${i}(a: int) { ${i + 1 < n ? `f${i + 1}(a)` : "a"} }`, "\n"), "W0389"],
  statements: [`flow f(a: int) -> int {\n${many((i) => `let x${i} = ${i === 0 ? "a" : `x${i - 1}`} + 1`, "\n")}\nx${n - 1} }`, undefined],
  arms: [`flow f(a: int) -> int { match a { ${many((i) => `${i} => ${i}`, ", ")}, _ => 0 } }`, undefined],
  "blocks of templates": [`flow f(a: bool) -> string { "${many(() => "{{#if a}}", "")}${many(() => "{{/if}}", "")}" }`, "W0114"],
  "else ifs of templates": [`flow f(a: bool) -> string { "{{#if a}}${many(() => "{{else if a}}", "")}{{/if}}" }`, "W0114"],
  "parentheses in templates": [`flow f(a: string) -> string { "{{${many(() => "(len ", "")}a${many(() => ")", "")}}}" }`, "W0114"],
  // So many that looking through those before for each of them would never end.
  "fields of a type": [`type T = { ${Array.from({ length: 150_000 }, (_, i) => `x${i}: int`).join(", ")} }`, "W0390"],
  templates: [`flow f(a: string) -> string { "${many(() => "{{a}}", "")}" }`, undefined],
};

describe("thousands of", () => {
  test.each(Object.entries(cases))("%s", (_name, [source, code]) => {
    const { problems, ok } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    expect([...new Set(problems.map((p) => p.code))]).toEqual(code === undefined ? [] : [code]);
    expect(ok).toBe(code === undefined);
  });

  test("types of types", () => {
    const source = `${Array.from({ length: 50_000 }, (_, i) => `type T${i} = ${i + 1 < 50_000 ? `T${i + 1}` : "int"}`).join("\n")}\nflow f(a: T0) -> int { a }`;
    // How deep a type may go before it is told depends on the stack of the machine.
    const { problems } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    expect(problems.every((p) => p.code === "W0704")).toBe(true);
  });
});

describe("what goes round without an end", () => {
  test.each([
    ["messages", "channel c(string)\non c(message) { send c(message) }\nflow f(x: string) { send c(x) }"],
    [
      "models",
      `model a { fallback: [b] }\nmodel b { fallback: [a] }\nagent A(x: string) -> string { model: a, prompt: "{{x}}" }\nflow f(x: string) -> string { A(x) }`,
    ],
  ])("%s", (_name, source) => {
    const { problems } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    expect(problems.map((p) => p.code)).toEqual(["W0704"]);
  });
});
