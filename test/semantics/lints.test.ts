import { expect, test } from "vitest";
import { codes } from "./program.js";

const BASE = `
model m { provider: "sim" }
effect tool save(path: string) -> null = module("./t.ts")
agent Plain(x: string) -> string { model: m, prompt: "{{x}}" }
agent Build(x: string) -> string { model: m, tools: [save], prompt: "{{x}}" }
`;
const lints = (source: string): readonly string[] => codes(BASE + source, "W10");

test.each([
  ['agent review_code() -> string { model: m, prompt: "x" }', ["W1001 «review_code»"]],
  ["type finding = { a: int }", ["W1001 «finding»"]],
  ["flow doIt() -> int { 1 }", ["W1001 «doIt»"]],
  ["flow f(maxDepth: int) -> int { maxDepth }", ["W1001 «maxDepth»"]],
  ["let MAX = 3", []],
  ["type URL = string", []],
])("names: %s", (source, expected) => {
  expect(lints(source)).toEqual(expected);
});

test.each([
  ['let a = Build("a")\n let b = Build("b")\n a + b', ["W1002 «Build»"]],
  ['let a = Build("a")\n let b = Build(a)\n b', []],
  ['let a = Build("a")\n let c = trim(a)\n let b = Build("{{c}}")\n b', []],
  ['let a = Build("a")\n assert a != "", "no"\n let b = Build("b")\n a + b', []],
  ['let a = Build("a")\n let b = @after(a) Build("b")\n a + b', []],
  ['let a = Plain("a")\n let b = Plain("b")\n a + b', []],
  ['let r = fork { a: Build("a"), b: Build("b") }\n r.a', []],
])("order of effects: %s", (body, expected) => {
  expect(lints(`flow f() -> string {\n ${body}\n}`)).toEqual(expected);
});

test("an agent that is given far more than its prompt uses", () => {
  const type = "type Issue = { id: string, title: string, body: string, author: string, labels: string[], url: string }\n";
  expect(lints(`${type}agent A(issue: Issue) -> string { model: m, prompt: "{{issue.title}}" }`)).toEqual(["W1003 «issue: Issue»"]);
  expect(lints(`${type}agent A(issue: Issue) -> string { model: m, prompt: "{{json issue}}" }`)).toEqual([]);
  expect(lints(`${type}agent A(issue: Issue) -> string { model: m, prompt: "{{issue.title}} {{issue.body}} {{issue.author}}" }`)).toEqual(
    [],
  );
});

test("an orchestrator that also does the work", () => {
  expect(lints('agent Lead(x: string) -> string { model: m, tools: [Plain, save], prompt: "{{x}}" }')).toEqual(["W1004 «[Plain, save]»"]);
  expect(lints('agent Lead(x: string) -> string { model: m, tools: [Plain, Build], prompt: "{{x}}" }')).toEqual([]);
});

test.each([
  ["map x in xs { Plain(x) }", ["W1005 «map»"]],
  ["@parallel(5) map x in xs { Plain(x) }", ["W1005 «map»"]],
  ["@parallel(5) @min_success(80%) map x in xs { Plain(x) }", []],
  ["@parallel(5) map x in xs { @retry(2) Plain(x) }", []],
  ["(@parallel(5) settle map x in xs { Plain(x) }).ok", []],
  ["map x in few { Plain(x) }", []],
  ["map x in xs { trim(x) }", []],
])("fan-out: %s", (body, expected) => {
  expect(lints(`flow f(xs: string[], few: string[..10]) { len(few)\n ${body} }`).filter((c) => c.startsWith("W1005"))).toEqual(expected);
});

test("models without a price or with a name that moves", () => {
  expect(lints('model n { provider: "openai", name: "gpt-5-mini", price: { input: $1, output: $2 } }')).toEqual(['W1006 «"gpt-5-mini"»']);
  expect(lints('model n { provider: "anthropic", name: "claude-haiku-4-5-20251001" }')).toEqual(["W1007 «n»"]);
});
