/** Programs on real providers, as a process: the providers are played by a server on this machine. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { project, weave } from "../support/cli.js";
import type { Protocol } from "../support/model-frames.js";
import { type ModelServer, modelServer, type Reply } from "../support/model-server.js";

const key = "test-key-0123456789abcdef";
const keys: Readonly<Record<Protocol, Readonly<Record<string, string>>>> = {
  anthropic: { ANTHROPIC_API_KEY: key },
  openai: { OPENAI_API_KEY: key },
  google: { GOOGLE_GENERATIVE_AI_API_KEY: key },
  openai_compatible: { MY_KEY: key },
};
const models: Readonly<Record<Protocol, string>> = {
  anthropic: "claude-haiku-4-5-20251001",
  openai: "gpt-5-mini-2025-08-07",
  google: "gemini-3-pro-preview",
  openai_compatible: "llama3.2",
};

const TOOLS = `export const size = ({ word }: { word: string }) => word.length;\n`;

function program(protocol: Protocol, server: ModelServer, policies = ""): string {
  return `
model fast {
  provider: "${protocol}"
  name: "${models[protocol]}"
  base_url: "${server.url(protocol)}"
  ${protocol === "openai_compatible" ? 'api_key: secret("MY_KEY")' : ""}
  price: { input: $1.00, output: $5.00, cached_input: $0.10 }
  context: 200k
  max_output: 1k
}

/// How long a word is.
tool size(word: string) -> int = module("./tools.ts")

type Verdict = { label: "good" | "bad", sizes: int[] }

${policies}
agent Judge(text: string) -> Verdict {
  model: fast
  tools: [size]
  system: "You judge words."
  prompt: "Judge: {{text}}"
}

flow main(text: string = "ab abc") -> Verdict {
  Judge(text)
}
`;
}

const toolTurn: Reply = {
  kind: "answer",
  calls: [
    { id: "c1", name: "size", arguments: '{"word":"ab"}' },
    { id: "c2", name: "size", arguments: '{"word":"abc"}' },
  ],
  usage: { input: 1000, output: 100 },
};
const verdict: Reply = {
  kind: "answer",
  text: '{"label":"good","sizes":[2,3]}',
  usage: { input: 2000, output: 200, cached: 1000, reasoning: 50 },
};

function run(protocol: Protocol, server: ModelServer, { policies = "", args = [] }: { policies?: string; args?: readonly string[] } = {}) {
  const cwd = project({ "a.weave": program(protocol, server, policies), "tools.ts": TOOLS });
  return weave(["run", "a.weave", ...args], { cwd, env: keys[protocol] });
}

describe.each(["anthropic", "openai", "google", "openai_compatible"] as const)("%s", (protocol) => {
  test("runs tools, gives a typed value and counts what it costs", async () => {
    const server = await modelServer([toolTurn, verdict]);
    const { code, out, err } = await run(protocol, server, { args: ["--json"] });
    expect(err).toContain("completed");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      status: "completed",
      value: { label: "good", sizes: [2, 3] },
      simulated: false,
      // 1000 and 100 tokens, then 1000, 1000 from the cache and 200.
      spend: { cost_usd: 0.0036, input_tokens: 3000, output_tokens: 300, calls: 3, tool_calls: 2 },
    });
    expect(server.asked).toHaveLength(2);
    expect(JSON.stringify(server.asked[1]?.body)).toMatch(/"2"|:2\b/);
    expect(out + err).not.toContain(key);
  });

  test("streams as events that name the agent, without the key", async () => {
    const server = await modelServer([toolTurn, verdict]);
    const { code, out, err } = await run(protocol, server, { args: ["--events"] });
    expect([code, (out + err).includes(key)]).toEqual([0, false]);
    const events = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: { kind: string; agent?: string; text?: string; reasoningTokens?: number } }).event);
    const deltas = events.filter(({ kind }) => kind === "model.delta");
    expect(new Set(deltas.map(({ agent }) => agent))).toEqual(new Set(["Judge"]));
    expect(deltas.map(({ text }) => text).join("")).toBe('{"label":"good","sizes":[2,3]}');
    expect(events.findLast(({ kind }) => kind === "model.answered")).toMatchObject({ reasoningTokens: 50, cachedInputTokens: 1000 });
  });

  test("waits as it is told and tries again", async () => {
    const limited: Reply = { kind: "status", status: 429, headers: { "retry-after-ms": "20" } };
    const server = await modelServer([limited, { kind: "status", status: 529 }, toolTurn, verdict]);
    const { code, out } = await run(protocol, server, { policies: "@retry(5, backoff: 1ms)", args: ["--json"] });
    expect(code).toBe(0);
    // What is refused before it began costs nothing.
    expect(JSON.parse(out)).toMatchObject({ value: { label: "good" }, spend: { cost_usd: 0.0036 } });
  });

  test("charges half of an answer in full", async () => {
    const server = await modelServer([{ kind: "half", text: '{"label":"good","sizes":[2,3]}', then: "break" }]);
    const { code, out } = await run(protocol, server, { args: ["--json"] });
    expect(code).toBe(1);
    const result = JSON.parse(out);
    expect(result.failure.kind).toBe("unavailable");
    // All of the output that it might have had, and its input at one token a byte.
    expect(result.spend.cost_usd).toBeGreaterThan(0.005);
    expect(result.spend.cost_usd).toBeLessThan(0.02);
  });

  test.each<readonly [string, Reply, string, string]>([
    ["a wrong key", { kind: "status", status: 401, message: `Incorrect API key provided: ${key}` }, "auth", "does not accept the key in"],
    ["a refusal", { kind: "answer", text: "I cannot help", finish: "refused" }, "refused", "refused"],
    ["a cut-off", { kind: "answer", text: '{"label":', finish: "length" }, "invalid_output", "cut off because it is too long"],
    ["no answer", { kind: "answer" }, "invalid_output", "the answer is empty"],
    ["too long a request", { kind: "status", status: 400, message: "prompt is too long" }, "context_too_long", "too long"],
  ])("tells %s", async (_, reply, kind, message) => {
    const { code, out, err } = await run(protocol, await modelServer([reply]), { args: ["--json"] });
    expect(code).toBe(1);
    expect(JSON.parse(out).failure).toMatchObject({ kind, message: expect.stringContaining(message) });
    expect(out + err).not.toContain(key);
  });
});

describe("what is missing is told before the run", () => {
  test("a key, with its variable and a way without it", async () => {
    const server = await modelServer([verdict]);
    const cwd = project({ "a.weave": program("anthropic", server), "tools.ts": TOOLS });
    const { code, out, err } = await weave(["run", "a.weave"], { cwd });
    expect([code, out]).toEqual([3, ""]);
    expect(err).toContain("error[W0904]: The model `fast` needs a key: ANTHROPIC_API_KEY is not set");
    expect(err).toContain("--sim");
    expect(server.asked).toEqual([]);
    expect((await weave(["run", "a.weave", "--sim"], { cwd })).code).toBe(0);
  });

  test("an address", async () => {
    const cwd = project({ "a.weave": program("anthropic", await modelServer([verdict])), "tools.ts": TOOLS });
    const { code, err } = await weave(["run", "a.weave", "--model", "fast=openai_compatible/llama3.2"], { cwd });
    expect(code).toBe(3);
    expect(err).toContain("W0909");
    expect(err).toContain("OPENAI_COMPATIBLE_BASE_URL");
  });
});

describe("--model", () => {
  test("asks another provider", async () => {
    const server = await modelServer([verdict]);
    const cwd = project({ "a.weave": program("anthropic", server), "tools.ts": TOOLS });
    const env = { OPENAI_COMPATIBLE_BASE_URL: server.url("openai_compatible"), OPENAI_COMPATIBLE_API_KEY: key };
    const { code, out, err } = await weave(["run", "a.weave", "--json", "--model", "fast=openai_compatible/llama3.2"], { cwd, env });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ value: { label: "good" }, spend: { cost_usd: 0 } });
    expect(err).toContain("warning[W0962]: No price is known for openai_compatible/llama3.2");
    expect(server.asked[0]).toMatchObject({ protocol: "openai_compatible", body: { model: "llama3.2" } });
    expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${key}`);
  });

  test("keeps the address for another model of the same provider, and knows the prices of std/models", async () => {
    const server = await modelServer([verdict]);
    const cwd = project({ "a.weave": program("anthropic", server), "tools.ts": TOOLS });
    const args = ["run", "a.weave", "--json", "--model", "fast=anthropic/claude-sonnet-4-5-20250929"];
    const { code, out } = await weave(args, { cwd, env: keys.anthropic });
    expect(code).toBe(0);
    // 1000 tokens at $3, 1000 from the cache at $0.30, 200 at $15 a million.
    expect(JSON.parse(out).spend.cost_usd).toBeCloseTo(0.0063, 9);
    expect(server.asked[0]?.body.model).toBe("claude-sonnet-4-5-20250929");
  });

  test("sends the key of the environment only to the address of the environment", async () => {
    const server = await modelServer([verdict]);
    const text = program("openai_compatible", server).replace('api_key: secret("MY_KEY")', "");
    const cwd = project({ "a.weave": text, "tools.ts": TOOLS });
    expect((await weave(["run", "a.weave"], { cwd, env: { OPENAI_COMPATIBLE_API_KEY: key } })).code).toBe(0);
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
  });
});

describe("a request that hangs", () => {
  test("ends by its timeout, and is charged in full", async () => {
    const server = await modelServer([{ kind: "hang" }]);
    const { code, out } = await run("anthropic", server, { policies: "@timeout(2s)", args: ["--json"] });
    expect(code).toBe(1);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ status: "failed", failure: { kind: "timeout" } });
    expect(result.spend.cost_usd).toBeGreaterThan(0.005);
    await server.closed(0);
  });
});

describe("a fan-out", () => {
  test("asks together, without a warning of the platform", async () => {
    const server = await modelServer(({ body }, n) =>
      n % 5 === 0
        ? { kind: "status", status: 429, headers: { "retry-after-ms": "5" } }
        : { kind: "answer", text: `seen ${body.messages.length}` },
    );
    const text = `
model fast { provider: "anthropic", name: "claude-haiku-4-5-20251001", base_url: "${server.url("anthropic")}", price: { input: $1.00, output: $5.00 } }
@retry(6, backoff: 1ms)
agent See(n: int) -> string { model: fast, prompt: "See {{n}}" }
flow main() -> int { len(map n in range(60) { See(n) }) }
`;
    const { code, out, err } = await weave(["run", "a.weave"], { cwd: project({ "a.weave": text }), env: keys.anthropic });
    expect([code, out]).toEqual([0, "60\n"]);
    expect(err).not.toMatch(/Warning:|MaxListeners/);
    expect(server.asked).toHaveLength(75);
  });
});

describe("weave models", () => {
  test("shows what std/models has", async () => {
    const { code, out } = await weave(["models", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ name: "haiku", provider: "anthropic", price: { input: 1, output: 5 } }),
    );
  });
});

describe("groups of models", () => {
  test("go on to the next one", async () => {
    const server = await modelServer((asked) => (asked.protocol === "anthropic" ? { kind: "status", status: 529 } : verdict));
    const text = `${program("anthropic", server).replace("model: fast\n", "model: robust\n")}
model other { provider: "openai", name: "gpt-5-mini-2025-08-07", base_url: "${server.url("openai")}", price: { input: $1.00, output: $5.00 } }
model robust { fallback: [fast, other] }
`;
    const cwd = project({ "a.weave": text, "tools.ts": TOOLS });
    const { code, out } = await weave(["run", "a.weave"], { cwd, env: { ...keys.anthropic, ...keys.openai } });
    expect([code, JSON.parse(out)]).toEqual([0, { label: "good", sizes: [2, 3] }]);
    expect(server.asked.map(({ protocol }) => protocol)).toEqual(["anthropic", "openai"]);
  });
});

describe("a program as a model", () => {
  const agent = (more: string): string => `
model helper { provider: "command", command: ["${process.execPath}", "helper.mjs"], env: { KEY: secret("HELPER_KEY") }, ${more} }
agent Answer(question: string(..100)) -> { answer: int } { model: helper, prompt: "{{question}}" }
@budget($1.00)
flow main(question: string(..100) = "Six times seven?") -> int { Answer(question).answer }
`;
  const helper = (cost: number): string => `
import { readFileSync } from "node:fs";
const asked = readFileSync(0, "utf8");
if (!asked.includes("Six times seven?") || process.env.KEY !== "helper-key-0123456789") process.exit(3);
console.log(JSON.stringify({ type: "result", subtype: "success", result: "It is {answer: 42} " + process.env.KEY, total_cost_usd: ${cost}, usage: { input_tokens: 9000, output_tokens: 1000 } }));
`;
  const run = (cost: number, args: readonly string[] = []) => {
    const cwd = project({ "a.weave": agent("price: { request: $0.25 }"), "helper.mjs": helper(cost) });
    return weave(["run", "a.weave", ...args], { cwd, env: { HELPER_KEY: "helper-key-0123456789" } });
  };

  test("answers with a typed value, costs what it reports, and its key is nowhere", async () => {
    const { code, out } = await run(0.0123, ["--json"]);
    expect([code, JSON.parse(out)]).toMatchObject([0, { value: 42, spend: { cost_usd: 0.0123, input_tokens: 9000, output_tokens: 1000 } }]);
    const events = await run(0.0123, ["--events"]);
    expect(events.code).toBe(0);
    expect(events.out).toContain("It is {answer: 42} [key]");
    expect(events.out + events.err).not.toContain("helper-key");
  });

  test("that costs more than it may is told, and nothing more is sent under the budget", async () => {
    const { out } = await run(0.4, ["--events"]);
    expect(out).toContain("budget.overran");
  });

  test("has a bound by the price of a request, and none without a price", async () => {
    const check = (more: string) => weave(["check", "a.weave"], { cwd: project({ "a.weave": agent(more) }) });
    expect((await check("price: { request: $0.25 }")).out).toContain("cost ≤ $0.75");
    const { code, err } = await check('output: "text"');
    expect([code, err]).toEqual([3, expect.stringContaining("W0803")]);
  });
});

describe("media", () => {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
  const source = (server: ModelServer): string => `
model seeing {
  provider: "anthropic"
  name: "claude-haiku-4-5-20251001"
  base_url: "${server.url("anthropic")}"
  price: { input: $1.00, output: $5.00 }
  media: { image: 1_600, document: 20k }
  context: 200k
  max_output: 1k
}
agent Compare(photos: image[1..3], rules: document?) -> "same" | "different" {
  model: seeing
  prompt: "Are these the same? {{#each photos}}{{this}}{{/each}}{{#if rules}} By these rules: {{rules}}{{/if}}"
}
@budget($0.50)
flow main(photos: image[1..3], rules: document?) -> string { Compare(photos, rules) }
`;

  test("goes from the command line to the model, and is bounded before", async () => {
    const server = await modelServer([{ kind: "answer", text: '{"answer":"same"}', usage: { input: 3000, output: 5 } }]);
    const cwd = project({ "a.weave": source(server), "rules.md": "Colour counts.\n" });
    writeFileSync(join(cwd, "a.png"), Buffer.from(png, "base64"));
    const inline = JSON.stringify({ data: png, media_type: "image/png" });
    const args = ["--input", "in.json"];
    writeFileSync(join(cwd, "in.json"), `{ "photos": ["a.png", ${inline}], "rules": "rules.md" }`);
    const ran = await weave(["run", "a.weave", ...args, "--json"], { cwd, env: keys.anthropic });
    expect([ran.code, JSON.parse(ran.out)]).toMatchObject([0, { value: "same", spend: { input_tokens: 3000 } }]);
    const body = JSON.stringify(server.asked[0]?.body);
    expect(body.split(png)).toHaveLength(3);
    expect(body).toContain("Colour counts.");
    const lone = await weave(["run", "a.weave", "--photos", "a.png"], { cwd, env: keys.anthropic });
    expect([lone.code, lone.out]).toEqual([0, "same\n"]);
    const check = await weave(["check", "a.weave"], { cwd });
    expect(check.out).toContain("budget $0.50 is enough");
    const missing = await weave(["run", "a.weave", "--photos", "b.png"], { cwd, env: keys.anthropic });
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining("the image b.png cannot be read: there is no such file")]);
    expect(server.asked).toHaveLength(2);
  });
});

describe("examples", () => {
  test("a program as a model answers for real, without a key", async () => {
    const texts = JSON.stringify(["It crashes when I print.", "Could it print in colour?"]);
    const { code, out, err } = await weave(["run", "examples/program_as_model.weave", "--no-store", "--texts", texts]);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      [
        { kind: "bug", texts: ["It crashes when I print."] },
        { kind: "wish", texts: ["Could it print in colour?"] },
      ],
    ]);
    expect(err).toContain("$0.00020");
  });
});

test("what came from the cache, went into it and was thought stands in the summary, in `show` and in JSON", async () => {
  const server = await modelServer([
    {
      kind: "answer",
      text: '{"label":"good","sizes":[]}',
      usage: { input: 1_500, output: 300, cached: 1_000, written: 200, reasoning: 120 },
    },
  ]);
  const cwd = project({ "main.weave": program("anthropic", server), "tools.ts": TOOLS });
  const run = await weave(["run", "main.weave"], { cwd, env: keys.anthropic });
  const text = "1,500 tokens in (1,000 from the cache, 200 into it), 300 out (120 reasoning)";
  expect(run.err).toContain(` · ${text} · $`);
  const shown = await weave(["show"], { cwd });
  expect(shown.out).toContain(`${text} · $`);
  const json = await weave(["show", "--json"], { cwd });
  expect(JSON.parse(json.out).spend).toMatchObject({ cached_input_tokens: 1_000, cache_write_tokens: 200, reasoning_tokens: 120 });
});
