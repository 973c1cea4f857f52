/** What other languages write gets one message each, with a mend that compiles. */
import { expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { mended } from "../support/syntax.js";
import { hostOf } from "./program.js";

const PROGRAM = `model m { provider: "sim" }
tool search(q: string) -> string = module("./t.ts")
`;

test.each([
  ["type A = { a: Array<string> }", "W0202", "type A = { a: string[] }"],
  ['type A = { a: List<"x" | "y"> }', "W0202", 'type A = { a: ("x" | "y")[] }'],
  ["type A = Record<string, int[]>", "W0202", "type A = map<int[]>"],
  ["type A = { a: Optional<int> }", "W0202", "type A = { a: int? }"],
  ["type A = { a: { [key: string]: int } }", "W0160", "type A = { a: map<int> }"],
  ["type A = map<string, int>", "W0161", "type A = map<int>"],
  [
    'agent A(x: string) -> string { model: m, prompt: "Say {{ x | upper }}" }',
    "W0407",
    'agent A(x: string) -> string { model: m, prompt: "Say {{upper x}}" }',
  ],
  [
    'agent A(x: string) -> string { model: m, prompt: "Say {x}" }',
    "W0209",
    'agent A(x: string) -> string { model: m, prompt: "Say {{x}}" }',
  ],
  [
    'agent A(x: string) -> string { model: m, prompt: """\n  Say\n  { x }\n""" }',
    "W0209",
    'agent A(x: string) -> string { model: m, prompt: """\n  Say\n  {{x}}\n""" }',
  ],
  [
    'agent A() -> string { model: m, prompt: "x", tools: ["search"] }',
    "W0558",
    'agent A() -> string { model: m, prompt: "x", tools: [search] }',
  ],
  [
    'agent A() -> string { model: m, prompt: "x", max_tokens: 2k }',
    "W0550",
    'agent A() -> string { model: m, prompt: "x", max_output: 2k }',
  ],
  [
    'agent A() -> string { model: m, prompt: "x", instructions: "y" }',
    "W0550",
    'agent A() -> string { model: m, prompt: "x", system: "y" }',
  ],
  ['flow f() -> string { search({ q: "a" }) }', "W0391", 'flow f() -> string { search(q: "a") }'],
  ["flow f(xs: int[]) -> int { xs |> map(x => x + 1) |> sum }", "W0159", "flow f(xs: int[]) -> int { map x in xs { x + 1 } |> sum }"],
  ['flow f(x: string?) -> string { x || "none" }', "W0309", 'flow f(x: string?) -> string { x ?? "none" }'],
  [
    'flow f(x: string) -> string? { if x == "a" { x } else { None } }',
    "W0201",
    'flow f(x: string) -> string? { if x == "a" { x } else { null } }',
  ],
  ['flow f(xs: string[]) -> string { xs.join(", ") }', "W0335", 'flow f(xs: string[]) -> string { join(xs, ", ") }'],
  ["flow f(xs: int[]) -> int[] { xs.map(x => x + 1) }", "W0335", "flow f(xs: int[]) -> int[] { map x in xs { x + 1 } }"],
  ["flow f(x: int) -> string { `n: ${x}` }", "W0106", 'flow f(x: int) -> string { "n: {{x}}" }'],
])("%s", (source, code, wanted) => {
  const text = PROGRAM + source;
  const [problem, ...others] = compile("main.weave", hostOf({ "main.weave": text })).problems;
  expect([problem?.code, ...others.map((p) => p.code)]).toEqual([code]);
  const result = mended(text, problem);
  expect(result).toBe(PROGRAM + wanted);
  expect(compile("main.weave", hostOf({ "main.weave": result })).problems).toEqual([]);
});

test.each([
  ["type A = { a: Array }", "W0202"],
  ["flow f() -> string { `n: ${1 + 2}` }", "W0106"],
  ['agent A() -> string { model: m, prompt: "x", tools: ["two words"] }', "W0558"],
])("%s has no mend that is sure to be meant", (source, code) => {
  const [problem] = compile("main.weave", hostOf({ "main.weave": PROGRAM + source })).problems;
  expect(problem?.code).toBe(code);
  expect(problem?.fixes).toEqual([]);
});

test("a name that is declared twice is one mistake, however its uses mean it", () => {
  const source = `${PROGRAM}type Plan = { steps: string[] }\nagent Plan(goal: string) -> Plan { model: m, prompt: "{{goal}}" }\nflow f(g: string) -> Plan { Plan(g) }\n`;
  expect(compile("main.weave", hostOf({ "main.weave": source })).problems.map((p) => p.code)).toEqual(["W0203"]);
});

test.each([
  ["flow f() -> int { vote 3 { 1 } }", "`.value`"],
  ["flow f(xs: int[]) -> int[] { settle map x in xs { x } }", "`.ok`"],
  ["flow g(xs: int[]) -> int { len(xs) }\nflow f(xs: int[]) -> int { settle map x in xs { x } |> g }", "`.ok`"],
])("%s says where the results are", (source, field) => {
  const [problem] = compile("main.weave", hostOf({ "main.weave": source })).problems;
  expect(`${problem?.help}`).toContain(field);
});
