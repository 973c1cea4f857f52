/** Every provider and every way to fail: the kind of failure that a run ends with, what it is charged, and what a retry does. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile, type RunError, type RunEvent, run } from "../../src/index.js";
import { protocols } from "../support/model-frames.js";
import { modelServer, type Reply } from "../support/model-server.js";

const providers = [...protocols, "command"] as const;
type Named = (typeof providers)[number];

/** What goes wrong, as a server does it and as a program that is a model does it (it prints what `claude` prints, or one's own form). */
interface Fault {
  readonly reply: Reply;
  readonly program: string;
  readonly kind: string;
  /** What the request is charged: nothing, what was told, or all that it may cost. */
  readonly charged: "nothing" | "told" | "all";
}

const prints = (value: unknown, code = 0): string => `console.log(${JSON.stringify(JSON.stringify(value))}); process.exitCode = ${code};`;
const said = (more: object) => ({ type: "result", subtype: "success", is_error: false, result: "7", total_cost_usd: 0.001, ...more });
const failed = (result: string): string => prints(said({ is_error: true, result }), 1);
const status = (code: number, type: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  kind: "status",
  status: code,
  type,
  headers,
});

const faults: Readonly<Record<string, Fault>> = {
  "a refusal": {
    reply: { kind: "answer", text: "I cannot help with that", finish: "refused" },
    program: prints(said({ result: "I cannot help with that", stop_reason: "refusal" })),
    kind: "refused",
    charged: "told",
  },
  "a content filter": {
    reply: { kind: "answer", text: "The", finish: "filtered" },
    program: prints({
      error: { kind: "refused", message: "content filter" },
      usage: { input_tokens: 1, output_tokens: 1 },
      cost_usd: 0.001,
    }),
    kind: "refused",
    charged: "told",
  },
  "an answer cut off by its limit": {
    reply: { kind: "answer", text: "7", finish: "length" },
    program: prints(said({ stop_reason: "max_tokens" })),
    kind: "invalid_output",
    charged: "told",
  },
  "an empty answer": {
    reply: { kind: "answer", text: "" },
    program: prints(said({ result: "" })),
    kind: "invalid_output",
    charged: "told",
  },
  "an answer of another type": {
    reply: { kind: "answer", text: "I do not know." },
    program: prints(said({ result: "I do not know." })),
    kind: "invalid_output",
    charged: "told",
  },
  "429 with a wait": {
    reply: status(429, "rate_limit_error", { "retry-after": "0" }),
    program: failed("API Error: 429 rate limit"),
    kind: "rate_limit",
    charged: "nothing",
  },
  "429 without a wait": {
    reply: status(429, "rate_limit_error"),
    program: failed("API Error: 429 rate limit"),
    kind: "rate_limit",
    charged: "nothing",
  },
  "500": { reply: status(500, "api_error"), program: failed("API Error: 500 internal error"), kind: "unavailable", charged: "nothing" },
  "529": { reply: status(529, "overloaded_error"), program: failed("API Error: 529 overloaded"), kind: "overloaded", charged: "nothing" },
  "a hang": { reply: { kind: "hang" }, program: "setInterval(() => undefined, 1000);", kind: "timeout", charged: "all" },
  "a connection that is cut in the middle": {
    reply: { kind: "half", text: "7 7 7 7 7 7", then: "break" },
    program: `process.stdout.write('{"type":"result","resu'); process.kill(process.pid, "SIGKILL");`,
    kind: "unavailable",
    charged: "all",
  },
  "a stream that ends in the middle": {
    reply: { kind: "half", text: "7 7 7 7 7 7", then: "end" },
    program: `console.log(JSON.stringify({ type: "thread.started", thread_id: "t" }));`,
    kind: "unavailable",
    charged: "all",
  },
};

const names: Readonly<Record<Named, string>> = {
  anthropic: "claude-haiku-4-5-20251001",
  openai: "gpt-5-mini-2025-08-07",
  google: "gemini-3-pro-preview",
  openai_compatible: "llama3.2",
  command: "",
};
const environment = {
  ANTHROPIC_API_KEY: "key-of-a-test-0123",
  OPENAI_API_KEY: "key-of-a-test-0123",
  GOOGLE_GENERATIVE_AI_API_KEY: "key-of-a-test-0123",
  PATH: process.env["PATH"],
};

/** A model of a provider that gives these replies in turn, the last one again and again. */
async function modelOf(provider: Named, turns: readonly Fault[]) {
  if (provider === "command") {
    const folder = mkdtempSync(join(tmpdir(), "weave-faults-"));
    for (const [i, { program }] of turns.entries()) writeFileSync(join(folder, `${i}.mjs`), program);
    const main = `import { appendFileSync, existsSync, readFileSync } from "node:fs";
const asked = new URL("asked", import.meta.url);
const n = existsSync(asked) ? readFileSync(asked, "utf8").length : 0;
appendFileSync(asked, "x");
await import(new URL(Math.min(n, ${turns.length - 1}) + ".mjs", import.meta.url));
`;
    writeFileSync(join(folder, "model.mjs"), main);
    const command = JSON.stringify([process.execPath, join(folder, "model.mjs")]);
    const isOwn = turns.some(({ program }) => program.includes('\\"error\\"'));
    return `provider: "command"\n  command: ${command}\n  output: "${isOwn ? "json" : "auto"}"\n  price: { request: $0.50 }`;
  }
  const server = await modelServer(turns.map(({ reply }) => reply));
  return `provider: "${provider}"\n  name: "${names[provider]}"\n  base_url: "${server.url(provider)}"\n  price: { input: $1000.00, output: $1000.00 }\n  context: 10k\n  max_output: 500`;
}

async function ended(provider: Named, turns: readonly Fault[], policies = "") {
  const source = `model m {\n  ${await modelOf(provider, turns)}\n}
${policies}
agent Ask() -> int {
  model: m
  repairs: 0
  prompt: "How many?"
}
flow main() -> int { Ask() }
`;
  const program = await compile("main.weave", { sources: { "main.weave": source } });
  const events: RunEvent[] = [];
  const handle = run(program.flow("main"), {}, { environment, onEvent: (event) => events.push({ ...event }) });
  const result = await handle.result.then(
    ({ value, spend }) => ({ value, failure: undefined, spend }),
    ({ failure, spend }: RunError) => ({ value: undefined, failure, spend }),
  );
  return { ...result, events };
}

const good: Fault = { reply: { kind: "answer", text: "7" }, program: prints(said({})), kind: "", charged: "told" };

describe.each(providers)("%s", (provider) => {
  test.each(Object.entries(faults))("%s", async (_, fault) => {
    const { failure, spend, events } = await ended(provider, [fault], fault.kind === "timeout" ? "@timeout(400ms)" : "");
    expect(failure?.kind).toBe(fault.kind);
    expect(failure?.message).not.toBe("");
    const [asked] = events.flatMap((event) => (event.kind === "model.requested" ? [event] : []));
    expect(asked).toBeDefined();
    // A program that does not say what it used is charged in full, whatever it failed with.
    const told = provider === "command" ? spend.costUsd === 0.001 || spend.costUsd === 0.5 : spend.costUsd === 0.12;
    if (fault.charged === "told") expect(told).toBe(true);
    else if (fault.charged === "nothing") expect(spend.costUsd).toBe(provider === "command" ? 0.001 : 0);
    else expect(spend.costUsd).toBeGreaterThanOrEqual(0.5);
  });

  // A hang is ended by the policy, whatever the provider: one of them shows it.
  const transient = Object.entries(faults).filter(
    ([, { kind }]) => ["rate_limit", "unavailable", "overloaded"].includes(kind) || (kind === "timeout" && provider === "anthropic"),
  );
  test.each(transient)("%s passes with a retry", async (_, fault) => {
    const { value, events } = await ended(
      provider,
      [fault, good],
      `@retry(1, backoff: 1ms) @timeout(${fault.kind === "timeout" ? "3s" : "30s"})`,
    );
    expect(value).toBe(7);
    expect(events.filter((event) => event.kind === "model.requested")).toHaveLength(2);
  });
});

describe.each(protocols)("%s", (provider) => {
  test("tool calls whose arguments are no JSON are told to the model, and the tool is not called", async () => {
    const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 2, totalTokenCount: 12 };
    const malformed = { candidates: [{ index: 0, content: {}, finishReason: "MALFORMED_FUNCTION_CALL" }], usageMetadata };
    const server = await modelServer([
      provider === "google"
        ? { kind: "frames", frames: [{ data: malformed }] }
        : { kind: "answer", calls: [{ id: "c1", name: "size", arguments: '{"word": "on' }] },
      { kind: "answer", text: "7" },
    ]);
    const source = `model m { provider: "${provider}", name: "${names[provider]}", base_url: "${server.url(provider)}", price: { input: $1.00, output: $1.00 }, context: 10k, max_output: 500 }
tool size(word: string) -> int = module("host:app")
agent Ask() -> int { model: m, tools: [size], prompt: "How many?" }
flow main() -> int { Ask() }
`;
    const program = await compile("main.weave", { sources: { "main.weave": source } });
    let called = 0;
    const size = (): number => ++called;
    expect((await run(program.flow("main"), {}, { environment, tools: { size } }).result).value).toBe(7);
    expect(called).toBe(0);
    expect(JSON.stringify(server.asked[1]?.body)).toMatch(/JSON/);
  });
});
