/** The AI SDK providers against a local server that speaks each of their interfaces. */
import { describe, expect, test } from "vitest";
import { realClock } from "../../src/host/clock.js";
import { aiSdk } from "../../src/host/providers/ai-sdk.js";
import type { Json, ModelIR, TypeIR } from "../../src/plan/ir.js";
import type { ModelAnswer, ModelRequest } from "../../src/runtime/provider.js";
import { jsonSchema } from "../../src/runtime/schema.js";
import { type Protocol, protocols } from "../support/model-frames.js";
import { type ModelServer, modelServer, nobody, type Reply } from "../support/model-server.js";

const key = "test-key-0123456789abcdef";
const names: Readonly<Record<Protocol, string>> = {
  anthropic: "claude-haiku-4-5-20251001",
  openai: "gpt-5-mini-2025-08-07",
  google: "gemini-3-pro-preview",
  openai_compatible: "llama3.2",
};

const string: TypeIR = { kind: "string" };
const verdict: TypeIR = {
  kind: "record",
  fields: [
    { name: "label", optional: false, type: { kind: "union", of: ["good", "bad"].map((value) => ({ kind: "literal", value })) } },
    { name: "note", optional: true, type: { kind: "union", of: [{ kind: "string", max: 80 }, { kind: "null" }] } },
  ],
};
const list: TypeIR = { kind: "list", of: { kind: "int" } };
const counts: TypeIR = { kind: "map", of: { kind: "int" } };

const lookup = {
  name: "lookup",
  description: "Looks a word up.",
  parameters: jsonSchema({ kind: "record", fields: [{ name: "word", type: string, optional: false }] }, {}),
  parameterTypes: [{ name: "word", type: string, optional: false }],
};

function requestOf(
  protocol: Protocol,
  url: string,
  more: Partial<ModelRequest> = {},
  options: Readonly<Record<string, Json>> = {},
): ModelRequest {
  const model: ModelIR = {
    id: "m",
    name: "m",
    span: { file: "a.weave", start: 0, end: 1 },
    provider: protocol,
    model: names[protocol],
    options,
  };
  const answer = more.answer ?? string;
  return {
    model,
    agent: "Reviewer",
    path: "main/Reviewer",
    attempt: 1,
    turn: 1,
    seed: 1,
    system: "Be brief.",
    messages: [{ role: "user", text: "Say something." }],
    schema: answer.kind === "string" ? undefined : jsonSchema(answer, more.types ?? {}),
    answer,
    types: {},
    tools: [],
    temperature: undefined,
    maxOutput: 500,
    inputBound: 1000,
    apiKey: undefined,
    baseUrl: url,
    limits: { calls: 8, turns: 0, repairs: 2 },
    ...more,
  };
}

interface Asking {
  readonly more?: Partial<ModelRequest>;
  readonly options?: Readonly<Record<string, Json>>;
  readonly signal?: AbortSignal;
  readonly deltas?: string[];
}

function ask(protocol: Protocol, server: ModelServer | string, asking: Asking = {}): Promise<ModelAnswer> {
  const url = typeof server === "string" ? server : server.url(protocol);
  const { more, options, signal = new AbortController().signal, deltas = [] } = asking;
  const clock = { ...realClock(), wall: () => Date.UTC(2026, 0, 1) };
  return aiSdk(protocol, { key, baseUrl: undefined }).ask(requestOf(protocol, url, more, options), {
    signal,
    onAbort: () => undefined,
    clock,
    onDelta: (text) => deltas.push(text),
  });
}

async function failureOf(protocol: Protocol, reply: Reply, asking: Asking = {}) {
  const server = await modelServer([reply]);
  const thrown = await ask(protocol, server, asking).then(
    (answer) => Promise.reject(new Error(`an answer came: ${JSON.stringify(answer)}`)),
    (found: unknown) => found,
  );
  expect(JSON.stringify(thrown)).not.toContain(key);
  return thrown;
}

const free = { inputTokens: 0, outputTokens: 0 };

describe.each(protocols)("%s", (protocol) => {
  test("answers with text as it comes, and usage", async () => {
    const server = await modelServer([
      { kind: "answer", text: "Hello to all of you", usage: { input: 120, output: 40, cached: 30, reasoning: 15 } },
    ]);
    const deltas: string[] = [];
    const answer = await ask(protocol, server, { deltas, more: { temperature: 0.5 } });
    expect(answer).toMatchObject({
      text: "Hello to all of you",
      toolCalls: [],
      finish: "stop",
      usage: { inputTokens: 120, outputTokens: 40, cachedInputTokens: 30, reasoningTokens: 15 },
    });
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join("")).toBe("Hello to all of you");

    const [asked] = server.asked;
    expect(asked?.protocol).toBe(protocol);
    expect(JSON.stringify(asked?.body)).toContain("Be brief.");
    expect(JSON.stringify(asked?.body)).toContain("Say something.");
    expect(JSON.stringify(asked?.headers)).toContain(key);
    const { body } = asked ?? { body: {} };
    expect(body.max_tokens ?? body.max_output_tokens ?? body.generationConfig?.maxOutputTokens).toBe(500);
  });

  test("gives back usage as unknown where none is told", async () => {
    const server = await modelServer([{ kind: "answer", text: "Hello", usage: "none" }]);
    // The interface of Anthropic has no answer without usage.
    if (protocol === "anthropic") return;
    const answer = await ask(protocol, server).catch((thrown: unknown) => thrown);
    expect(answer).toMatchObject(protocol === "openai_compatible" ? { text: "Hello", usage: undefined } : { text: "Hello" });
    expect((answer as ModelAnswer).usage).toBeUndefined();
  });

  test("asks for parallel tool calls and gives results and errors back", async () => {
    const server = await modelServer([
      {
        kind: "answer",
        text: "I look it up.",
        reasoning: "Two words.",
        calls: [
          { id: "c1", name: "lookup", arguments: '{"word":"one"}' },
          { id: "c2", name: "lookup", arguments: '{"word":"two"}' },
        ],
      },
      { kind: "answer", text: "done" },
    ]);
    const first = await ask(protocol, server, { more: { tools: [lookup], limits: { calls: 8, turns: 2, repairs: 2 } } });
    expect(first).toMatchObject({
      text: "I look it up.",
      finish: "tools",
      toolCalls: [
        { id: "c1", name: "lookup", arguments: { word: "one" } },
        { id: "c2", name: "lookup", arguments: { word: "two" } },
      ],
    });
    const messages: ModelRequest["messages"] = [
      { role: "user", text: "Say something." },
      { role: "assistant", text: first.text, toolCalls: first.toolCalls, replay: JSON.parse(JSON.stringify(first.replay ?? null)) },
      { role: "tool", callId: "c1", name: "lookup", text: "the first", failed: false },
      { role: "tool", callId: "c2", name: "lookup", text: "it is gone", failed: true },
      { role: "user", text: "Answer now." },
    ];
    const last = await ask(protocol, server, { more: { tools: [lookup], messages } });
    expect(last).toMatchObject({ text: "done", finish: "stop" });
    const [once, again] = server.asked.map(({ body }) => JSON.stringify(body));
    expect(once).toContain("Looks a word up.");
    for (const part of ["I look it up.", "the first", "it is gone", "Answer now.", "Looks a word up."]) expect(again).toContain(part);
    // In the last turn tools are told, but may not be called.
    expect(again).toMatch(/"tool_choice":(?:"none"|\{"type":"none"\})|"mode":"NONE"/);
    // What the model wants to see again.
    if (protocol !== "openai_compatible") expect(again).toMatch(/signed-by-the-model|sealed-by-the-model/);
  });

  test("takes typed answers by schema", async () => {
    const server = await modelServer([
      { kind: "answer", text: '{"label":"good","note":null}' },
      { kind: "answer", text: '{"answer":[1,2,3]}' },
      { kind: "answer", text: '{"a":1}' },
    ]);
    expect((await ask(protocol, server, { more: { answer: verdict } })).text).toBe('{"label":"good","note":null}');
    expect((await ask(protocol, server, { more: { answer: list } })).text).toBe("[1,2,3]");
    expect((await ask(protocol, server, { more: { answer: counts } })).text).toBe('{"a":1}');
    const [record, wrapped, open] = server.asked.map(({ body }) => body);
    const sent = (body: typeof record) =>
      body.output_config?.format?.schema ??
      body.text?.format?.schema ??
      body.generationConfig?.responseJsonSchema ??
      body.response_format?.json_schema?.schema;
    expect(sent(record)).toMatchObject({
      type: "object",
      required: ["label", "note"],
      additionalProperties: false,
      properties: { label: { type: "string", enum: ["good", "bad"] } },
    });
    expect(JSON.stringify(sent(record))).not.toContain("maxLength");
    expect(sent(wrapped)).toMatchObject({ type: "object", properties: { answer: { type: "array" } } });
    // A map has no strict form: its schema stands in the prompt.
    expect(sent(open)).toBeUndefined();
    expect(JSON.stringify(open)).toContain("fits this JSON Schema");
  });

  test("asks for a typed answer while tools may still be called", async () => {
    const server = await modelServer([{ kind: "answer", text: '{"label":"good","note":null}' }]);
    const tools = { tools: [lookup], limits: { calls: 8, turns: 2, repairs: 2 } };
    const answer = await ask(protocol, server, { more: { answer: verdict, ...tools } });
    expect(answer.text).toBe('{"label":"good","note":null}');
    const { body } = server.asked[0] ?? {};
    // Servers that decode by a grammar could not call a tool any more.
    if (protocol === "openai_compatible") expect(body.response_format).toBeUndefined();
    expect(JSON.stringify(body)).toMatch(/label/);
  });

  test.each([
    [429, "rate_limit_error", "rate_limit"],
    [529, "overloaded_error", "overloaded"],
    [503, "unavailable", "overloaded"],
    [500, "api_error", "unavailable"],
    [502, "bad_gateway", "unavailable"],
    [401, "authentication_error", "auth"],
    [403, "permission_error", "auth"],
    [404, "not_found_error", "refused"],
    [400, "invalid_request_error", "refused"],
    [413, "request_too_large", "context_too_long"],
  ])("maps an HTTP %i with %s to %s, which costs nothing", async (status, type, kind) => {
    expect(await failureOf(protocol, { kind: "status", status, type, message: `no: ${key} or ${key.slice(0, 8)}***` })).toMatchObject({
      kind,
      usage: free,
      committed: "no",
    });
  });

  test("does not know what a gateway's timeout cost", async () => {
    expect(await failureOf(protocol, { kind: "status", status: 504, body: "<html>" })).toMatchObject({
      kind: "timeout",
      usageUnknown: true,
    });
  });

  test("reads how long to wait", async () => {
    const wait = async (headers: Readonly<Record<string, string>>) =>
      ((await failureOf(protocol, { kind: "status", status: 429, headers })) as { retryAfterMs?: number }).retryAfterMs;
    expect(await wait({ "retry-after": "7" })).toBe(7000);
    expect(await wait({ "retry-after-ms": "250", "retry-after": "9" })).toBe(250);
    expect(await wait({ "retry-after": "Thu, 01 Jan 2026 00:00:05 GMT" })).toBe(5000);
    expect(await wait({})).toBeUndefined();
  });

  test.each([
    "This model's maximum context length is 8192 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "The input token count (1100000) exceeds the maximum number of tokens allowed",
    "context_length_exceeded",
  ])("knows a request that is too long: %s", async (message) => {
    expect(await failureOf(protocol, { kind: "status", status: 400, message })).toMatchObject({ kind: "context_too_long" });
  });

  test.each(["insufficient_quota", "credit balance is too low"])("does not retry without credit: %s", async (message) => {
    expect(await failureOf(protocol, { kind: "status", status: 429, type: "insufficient_quota", message })).toMatchObject({ kind: "auth" });
  });

  test("tells refusals and answers that are too long by how they end", async () => {
    const refused = await modelServer([{ kind: "answer", text: "I cannot help with that", finish: "refused" }]);
    expect(await ask(protocol, refused)).toMatchObject({ finish: "refused" });
    const long = await modelServer([{ kind: "answer", text: "It goes on and on", finish: "length" }]);
    expect(await ask(protocol, long)).toMatchObject({ finish: "length", text: "It goes on and on" });
  });

  test("gives an empty answer back as it is", async () => {
    expect(await ask(protocol, await modelServer([{ kind: "answer" }]))).toMatchObject({ text: "", toolCalls: [], finish: "stop" });
  });

  test.each(["break", "end"] as const)("never takes half of an answer for a whole one: %s", async (then) => {
    const failed = await failureOf(protocol, { kind: "half", text: "one two three four", then });
    expect(failed).toMatchObject({ kind: "unavailable", usageUnknown: true });
    expect(failed).not.toHaveProperty("usage");
  });

  test("knows nothing of the cost of an answer with an error in the middle", async () => {
    const failed = await failureOf(protocol, { kind: "fault", text: "one two three", type: "overloaded_error", message: "Overloaded" });
    expect(failed).toMatchObject({ kind: "overloaded", usageUnknown: true });
  });

  test.each(["nothing", "half"])("ends when it is aborted while %s has come", async (what) => {
    const server = await modelServer([what === "half" ? { kind: "half", text: "one two three", then: "hang" } : { kind: "hang" }]);
    const controller = new AbortController();
    const asking = ask(protocol, server, { signal: controller.signal });
    const ended = expect(asking).rejects.toMatchObject({ kind: "cancelled", usageUnknown: true });
    await server.came(1);
    controller.abort();
    await ended;
    await server.closed(0);
  });

  test("says when nobody is there, which costs nothing", async () => {
    const failed = ask(protocol, await nobody());
    await expect(failed).rejects.toMatchObject({ kind: "unavailable", usage: free, message: expect.stringContaining("ECONNREFUSED") });
  });

  test("does not follow to another address with the key", async () => {
    const elsewhere = await modelServer([{ kind: "answer", text: "stolen" }]);
    const failed = await failureOf(protocol, { kind: "status", status: 307, headers: { location: elsewhere.url(protocol) } });
    expect(failed).toMatchObject({ kind: "refused" });
    expect(elsewhere.asked).toEqual([]);
  });

  test("refuses a key with characters that no header can hold, without showing it", async () => {
    const server = await modelServer([{ kind: "answer", text: "no" }]);
    const failed = ask(protocol, server, { more: { apiKey: `${key}\nnext` } });
    await expect(failed).rejects.toMatchObject({ kind: "auth", message: expect.not.stringContaining(key) });
    expect(server.asked).toEqual([]);
  });
});

describe("tool calls that are no JSON", () => {
  test.each(["anthropic", "openai", "openai_compatible"] as const)("come with the reason: %s", async (protocol) => {
    const server = await modelServer([
      { kind: "answer", calls: [{ id: "c1", name: "lookup", arguments: '{"word": "on' }], finish: "stop" },
    ]);
    const answer = await ask(protocol, server, { more: { tools: [lookup], limits: { calls: 8, turns: 2, repairs: 2 } } });
    expect(answer.toolCalls).toEqual([{ id: "c1", name: "lookup", arguments: '{"word": "on', invalid: expect.stringContaining("JSON") }]);
  });
});

describe("an interface that takes no schema", () => {
  test("is asked again with the schema in the prompt, and not a second time", async () => {
    const server = await modelServer(({ body }) =>
      body.response_format === undefined
        ? { kind: "answer", text: '{"label":"bad","note":null}' }
        : { kind: "status", status: 400, message: "This response_format type is unavailable now" },
    );
    const provider = aiSdk("openai_compatible", { key: undefined, baseUrl: undefined });
    const one = () =>
      provider.ask(requestOf("openai_compatible", server.url("openai_compatible"), { answer: verdict }), {
        signal: new AbortController().signal,
        onAbort: () => undefined,
        clock: realClock(),
        onDelta: () => undefined,
      });
    expect((await one()).text).toBe('{"label":"bad","note":null}');
    expect((await one()).text).toBe('{"label":"bad","note":null}');
    expect(server.asked.map(({ body }) => body.response_format !== undefined)).toEqual([true, false, false]);
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
  });
});

describe("options of a model", () => {
  test("are given to the provider in its own names", async () => {
    const server = await modelServer([{ kind: "answer", text: "x" }]);
    await ask("anthropic", server, { options: { options: { thinking: { type: "enabled", budget_tokens: 200 } } } });
    await ask("openai", server, { options: { options: { reasoning_effort: "low" } } });
    await ask("google", server, { options: { options: { thinking_config: { thinking_level: "low" } } } });
    await ask("openai_compatible", server, { options: { options: { repetition_penalty: 1.1 } } });
    const [anthropic, openai, google, chat] = server.asked.map(({ body }) => body);
    // Thinking is part of the output, so that it stays within what was reserved.
    expect(anthropic).toMatchObject({ max_tokens: 500, thinking: { type: "enabled", budget_tokens: 200 } });
    expect(openai).toMatchObject({ store: false, reasoning: { effort: "low" } });
    expect(google).toMatchObject({ generationConfig: { thinkingConfig: { thinkingLevel: "low" } } });
    expect(chat).toMatchObject({ repetition_penalty: 1.1, stream_options: { include_usage: true } });
  });
});

describe("prompt caches", () => {
  const long = "Rules that hold for every call. ".repeat(200);
  const request: Partial<ModelRequest> = {
    system: long,
    messages: [
      { role: "user", text: "one" },
      { role: "assistant", text: "1", toolCalls: [] },
      { role: "user", text: "The same head. And then this." },
    ],
    tools: [lookup],
    repeated: { system: true, messages: 2, head: 14 },
    limits: { calls: 8, turns: 0, repairs: 2 },
  };
  const asked = async (protocol: Protocol, more: Partial<ModelRequest>, options: Readonly<Record<string, Json>> = {}) => {
    const server = await modelServer([{ kind: "answer", text: "x", usage: { input: 100, output: 5, cached: 60, written: 30 } }]);
    const answer = await ask(protocol, server, { more: { ...request, ...more }, options });
    return { body: server.asked[0]?.body, usage: answer.usage };
  };
  const ephemeral = { cache_control: { type: "ephemeral" } };

  test("are told where the part ends that every call begins with", async () => {
    const { body, usage } = await asked("anthropic", {});
    expect(body.messages.at(-1).content).toEqual([
      { type: "text", text: "The same head.", ...ephemeral },
      { type: "text", text: " And then this." },
    ]);
    expect(JSON.stringify(body).match(/cache_control/g)).toHaveLength(1);
    expect(usage).toMatchObject({ inputTokens: 100, cachedInputTokens: 60, cacheWriteTokens: 30 });
    const examples = await asked("anthropic", { repeated: { system: true, messages: 2, head: 0 } });
    expect(examples.body.messages[1].content.at(-1)).toMatchObject(ephemeral);
    const system = await asked("anthropic", { repeated: { system: true, messages: 0, head: 0 } });
    expect(system.body.system.at(-1)).toMatchObject(ephemeral);
    const tools = await asked("anthropic", {
      repeated: { system: false, messages: 0, head: 0 },
      tools: [{ ...lookup, description: long }],
    });
    expect(tools.body.tools.at(-1)).toMatchObject(ephemeral);
  });

  test("keep the turns so far while tools may still be called", async () => {
    const { body } = await asked("anthropic", {
      system: "Short.",
      repeated: { system: true, messages: 0, head: 0 },
      limits: { calls: 8, turns: 3, repairs: 2 },
    });
    expect(body.messages.at(-1).content.at(-1)).toMatchObject(ephemeral);
  });

  test("are not told of what is short, what differs, or where a program does not want them", async () => {
    for (const [more, options] of [
      [{ system: "Short." }, {}],
      [{ repeated: { system: false, messages: 0, head: 0 } }, {}],
      [{}, { options: { prompt_cache: false } }],
    ] as const)
      expect(JSON.stringify((await asked("anthropic", more, options)).body)).not.toContain("cache_control");
    for (const protocol of ["openai", "google", "openai_compatible"] as const)
      expect(JSON.stringify((await asked(protocol, {})).body)).not.toContain("cache_control");
  });
});

describe("servers with ways of their own", () => {
  const chunk = (delta: unknown, finish_reason: string | null = null) => ({
    data: { id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] },
  });
  const local = async (frames: readonly { readonly data: unknown }[], more: Partial<ModelRequest> = {}) =>
    ask("openai_compatible", await modelServer([{ kind: "frames", frames: [...frames, { data: "[DONE]" }] }]), { more });

  test("reasoning beside the answer is no part of it, whatever its field is called", async () => {
    for (const field of ["reasoning_content", "reasoning"])
      expect(await local([chunk({ [field]: "Let me see." }), chunk({ content: "42" }), chunk({}, "stop")])).toMatchObject({
        text: "42",
        finish: "stop",
      });
  });

  test("an answer that ends in a way nobody knows is not known to be whole", async () => {
    expect(await local([chunk({ content: "[1, 2" }), chunk({}, "abort")])).toMatchObject({ finish: "unknown" });
    expect(await local([chunk({ content: "x" }), chunk({}, "eos_token")])).toMatchObject({ finish: "stop" });
    await expect(local([chunk({ content: "[1, 2" })])).rejects.toMatchObject({ kind: "unavailable", usageUnknown: true });
  });

  test("an answer that ends with its limit is not known to be whole, even where it says so", async () => {
    const server = await modelServer([{ kind: "answer", text: "[1, 2", usage: { input: 10, output: 500 } }]);
    expect(await ask("openai_compatible", server)).toMatchObject({ finish: "unknown" });
  });

  test("a tool call without pieces, and one whose arguments are empty", async () => {
    const call = (args: string) =>
      chunk({ tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "lookup", arguments: args } }] });
    const tools: Partial<ModelRequest> = { tools: [lookup], limits: { calls: 8, turns: 2, repairs: 2 } };
    expect((await local([call('{"word":"a"}'), chunk({}, "tool_calls")], tools)).toolCalls).toEqual([
      { id: "c1", name: "lookup", arguments: { word: "a" } },
    ]);
    // Some servers say "stop" although the model wants a tool.
    expect(await local([call('{"word":"a"}'), chunk({}, "stop")], tools)).toMatchObject({ finish: "tools" });
  });

  test("an error told with HTTP 200", async () => {
    await expect(local([{ data: { error: { message: "CUDA out of memory", type: "server_error", code: 500 } } }])).rejects.toMatchObject({
      kind: "unavailable",
      usageUnknown: true,
    });
  });

  test("a prompt that Google blocks, and a tool call that it cannot read", async () => {
    const usageMetadata = { promptTokenCount: 10, totalTokenCount: 10 };
    const one = async (frame: unknown) => ask("google", await modelServer([{ kind: "frames", frames: [{ data: frame }] }]));
    expect(await one({ promptFeedback: { blockReason: "SAFETY" }, usageMetadata })).toMatchObject({ finish: "refused", text: "" });
    const malformed = { candidates: [{ index: 0, content: {}, finishReason: "MALFORMED_FUNCTION_CALL" }], usageMetadata };
    expect(await one(malformed)).toMatchObject({ text: "", toolCalls: [], flaw: expect.stringContaining("tool call") });
  });
});

describe("schemas that an interface does not take", () => {
  test.each([
    ["anthropic", "output_config.format.schema: The compiled grammar is too large"],
    ["openai", "Invalid schema for response_format 'answer': pattern is not supported"],
    ["google", "The specified schema produces a constraint that has too many states for serving"],
  ] as const)("are told in words instead: %s", async (protocol, message) => {
    const server = await modelServer((_, n) =>
      n === 0 ? { kind: "status", status: 400, message } : { kind: "answer", text: '{"label":"bad","note":null}' },
    );
    expect((await ask(protocol, server, { more: { answer: verdict } })).text).toBe('{"label":"bad","note":null}');
    expect(JSON.stringify(server.asked[1]?.body)).toContain("fits this JSON Schema");
  });

  test("of recursive types are sent where they can be", async () => {
    const types: Readonly<Record<string, TypeIR>> = {
      "a.weave/Tree": {
        kind: "record",
        fields: [
          { name: "name", type: string, optional: false },
          { name: "kids", type: { kind: "list", of: { kind: "ref", name: "a.weave/Tree" } }, optional: false },
        ],
      },
    };
    const answer: TypeIR = { kind: "ref", name: "a.weave/Tree" };
    const schema = jsonSchema(answer, types);
    for (const protocol of protocols) {
      const server = await modelServer([{ kind: "answer", text: '{"answer":{"name":"a","kids":[]}}' }]);
      const { text } = await ask(protocol, server, { more: { answer, types, schema } });
      const { body } = server.asked[0] ?? {};
      if (protocol === "openai") {
        expect(text).toBe('{"name":"a","kids":[]}');
        expect(body.text.format.schema).toMatchObject({
          type: "object",
          properties: { answer: { $ref: "#/$defs/a_weave_Tree_1" } },
          $defs: { a_weave_Tree_1: { type: "object", properties: { kids: { items: { $ref: "#/$defs/a_weave_Tree_1" } } } } },
        });
      } else expect(JSON.stringify(body)).toContain("fits this JSON Schema");
    }
  });
});
