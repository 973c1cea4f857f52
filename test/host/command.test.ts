/** Programs as models: small real ones, written for each test, that print what coding agents print. */
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { realClock } from "../../src/host/clock.js";
import { models } from "../../src/host/providers/models.js";
import type { ExprIR, Json, ModelIR, TypeIR } from "../../src/plan/ir.js";
import { jsonSchema } from "../../src/plan/json-schema.js";
import type { ModelAnswer, ModelRequest } from "../../src/runtime/provider.js";

const string: TypeIR = { kind: "string" };
const record: TypeIR = { kind: "record", fields: [{ name: "text", type: string, optional: false }] };

interface Asking {
  readonly options?: Readonly<Record<string, Json>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly more?: Partial<ModelRequest>;
  readonly signal?: AbortSignal;
  readonly deltas?: string[];
}

/** A folder with a program, which is asked once. */
function made(source: string) {
  const folder = mkdtempSync(join(tmpdir(), "weave-command-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "model.mjs"), `import { readFileSync, writeFileSync } from "node:fs";\n${source}`);
  const ask = ({
    options = {},
    env = {},
    secrets = [],
    more = {},
    signal = new AbortController().signal,
    deltas = [],
  }: Asking = {}): Promise<ModelAnswer> => {
    const argv = [process.execPath, join(folder, "model.mjs")];
    const command = argv.map((value): ExprIR => ({ kind: "const", value }));
    const model: ModelIR = { id: "m", name: "m", span: { file: "a.weave", start: 0, end: 1 }, provider: "command", command, options };
    const provider = models({ directory: folder, simulateAll: false, environment: (name) => process.env[name] }).provider(model);
    if (!("ask" in provider)) throw new Error("there is no provider");
    const answer = more.answer ?? string;
    const request: ModelRequest = {
      model,
      agent: "A",
      path: "main/A",
      attempt: 1,
      turn: 1,
      seed: 1,
      system: undefined,
      messages: [{ role: "user", text: "Say something." }],
      schema: answer.kind === "string" ? undefined : jsonSchema(answer, {}),
      answer,
      types: {},
      tools: [],
      temperature: undefined,
      maxOutput: 500,
      inputBound: 1000,
      apiKey: undefined,
      baseUrl: undefined,
      command: { argv, env, secrets },
      limits: { calls: 8, turns: 0, repairs: 2 },
      ...more,
    };
    return provider.ask(request, { signal, onAbort: () => undefined, clock: realClock(), onDelta: (text) => deltas.push(text) });
  };
  return { folder, ask, file: (name: string) => join(folder, name) };
}

const prints = (value: unknown, code = 0): string =>
  `process.stdout.write(${JSON.stringify(typeof value === "string" ? value : JSON.stringify(value))});\nprocess.exitCode = ${code};`;

const failure = (asking: Promise<ModelAnswer>): Promise<unknown> =>
  asking.then(
    (answer) => Promise.reject(new Error(`an answer came: ${JSON.stringify(answer)}`)),
    (thrown: unknown) => thrown,
  );

describe("what a program is given", () => {
  test("the conversation on standard input, with who spoke where there are several turns", async () => {
    const { ask } = made(`process.stdout.write(readFileSync(0, "utf8"));`);
    expect((await ask({ more: { system: "Be brief." } })).text).toBe("Be brief.\n\nSay something.");
    const messages: ModelRequest["messages"] = [
      { role: "user", text: "One?" },
      { role: "assistant", text: "1", toolCalls: [] },
      { role: "user", text: "Two?" },
    ];
    expect((await ask({ more: { messages } })).text).toBe("User:\nOne?\n\nAssistant:\n1\n\nUser:\nTwo?");
  });

  test("its prompt as one argument, whatever is in it", async () => {
    const { ask } = made(`process.stdout.write(JSON.stringify(process.argv.slice(2)));`);
    const messages: ModelRequest["messages"] = [{ role: "user", text: 'a; rm -rf "$HOME" `x`\n{{y}}' }];
    const answer = await ask({ options: { input: "argument", output: "text" }, more: { messages } });
    expect(JSON.parse(answer.text)).toEqual(['a; rm -rf "$HOME" `x`\n{{y}}']);
  });

  test("no prompt that no argument can hold", async () => {
    const { ask } = made(`process.stdout.write("no");`);
    const messages: ModelRequest["messages"] = [{ role: "user", text: "x".repeat(200_000) }];
    expect(await failure(ask({ options: { input: "argument" }, more: { messages } }))).toMatchObject({
      kind: "context_too_long",
      usage: { inputTokens: 0, outputTokens: 0 },
    });
    const { ask: piped } = made(`process.stdout.write(String(readFileSync(0, "utf8").length));`);
    expect((await piped({ more: { messages } })).text).toBe("200000");
  });

  test("a small environment, and what the model declares", async () => {
    process.env["WEAVE_TEST_UNWANTED"] = "leaked";
    onTestFinished(() => void delete process.env["WEAVE_TEST_UNWANTED"]);
    const { ask } = made(`process.stdout.write(JSON.stringify(process.env));`);
    const given = JSON.parse((await ask({ options: { output: "text" }, env: { MODE: "test" } })).text) as Record<string, string>;
    expect(given["MODE"]).toBe("test");
    expect(given["PATH"]).toBe(process.env["PATH"]);
    expect(given).not.toHaveProperty("WEAVE_TEST_UNWANTED");
  });

  test("the schema of a typed answer in its prompt", async () => {
    const { ask } = made(`process.stdout.write(readFileSync(0, "utf8"));`);
    expect((await ask({ options: { output: "text" }, more: { answer: record } })).text).toContain('"required":["text"]');
  });
});

describe("what a program prints", () => {
  test("is the answer, as it comes, where it is text", async () => {
    const { ask } = made(`process.stdout.write("Hello "); setTimeout(() => process.stdout.write("to all\\n"), 20);`);
    const deltas: string[] = [];
    expect(await ask({ deltas })).toEqual({ text: "Hello to all", toolCalls: [], usage: undefined, finish: "stop" });
    expect(deltas.join("")).toBe("Hello to all\n");
  });

  test("is the answer even where it looks like a form of one's own", async () => {
    const { ask } = made(prints({ text: "a field of the answer" }));
    expect((await ask()).text).toBe('{"text":"a field of the answer"}');
  });

  const claude = {
    type: "result",
    subtype: "success",
    is_error: false,
    result: "All is well.",
    session_id: "s",
    total_cost_usd: 0.0123,
    usage: { input_tokens: 10, cache_creation_input_tokens: 200, cache_read_input_tokens: 3000, output_tokens: 40 },
  };
  const claudeAnswer = {
    text: "All is well.",
    finish: "stop",
    usage: { inputTokens: 3210, outputTokens: 40, cachedInputTokens: 3000, cacheWriteTokens: 200, costUsd: 0.0123 },
  };

  test.each([
    ["one result", JSON.stringify(claude)],
    ["a list of messages", JSON.stringify([{ type: "system", subtype: "init" }, claude])],
    [
      "messages, one a line",
      [{ type: "system", subtype: "init" }, { type: "assistant", message: { content: [{ type: "text", text: "All is well." }] } }, claude]
        .map((each) => JSON.stringify(each))
        .join("\n"),
    ],
  ])("is read as claude writes it: %s", async (_, text) => {
    const { ask } = made(prints(text));
    const deltas: string[] = [];
    expect(await ask({ deltas })).toMatchObject(claudeAnswer);
    if (text.includes("\n")) expect(deltas).toEqual(["All is well."]);
  });

  test("is read as claude writes it: a structured answer, a refusal, an answer cut off", async () => {
    expect((await made(prints({ ...claude, structured_output: { text: "x" } })).ask({ more: { answer: record } })).text).toBe(
      '{"text":"x"}',
    );
    expect(await made(prints({ ...claude, stop_reason: "refusal" })).ask()).toMatchObject({ finish: "refused" });
    expect(await made(prints({ ...claude, stop_reason: "max_tokens" })).ask()).toMatchObject({ finish: "length" });
  });

  const codex = (...events: unknown[]): string =>
    `${[{ type: "thread.started", thread_id: "t" }, { type: "turn.started" }, ...events].map((each) => JSON.stringify(each)).join("\n")}\n`;
  const message = (text: string) => ({ type: "item.completed", item: { id: "i", type: "agent_message", text } });

  test("is read as codex writes it", async () => {
    const usage = { input_tokens: 24763, cached_input_tokens: 24448, output_tokens: 122 };
    const { ask } = made(prints(codex(message("I look."), message("Done."), { type: "turn.completed", usage })));
    const deltas: string[] = [];
    expect(await ask({ deltas })).toMatchObject({
      text: "Done.",
      usage: { inputTokens: 24763, outputTokens: 122, cachedInputTokens: 24448 },
    });
    expect(deltas).toEqual(["I look.", "Done."]);
  });

  test("is read as gemini writes it", async () => {
    const tokens = { prompt: 100, candidates: 20, total: 125, cached: 30, thoughts: 5, tool: 0 };
    const { ask } = made(prints({ response: "Hi", stats: { models: { "gemini-x": { tokens } } } }));
    expect(await ask()).toMatchObject({
      text: "Hi",
      usage: { inputTokens: 100, outputTokens: 25, cachedInputTokens: 30, reasoningTokens: 5 },
    });
  });

  test("is read in the form for programs of one's own, where that is asked for", async () => {
    const options = { output: "json" };
    const usage = { input_tokens: 7, output_tokens: 3, reasoning_tokens: 1 };
    expect(await made(prints({ text: "Hi", usage, cost_usd: 0.5 })).ask({ options })).toMatchObject({
      text: "Hi",
      usage: { inputTokens: 7, outputTokens: 3, reasoningTokens: 1, costUsd: 0.5 },
    });
    // A cost without tokens is of as many as were allowed.
    expect(await made(prints({ value: { text: "x" }, cost_usd: 0.5 })).ask({ options })).toMatchObject({
      text: '{"text":"x"}',
      usage: { inputTokens: 1000, outputTokens: 500, costUsd: 0.5 },
    });
    expect((await made(prints({ text: "Hi" })).ask({ options })).usage).toBeUndefined();
    expect(await failure(made(prints("no JSON")).ask({ options }))).toMatchObject({ kind: "invalid_output", usageUnknown: true });
  });

  describe("or where it fails", () => {
    const result = { ...claude, is_error: true };
    test.each([
      ["an overload that claude tells", prints({ ...result, result: "API Error: 529 overloaded" }, 1), "overloaded", true],
      ["a key that claude does not take", prints({ ...result, result: "Invalid API key · Please run /login" }, 1), "auth", true],
      ["a prompt that is too long for claude", prints({ ...result, result: "Prompt is too long" }, 1), "context_too_long", true],
      ["too many turns of claude", prints({ type: "result", subtype: "error_max_turns", is_error: false }), "refused", false],
      ["a turn of codex", prints(codex({ type: "turn.failed", error: { message: "stream error: status 429" } }), 1), "rate_limit", false],
      ["a turn of codex that does not end", prints(codex(message("I look."))), "unavailable", false],
      ["an error of gemini", prints({ error: { message: "quota: HTTP 429" }, stats: {} }, 1), "rate_limit", false],
      ["an unknown code", "console.error('it broke'); process.exitCode = 9;", "unavailable", false],
      ["a wrong option", "console.error('unknown option --x'); process.exitCode = 2;", "refused", false],
      ["a limit on standard error", "console.error('usage limit reached'); process.exitCode = 1;", "rate_limit", false],
      ["a signal", "process.kill(process.pid, 'SIGKILL');", "unavailable", false],
    ])("%s", async (_, source, kind, known) => {
      const failed = await failure(made(source).ask());
      expect(failed).toMatchObject(known ? { kind, usage: claudeAnswer.usage } : { kind, usageUnknown: true });
    });

    test("with the kind that a program of one's own gives", async () => {
      const source = prints({ error: { kind: "refused", message: "not this" }, usage: { input_tokens: 5, output_tokens: 0 } }, 1);
      expect(await failure(made(source).ask({ options: { output: "json" } }))).toMatchObject({
        kind: "refused",
        message: expect.stringContaining("not this"),
        usage: { inputTokens: 5, outputTokens: 0 },
      });
    });
  });
});

describe("a key that a program is given", () => {
  const secret = "sk-test-0123456789abcdef";

  test("is in no answer, delta or failure, even where it comes in pieces", async () => {
    const pieces = `const k = process.env.KEY; process.stdout.write("key " + k.slice(0, 9)); setTimeout(() => process.stdout.write(k.slice(9) + " end"), 30);`;
    const deltas: string[] = [];
    const { text } = await made(pieces).ask({ env: { KEY: secret }, secrets: [secret], deltas });
    expect(text).toBe("key [key] end");
    expect(deltas.join("")).toBe("key [key] end");
    const failed = await failure(
      made(`console.error("bad key " + process.env.KEY); process.exitCode = 1;`).ask({ env: { KEY: secret }, secrets: [secret] }),
    );
    expect(JSON.stringify(failed)).not.toContain(secret);
    expect(failed).toMatchObject({ message: expect.stringContaining("bad key [key]") });
  });

  test("stands in no list of processes", async () => {
    const { ask } = made(`process.stdout.write(readFileSync("/proc/self/cmdline", "utf8"));`);
    expect((await ask({ env: { KEY: secret }, secrets: [secret] })).text).not.toContain("sk-test");
  });
});

/** Resolves when a file is there. */
function written(folder: string, name: string): Promise<string> {
  return new Promise((resolve) => {
    const watcher = watch(folder, () => look());
    const look = (): void => {
      if (!existsSync(join(folder, name))) return;
      const text = readFileSync(join(folder, name), "utf8");
      if (text === "") return;
      watcher.close();
      resolve(text);
    };
    look();
  });
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("a program that is aborted ends with everything it started, even where it ignores the wish", async () => {
  const { ask, folder } = made(`
    import { spawn } from "node:child_process";
    process.on("SIGTERM", () => undefined);
    const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => undefined); console.log('up'); setInterval(() => undefined, 1000)"]);
    child.stdout.once("data", () => writeFileSync("started", String(process.pid) + " " + child.pid));
    setInterval(() => undefined, 1000);
  `);
  const controller = new AbortController();
  const asking = failure(ask({ signal: controller.signal }));
  const pids = (await written(folder, "started")).split(" ").map(Number);
  controller.abort();
  expect(await asking).toMatchObject({ kind: "cancelled", usageUnknown: true });
  for (const pid of pids) await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
});

test("a program that is not there is told before the run", () => {
  const model = (name: string): ModelIR => ({
    id: "m",
    name: "m",
    span: { file: "a.weave", start: 0, end: 1 },
    provider: "command",
    command: [{ kind: "const", value: name }],
    options: {},
  });
  const found = models({ directory: tmpdir(), simulateAll: false, environment: (name) => process.env[name] });
  expect(found.provider(model("no-such-program-here"))).toEqual({ missing: "program", program: "no-such-program-here" });
  expect(found.provider(model("./no-such-program-here"))).toEqual({ missing: "program", program: "./no-such-program-here" });
  expect(found.provider(model(process.execPath))).toHaveProperty("ask");
});
