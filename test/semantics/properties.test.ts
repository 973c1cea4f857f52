import { describe, expect, test } from "vitest";
import { codes, problem } from "./program.js";

const MODEL = 'model m { provider: "sim" }\n';

describe("agents", () => {
  test("all properties at once", () => {
    expect(
      codes(
        `${MODEL}tool t() -> string = module("./t.ts")
        agent A(x: string) -> string {
          model: m, prompt: "{{x}}", system: "be short {{x}}", tools: [t], max_turns: 3, max_calls_per_turn: 2
          max_tool_result: 10k, repairs: 1, temperature: 0.2, max_output: 1k
          examples: [{ input: { x: "a" }, output: "b" }]
        }`,
        "W05",
      ),
    ).toEqual([]);
  });
  test.each([
    ['{ prompt: "x" }', ["W0552 «A»"]],
    ["{ model: m }", ["W0552 «A»"]],
    ['{ model: m, promt: "x" }', ["W0550 «promt»"]],
    ['{ model: m, prompt: "x", prompt: "y" }', ["W0551 «prompt»"]],
    ['{ model: m, prompt: "x", max_turns: n }', ["W0555 «n»"]],
    ['{ model: m, prompt: "x", tools: m }', ["W0554 «m»"]],
  ])("agent A(n: int(1..5)) -> string %s", (body, expected) => {
    expect(codes(`${MODEL}agent A(n: int(1..5)) -> string ${body}`, "W05")).toEqual(expected);
  });
});

describe("models", () => {
  test.each([
    ['{ provider: "openai", name: "x-2025-01-01", price: { input: $1, output: $2 }, context: 100k, max_concurrent: 8 }', []],
    ['{ provider: "openai_compatible", name: "x", base_url: "http://127.0.0.1/v1", api_key: secret("K") }', []],
    ['{ provider: "command", command: ["x", "-y"] }', []],
    ["{ fallback: [m] }", []],
    ["{ balance: [m], max_concurrent: 4 }", []],
    ['{ name: "x" }', ["W0552 «n»"]],
    ['{ provider: "openai" }', ["W0552 «n»"]],
    ['{ provider: "openai_compatible", name: "x" }', ["W0552 «n»"]],
    ['{ provider: "antropic", name: "x" }', ['W0553 «"antropic"»']],
    ['{ provider: openai, name: "x" }', ["W0553 «openai»"]],
    ['{ fallback: [m], name: "x" }', ['W0556 «"x"»']],
    ["{ fallback: [m], balance: [m] }", ["W0556 «[m]»"]],
    ["{ fallback: m }", ["W0554 «m»"]],
    ["{ fallback: [] }", ["W0554 «[]»"]],
    ['{ provider: "openai", name: "x", command: ["a"] }', ['W0557 «["a"]»']],
    ['{ provider: "openai", name: "x", price: { input: $1 } }', ["W0552 «{ input: $1 }»"]],
    ['{ provider: "openai", name: "x", price: { input: $1, outptu: $2 } }', ["W0550 «outptu»"]],
  ])("model n %s", (body, expected) => {
    expect(codes(`${MODEL}model n ${body}`, "W05")).toEqual(expected);
  });
});

describe("MCP servers and states", () => {
  test.each([
    ['mcp s { command: ["npx", "x"], env: { TOKEN: secret("TOKEN"), MODE: "a" } }', []],
    ['mcp s { url: "https://example.com", headers: { Authorization: secret("T") } }', []],
    ["mcp s { }", ["W0552 «s»"]],
    ['mcp s { command: ["a"], url: "b" }', ['W0556 «"b"»']],
    ['mcp s { url: "b", env: { A: "b" } }', ['W0557 «{ A: "b" }»']],
    ['state n: int = 0 { scope: "run" }', []],
    ['state n: int = 0 { scope: "forever" }', ['W0553 «"forever"»']],
  ])("%s", (source, expected) => {
    expect(codes(source, "W05")).toEqual(expected);
  });
});

describe("bindings", () => {
  const HEAD = 'mcp hub { command: ["x"] }\n';
  test.each([
    ['module("./t.ts")', []],
    ['module("./t.ts", export: "u")', []],
    ['exec(["wc", "-w", "{{path}}"], cwd: ".", env: { LANG: "C" }, parse: "text")', []],
    ['http(get: "https://example.com/{{path}}", query: { q: path, n: 3 }, pick: "a.b")', []],
    ['http(post: "https://example.com", body: { path }, headers: { Auth: "x" })', []],
    ['mcp(hub, "do")', []],
    ['modul("./t.ts")', ["W0560 «modul»"]],
    ["3", ["W0560 «3»"]],
    ["module()", ["W0561 «module()»"]],
    ['module("./t.ts", exprot: "u")', ["W0562 «exprot»"]],
    ['module("./t.ts", "u")', ['W0563 «"u"»']],
    ['module("{{path}}.ts")', ['W0555 «"{{path}}.ts"»']],
    ["exec([])", ["W0565 «[]»"]],
    ['exec("wc -w")', ['W0554 «"wc -w"»']],
    ['exec(["wc"], parse: "xml")', ['W0553 «"xml"»']],
    ["http()", ["W0564 «http()»"]],
    ['http(get: "a", post: "b")', ['W0564 «http(get: "a", post: "b")»']],
  ])("tool t(path: string) -> string = %s", (binding, expected) => {
    expect(codes(`${HEAD}tool t(path: string) -> string = ${binding}`, "W05")).toEqual(expected);
  });
});

test("a missing property says how it is written", () => {
  expect(problem('model n { provider: "openai" }', "W0552").help).toContain("name:");
});
