import { expect, test } from "vitest";
import { compiledCodes } from "./program.js";

const BASE = `
model m { provider: "sim" }
effect tool save(path: string) -> null = module("./t.ts")
agent Plain(x: string) -> string { model: m, prompt: "{{x}}" }
agent Build(x: string) -> string { model: m, tools: [save], prompt: "{{x}}" }
`;
const lints = (source: string): readonly string[] => {
  const whole = BASE + source;
  return compiledCodes(whole, "W10");
};

test.each([
  ["type finding = { a: int }", ["W1001 «finding»"]],
  ["flow doIt() -> int { 1 }", ["W1001 «doIt»"]],
  ["let maxFiles = 3", ["W1001 «maxFiles»"]],
  ["let MAX_FILES = 3", []],
  ["type URL = string", []],
  ['agent review_code() -> string { model: m, prompt: "x" }', []],
])("names: %s", (source, expected) => {
  expect(lints(source)).toEqual(expected);
});

test.each([
  ['let a = Build("a")\n let b = Build("b")\n [a, b]', 1],
  ['let a = Build("a")\n let b = Build(a)\n [b]', 0],
  ['let a = Build("a")\n let c = trim(a)\n let b = Build("{{c}}")\n [b]', 0],
  ['let a = Plain("a")\n let b = Plain("b")\n [a, b]', 0],
  ['let r = fork { a: Build("a"), b: Build("b") }\n [r.a]', 0],
])("order of effects: %s", (body, expected) => {
  expect(lints(`flow f() -> string[] {\n ${body}\n}`).filter((c) => c.startsWith("W1002"))).toHaveLength(expected);
});

test("an agent that is given far more than its prompt uses", () => {
  const type = "type Issue = { id: string, title: string, body: string, author: string, labels: string[], url: string }\n";
  const agent = (prompt: string) => lints(`${type}agent A(issue: Issue) -> string { model: m, prompt: "${prompt}" }`);
  expect(agent("{{issue.title}}")).toEqual(["W1003 «issue: Issue»"]);
  expect(agent("{{json issue}}")).toEqual([]);
  expect(agent("{{issue.title}} {{issue.body}} {{issue.author}} {{issue.url}}")).toEqual([]);
});

test("an orchestrator that also does the work", () => {
  const lead = (tools: string) =>
    lints(`agent Lead(x: string) -> string { model: m, tools: [${tools}], prompt: "{{x}}" }\nflow f() -> string { Lead("x") }`);
  expect(lead("Plain, save")).toHaveLength(1);
  expect(lead("Plain, Build")).toEqual([]);
  expect(lead("save")).toEqual([]);
});

test.each([
  ["map x in xs { Plain(x) }", 1],
  ["@parallel(5) map x in xs { Plain(x) }", 1],
  ["@parallel(5) @min_success(80%) map x in xs { Plain(x) }", 0],
  ["@parallel(5) map x in xs { @retry(2) Plain(x) }", 0],
  ["(@parallel(5) settle map x in xs { Plain(x) }).ok", 0],
  ["map x in few { Plain(x) }", 0],
  ["map x in xs { trim(x) }", 0],
])("fan-out: %s", (body, expected) => {
  expect(
    lints(`flow f(xs: string[], few: string[..10]) -> string[] {\n assert len(few) <= len(xs)\n ${body}\n}`).filter((c) =>
      c.startsWith("W1005"),
    ),
  ).toHaveLength(expected);
});

test.each([
  ['{ provider: "openai", name: "gpt-5-mini", price: { input: $1, output: $2 } }', "W1006"],
  ['{ provider: "anthropic", name: "claude-haiku-4-5-20251001" }', "W1007"],
])("models without a price or with a name that moves: %s", (body, code) => {
  const found = lints(`model n ${body}\nagent A() -> string { model: n, prompt: "x" }\nflow f() -> string { A() }`);
  expect(found.map((c) => c.slice(0, 5))).toEqual([code]);
});
