import { describe, expect, it } from "vitest";
import { parseFaults, simulator } from "../../src/host/providers/sim.js";
import type { AgentIR, TypeIR } from "../../src/plan/ir.js";
import { failure } from "../../src/runtime/failure.js";
import type { ModelAnswer, ModelRequest, Provider } from "../../src/runtime/provider.js";
import { sized } from "../support/always-replay.js";
import * as f from "../support/flows.js";

const usage = { inputTokens: 10, outputTokens: 5 };
type Script = string | Partial<ModelAnswer> | ReturnType<typeof failure>;

/** Answers one after the other, and keeps what it was asked. */
function scripted(answers: readonly Script[]): { provider: Provider; asked: ModelRequest[] } {
  const asked: ModelRequest[] = [];
  const provider: Provider = {
    name: "script",
    simulated: false,
    timed: true,
    ask: (request) => {
      asked.push({ ...request, messages: [...request.messages] });
      const answer = answers[asked.length - 1] ?? answers.at(-1) ?? "";
      if (typeof answer === "object" && "failure" in answer) return Promise.reject(answer);
      return Promise.resolve({
        text: "",
        toolCalls: [],
        usage,
        finish: "stop",
        ...(typeof answer === "string" ? { text: answer } : answer),
      });
    },
  };
  return { provider, asked };
}

const calling = (...calls: readonly (readonly [string, unknown])[]): Partial<ModelAnswer> => ({
  finish: "tools",
  toolCalls: calls.map(([name, args], i) => ({ id: `c${i}`, name, arguments: args })),
});

function graph(agent: Partial<AgentIR>, tools: readonly ReturnType<typeof f.tool>[] = [], models = [f.model("m")]) {
  return f.graph({
    tools,
    models,
    agents: [f.agent("A", agent)],
    flows: [f.flow("main", [], f.body([f.call("c", "A", { x: f.k("hi") }, { kind: "agent" })], f.r("c")))],
  });
}
const score: TypeIR = f.record({ score: { kind: "int", min: 1, max: 5 }, tags: f.list(f.text) });

describe("answers", () => {
  it.each<[string, TypeIR, string, unknown, string | undefined]>([
    ["plain text", f.text, " as it is\n", " as it is\n", undefined],
    ["JSON", score, '{"score": 3, "tags": []}', { score: 3, tags: [] }, undefined],
    [
      "fences and prose",
      score,
      'Sure!\n```json\n{"score": 3, "tags": ["a"]}\n```\nBye',
      { score: 3, tags: ["a"] },
      "removed the text around the JSON",
    ],
    ["odd JSON", score, "{score: 3, 'tags': ['a',],} // done", { score: 3, tags: ["a"] }, "put quotes around field names"],
    ["a lone value for a list", f.list(f.text), '"a"', ["a"], "put the lone value into a list"],
    [
      "a bare word of a union",
      {
        kind: "union",
        of: [
          { kind: "literal", value: "high" },
          { kind: "literal", value: "low" },
        ],
      },
      "high",
      "high",
      "put quotes around the text",
    ],
    ["a wrapped list", f.list(f.int), '{"items": [1, 2]}', [1, 2], "took the list out of the record around it"],
  ])("understand %s", async (_, result, text, value, mend) => {
    const { provider } = scripted([text]);
    const { result: found, events } = await f.finish(graph({ result }), { provider });
    expect(found.value).toEqual(value);
    const mends = events.flatMap((event) => (event.kind === "answer.mended" ? event.mends : []));
    if (mend === undefined) expect(mends).toEqual([]);
    else expect(mends).toContain(mend);
  });

  it("cut fields that were not asked for", async () => {
    const { provider } = scripted(['{"score": 3, "tags": [], "extra": 1}']);
    expect((await f.finish(graph({ result: score }), { provider })).result.value).toEqual({ score: 3, tags: [] });
  });

  it("that do not fit go back with the reasons, then fail", async () => {
    const { provider, asked } = scripted(['{"score": 7, "tags": "x"}', "no", '{"score": 5, "tags": []}']);
    const { result, events } = await f.finish(graph({ result: score }), { provider });
    expect(result.value).toEqual({ score: 5, tags: [] });
    expect(asked[1]?.messages.at(-1)).toMatchObject({ role: "user" });
    expect(asked[1]?.messages.at(-1)?.text).toContain("field `score`: expected int from 1 to 5, found 7");
    expect(events.filter((event) => event.kind === "answer.rejected")).toHaveLength(2);
    const never = await f.finish(graph({ result: score, repairs: 1 }), { provider: scripted(["no"]).provider });
    expect(never.result.failure).toMatchObject({
      kind: "invalid_output",
      message: "the answer does not fit after 1 repair: the answer holds no JSON",
    });
    expect(never.result.spend).toMatchObject({ inputTokens: 20, outputTokens: 10 });
  });

  it("that were refused or cut off are failures, not values", async () => {
    const refused = await f.finish(graph({}), { provider: scripted([{ text: "I cannot", finish: "refused" }]).provider });
    expect(refused.result.failure).toMatchObject({ kind: "refused" });
    const cut = await f.finish(graph({ repairs: 0 }), { provider: scripted([{ text: "half a sen", finish: "length" }]).provider });
    expect(cut.result.failure?.kind).toBe("invalid_output");
  });

  it("lose the thoughts that a model writes before them, with a word about it", async () => {
    const { provider } = scripted(["<think>Let me see.</think>\nAll is well."]);
    const { result, events } = await f.finish(graph({}), { provider });
    expect(result.value).toBe("All is well.");
    expect(events).toContainEqual(expect.objectContaining({ kind: "answer.mended", mends: ["removed the thoughts before the answer"] }));
  });

  it("that look cut off are taken only where the other side says that they have ended", async () => {
    const list = graph({ result: f.list(f.int), repairs: 0 });
    const ended = await f.finish(list, { provider: scripted([{ text: '["1", "2"', finish: "stop" }]).provider });
    expect(ended.result.value).toEqual([1, 2]);
    const unknown = await f.finish(list, { provider: scripted([{ text: '["1", "2"', finish: "unknown" }]).provider });
    expect(unknown.result.failure).toMatchObject({ kind: "invalid_output", message: expect.stringContaining("cut off") });
    const whole = await f.finish(list, { provider: scripted([{ text: "[1, 2]", finish: "unknown" }]).provider });
    expect(whole.result.value).toEqual([1, 2]);
  });

  it("that are none go back with what went wrong", async () => {
    const { provider, asked } = scripted([{ text: "", flaw: "a tool call could not be read" }, "ok"]);
    expect((await f.finish(graph({}), { provider })).result.value).toBe("ok");
    expect(asked[1]?.messages.at(-1)?.text).toContain("a tool call could not be read");
  });

  it("are told on the way as what they hold so far, by agent, only where somebody looks on", async () => {
    const provider: Provider = {
      name: "stream",
      simulated: false,
      timed: true,
      ask: async (_, { onDelta }) => {
        const text = '{"score": 3, "tags": ["one of them", "another"]}';
        for (const piece of text.match(/.{1,6}/g) ?? []) onDelta(piece);
        return { text, toolCalls: [], usage, finish: "stop" };
      },
    };
    const { events } = await f.finish(graph({ result: score }), { provider });
    const partial = events.flatMap((event) => (event.kind === "model.partial" ? [event] : []));
    expect(partial.map(({ value }) => value)).toEqual([{ score: 3, tags: ["o"] }]);
    expect(partial[0]).toMatchObject({ agent: "A", path: "main/A" });
  });

  it("say what of a request is the same in every call", async () => {
    const { provider, asked } = scripted(["ok"]);
    const example = f.k([{ input: "a", output: "b" }]);
    const template: AgentIR["prompt"] = {
      kind: "template",
      parts: [
        { kind: "text", text: "Read this: " },
        { kind: "value", value: f.r("x"), as: "plain" },
      ],
    };
    await f.finish(graph({ system: f.k("Be brief."), examples: example, prompt: template }), { provider });
    await f.finish(graph({ system: f.r("x"), examples: example, prompt: template }), { provider });
    expect(asked.map(({ repeated }) => repeated)).toEqual([
      { system: true, messages: 2, head: 11 },
      { system: false, messages: 0, head: 0 },
    ]);
  });
});

describe("prompts with media", () => {
  const prompt: AgentIR["prompt"] = {
    kind: "template",
    parts: [
      { kind: "text", text: "See " },
      { kind: "value", value: f.r("x"), as: "image" },
      { kind: "text", text: " and " },
      { kind: "value", value: f.k("b.pdf"), as: "document" },
      { kind: "text", text: "." },
    ],
  };

  it("are texts and media in order, and show in words what they are", async () => {
    const { provider, asked } = scripted(["ok"]);
    const { events } = await f.finish(graph({ prompt }), { provider });
    expect(asked[0]?.messages).toEqual([
      {
        role: "user",
        text: "See [image: hi] and [document: b.pdf].",
        parts: [
          { kind: "text", text: "See " },
          { kind: "media", of: "image", value: "hi" },
          { kind: "text", text: " and " },
          { kind: "media", of: "document", value: "b.pdf" },
          { kind: "text", text: "." },
        ],
      },
    ]);
    expect(events).toContainEqual(expect.objectContaining({ kind: "model.requested", prompt: "See [image: hi] and [document: b.pdf]." }));
  });

  it("count what their media counts as, for the model that is asked", async () => {
    const { provider, asked } = scripted(["ok"]);
    const model = { ...f.model("m"), media: { image: 1_000, document: 5_000 }, overhead: 0, tokenFactor: 0.5 };
    await f.finish(graph({ prompt }, [], [model]), { provider });
    const texts = "See ".length + " and ".length + ".".length + 16;
    expect(asked[0]?.inputBound).toBe(6_000 + texts / 2);
  });

  it("cannot be forged by what stands in them", async () => {
    const { provider, asked } = scripted(["ok"]);
    const forged = `\u00000.123:0\u0000`;
    const text: AgentIR["prompt"] = {
      kind: "template",
      parts: [
        { kind: "value", value: f.k(forged), as: "plain" },
        { kind: "value", value: f.r("x"), as: "image" },
      ],
    };
    await f.finish(graph({ prompt: text }), { provider });
    expect(asked[0]?.messages[0]).toMatchObject({
      parts: [
        { kind: "text", text: forged },
        { kind: "media", of: "image", value: "hi" },
      ],
    });
  });
});

describe("prompts that are too long", () => {
  const tooLong = failure("context_too_long", "the prompt is too long");
  const text = "0123456789".repeat(100);
  const asking = (agent: Partial<AgentIR>, value: unknown, type: TypeIR = f.text) =>
    f.graph({
      tools: [],
      models: [f.model("m")],
      agents: [{ ...f.agent("A", agent), params: [f.param("x", type)], prompt: f.r("x") }],
      flows: [f.flow("main", [], f.body([f.call("c", "A", { x: f.k(value) }, { kind: "agent" })], f.r("c")))],
    });

  it("fail where nothing is said about them", async () => {
    const { provider } = scripted([tooLong]);
    expect((await f.finish(asking({}, text), { provider })).result.failure?.kind).toBe("context_too_long");
  });

  it("lose half of a parameter each time, with a word about it in the prompt and in the events", async () => {
    const { provider, asked } = scripted([tooLong, tooLong, "done"]);
    const graphed = asking({ shrink: [{ param: "x", how: "truncate" }] }, text);
    const { result, events } = await f.finish(graphed, { provider });
    expect(result.value).toBe("done");
    expect(asked.map(({ messages }) => messages[0]?.text.length)).toEqual([1000, 528, 292]);
    expect(asked[1]?.messages[0]?.text).toBe(`${text.slice(0, 500)}\n[… 500 characters left out]`);
    expect(events.flatMap((event) => (event.kind === "prompt.shrunk" ? [[event.param, event.how, event.from, event.to]] : []))).toEqual([
      ["x", "truncate", 1000, 528],
      ["x", "truncate", 528, 292],
    ]);
  });

  it("lose the later items of a list, and fail after four times", async () => {
    const { provider, asked } = scripted([tooLong]);
    const graphed = asking({ shrink: [{ param: "x", how: "truncate" }], prompt: f.k("x") }, [1, 2, 3, 4, 5, 6, 7, 8, 9], f.list(f.int));
    const { result, events } = await f.finish(graphed, { provider });
    expect(result.failure?.kind).toBe("context_too_long");
    expect(asked.length).toBe(4);
    expect(events.flatMap((event) => (event.kind === "prompt.shrunk" ? [event.to] : []))).toEqual([4, 2, 1]);
  });

  it("are summarised piece by piece by the same model, and paid for", async () => {
    const { provider, asked } = scripted([tooLong, "one", "two", "three", "four", "done"]);
    const graphed = asking({ shrink: [{ param: "x", how: "summarise" }] }, text);
    const { result } = await f.finish(graphed, { provider });
    expect(result.value).toBe("done");
    expect(asked[1]?.messages[0]?.text).toContain(text.slice(0, 250));
    expect(asked[5]?.messages[0]?.text).toBe("[A summary of 1000 characters]\none\ntwo\nthree\nfour");
    expect(result.spend).toMatchObject({ inputTokens: 50, outputTokens: 25 });
  });
});

describe("turns with tools", () => {
  const add = f.tool("add", { params: [f.param("a", f.int), f.param("b", f.int, { default: f.k(1) })], result: f.int });
  const tools = { add: ({ a, b }: Readonly<Record<string, unknown>>) => Number(a) + Number(b) };
  const agent: Partial<AgentIR> = { tools: [{ kind: "tool", id: "add" }], maxTurns: 3 };

  it("carry out what the model asks for, with paths and defaults, and give back the results", async () => {
    const { provider, asked } = scripted([calling(["add", { a: 1 }], ["add", { a: 2, b: 5 }]), "done"]);
    const { result, events } = await f.finish(graph(agent, [add]), { provider, tools });
    expect(result.value).toBe("done");
    expect(asked[1]?.messages.slice(-2)).toMatchObject([
      { role: "tool", text: "2", failed: false },
      { role: "tool", text: "7", failed: false },
    ]);
    expect(events.flatMap((event) => (event.kind === "call.started" ? [event.path] : []))).toEqual([
      "main",
      "main/A",
      "main/A/add",
      "main/A/add#2",
    ]);
    expect(asked[0]?.tools[0]?.parameters).toMatchObject({ type: "object", properties: { a: { type: "integer" } }, required: ["a"] });
  });

  it("tell the model what went wrong: wrong arguments, unknown tools, failures, large results, too many calls", async () => {
    const { provider, asked } = scripted([calling(["add", { a: "x" }], ["sub", {}], ["add", { a: 1 }], ["add", { a: 2 }]), "done"]);
    const failing = {
      add: () => {
        throw new Error("broken");
      },
    };
    await f.finish(graph({ ...agent, maxCallsPerTurn: 3 }, [add]), { provider, tools: failing });
    const told = asked[1]?.messages.slice(-4).map((message) => message.text);
    expect(told).toEqual([
      'The arguments do not fit: field `a`: expected int, found "x"',
      "There is no tool sub. The tools are: add.",
      "The tool failed (tool_error): broken",
      "At most 3 tool calls are allowed in one turn; this one was not made.",
    ]);
    const large = scripted([calling(["add", { a: 1 }]), "done"]);
    await f.finish(graph({ ...agent, maxToolResult: 0 }, [add]), { provider: large.provider, tools });
    expect(large.asked[1]?.messages.at(-1)?.text).toContain("The result is too large: 1 characters");
  });

  it("show the model what tools give back beside texts, where it takes that", async () => {
    const image: TypeIR = { kind: "image" };
    const shot = { ...f.tool("shot"), result: f.record({ pages: f.list(image), title: f.text }) };
    const value = { pages: ["a.png", { data: "AAAA", media_type: "image/png" }], title: "Two" };
    const agent: Partial<AgentIR> = { tools: [{ kind: "tool", id: "shot" }] };
    const seeing = { ...f.model("m"), provider: "openai", media: { image: 100 } };
    const blind = { ...f.model("m"), provider: "openai" };
    const messagesOf = async (model: typeof blind) => {
      const { provider, asked } = scripted([calling(["shot", {}]), "done"]);
      await f.finish(graph(agent, [shot], [model]), { provider, tools: { shot: () => value } });
      return asked[1]?.messages.slice(2) ?? [];
    };
    expect(await messagesOf(seeing)).toEqual([
      expect.objectContaining({ role: "tool", text: '{"pages":["[image 1]","[image 2]"],"title":"Two"}' }),
      {
        role: "user",
        text: "What shot shows: [image: a.png] [image: image/png]",
        parts: [
          { kind: "text", text: "What shot shows:" },
          { kind: "media", of: "image", value: "a.png" },
          { kind: "media", of: "image", value: { data: "AAAA", media_type: "image/png" } },
        ],
      },
    ]);
    expect(await messagesOf(blind)).toEqual([expect.objectContaining({ role: "tool", text: JSON.stringify(value) })]);
  });

  it("keep the last turn for the answer", async () => {
    const { provider, asked } = scripted([calling(["add", { a: 1 }]), calling(["add", { a: 1 }]), "at last"]);
    const { result } = await f.finish(graph(agent, [add]), { provider, tools });
    expect(result.value).toBe("at last");
    expect(asked.map((request) => request.limits.turns)).toEqual([2, 1, 0]);
    expect(asked[2]?.messages.at(-1)?.text).toContain("Answer now");
  });
});

describe("models", () => {
  const models = [f.model("m", { fallback: ["a", "b"] }), f.model("a"), f.model("b")];

  it("fall back when one is overloaded or refuses, not when the request is at fault", async () => {
    const { provider, asked } = scripted([failure("overloaded", "busy"), "fine"]);
    expect((await f.finish(graph({}, [], models), { provider })).result.value).toBe("fine");
    expect(asked.map((request) => request.model.id)).toEqual(["a", "b"]);
    const auth = scripted([failure("auth", "who are you")]);
    expect((await f.finish(graph({}, [], models), { provider: auth.provider })).result.failure?.kind).toBe("auth");
    expect(auth.asked).toHaveLength(1);
  });

  it("balance by the tokens in flight", async () => {
    const seen: string[] = [];
    const provider: Provider = {
      name: "slow",
      simulated: false,
      timed: true,
      ask: (request, { clock }) => {
        seen.push(request.model.id);
        return new Promise((resolve) => clock.after(100, () => resolve({ text: "x", toolCalls: [], usage, finish: "stop" })));
      },
    };
    const balanced = f.graph({
      models: [f.model("m", { balance: ["a", "b"] }), f.model("a"), f.model("b")],
      agents: [f.agent("A")],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [f.map("ys", f.fn("range", f.k(6)), "x", f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent" })], f.r("c")))],
            f.r("ys"),
          ),
        ),
      ],
    });
    await f.finish(balanced, { provider });
    expect(seen.filter((id) => id === "a")).toHaveLength(3);
  });

  it("limit their own concurrency", async () => {
    let [now, most] = [0, 0];
    const provider: Provider = {
      name: "slow",
      simulated: false,
      timed: true,
      ask: (_, { clock }) => {
        most = Math.max(most, ++now);
        return new Promise((resolve) =>
          clock.after(100, () => {
            now--;
            resolve({ text: "x", toolCalls: [], usage, finish: "stop" });
          }),
        );
      },
    };
    const limited = f.graph({
      models: [f.model("m", { maxConcurrent: 2 })],
      agents: [f.agent("A")],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [f.map("ys", f.fn("range", f.k(6)), "x", f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent" })], f.r("c")))],
            f.r("ys"),
          ),
        ),
      ],
    });
    const { result } = await f.finish(limited, { provider });
    expect([most, result.elapsedMs]).toEqual([2, 300]);
  });
});

describe("the simulator", () => {
  const wide = f.record({
    id: { kind: "string", pattern: "^[a-z][a-z0-9-]*$" },
    score: { kind: "int", min: 1, max: 5 },
    tags: f.list({ kind: "string", max: 10 }, { min: 2, max: 4 }),
  });

  it("gives the same valid answers for the same seed, others for another", async () => {
    const of = async (seed: number) => (await f.finish(graph({ result: wide }), { provider: simulator(), options: { seed } })).result;
    const first = await of(1);
    expect(first).toMatchObject({ status: "completed", simulated: true });
    expect((await of(1)).value).toEqual(first.value);
    expect((await of(2)).value).not.toEqual(first.value);
    expect(first.spend.costUsd).toBeGreaterThan(0);
  });

  it("fails as often as it is told to", async () => {
    expect(parseFaults("rate_limit:5%,timeout:0.01")).toEqual([
      { kind: "rate_limit", share: 0.05 },
      { kind: "timeout", share: 0.01 },
    ]);
    expect(parseFaults("rate:5%")).toBeUndefined();
    const many = f.graph({
      agents: [f.agent("A")],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [
              f.map(
                "ys",
                f.fn("range", f.k(sized(400, 80))),
                "x",
                f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent" })], f.r("c")),
                {
                  settle: true,
                },
              ),
            ],
            f.r("ys"),
          ),
        ),
      ],
    });
    const { result } = await f.finish(many, { provider: simulator({ faults: [{ kind: "rate_limit", share: 0.2 }] }) });
    expect((result.value as { rate: number }).rate).toBeGreaterThan(0.7);
    expect((result.value as { rate: number }).rate).toBeLessThan(0.9);
  });

  it("can take every declared limit to the full", async () => {
    const add = f.tool("add", { params: [f.param("x", f.int)], result: f.int });
    const { result } = await f.finish(
      graph({ result: score, tools: [{ kind: "tool", id: "add" }], maxTurns: 3, maxCallsPerTurn: 2, repairs: 1 }, [add]),
      {
        provider: simulator({ adversarial: true }),
        tools: { add: ({ x }) => x },
      },
    );
    // Three turns and one repair, each at its largest answer; two turns of two tool calls.
    expect(result).toMatchObject({ status: "completed", spend: { outputTokens: 4000, toolCalls: 4 } });
  });
});
