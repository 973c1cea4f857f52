/** Weave as a library. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  CompileError,
  compile,
  memoryStore,
  openRecording,
  type Provider,
  RunError,
  registerTool,
  resume,
  run,
  type ToolFunction,
} from "../src/index.js";

const sources = {
  "main.weave": `tool shout(text: string) -> string = module("./none.ts")
agent Ask(question: string) -> { answer: string(..80), sure: bool } {
  model: fast
  prompt: "{{question}}"
}
model fast { provider: "sim", name: "small" }
flow main(text: string, times: int(1..3) = 2) -> string[] {
  map i in range(times) { shout("{{text}}{{i}}") }
}
flow answer(question: string) -> { answer: string, sure: bool } { Ask(question) }
flow strict(n: int) -> int {
  assert n > 3, "too small"
  n
}
`,
};

const tools = { shout: ({ text }: Readonly<Record<string, unknown>>) => `${String(text).toUpperCase()}!` };

describe("compile", () => {
  test("gives the flows of a program", async () => {
    const program = await compile("main.weave", { sources });
    expect(program.flows).toEqual(["main", "answer", "strict"]);
    expect(() => program.flow("mian")).toThrow("it has main, answer, strict");
  });

  test("rejects with every mistake", async () => {
    const broken = compile("main.weave", { sources: { "main.weave": "flow main() -> int { x }\nflow other() -> int { y }\n" } });
    await expect(broken).rejects.toBeInstanceOf(CompileError);
    const { diagnostics, message } = await broken.then(
      () => Promise.reject(new Error("it compiled")),
      (error: CompileError) => error,
    );
    expect(diagnostics).toHaveLength(2);
    expect(message).toContain("main.weave:1:22");
  });
});

describe("run", () => {
  test("calls functions that are passed in, and tells what happens", async () => {
    const program = await compile("main.weave", { sources });
    const kinds: string[] = [];
    const handle = run(program.flow("main"), { text: "a" }, { tools, onEvent: (event) => kinds.push(event.kind) });
    const seen: string[] = [];
    for await (const event of handle.events) seen.push(event.kind);
    const { value, spend, runId, simulated } = await handle.result;
    expect(value).toEqual(["A0!", "A1!"]);
    expect([spend.toolCalls, simulated, runId === handle.runId]).toEqual([2, false, true]);
    expect(kinds[0]).toBe("run.started");
    expect(seen.at(-1)).toBe("run.completed");
  });

  test("answers from the simulator, the same for the same seed", async () => {
    const program = await compile("main.weave", { sources });
    const ask = () => run(program.flow("answer"), { question: "?" }, { seed: 7 }).result;
    const [one, other] = await Promise.all([ask(), ask()]);
    expect(one.simulated).toBe(true);
    expect(one.value).toEqual(other.value);
  });

  test("rejects with why it failed", async () => {
    const program = await compile("main.weave", { sources });
    await expect(run(program.flow("strict"), { n: 1 }).result).rejects.toMatchObject({
      status: "failed",
      failure: { kind: "assertion", message: "too small" },
    });
  });

  test("refuses inputs that do not fit", async () => {
    const program = await compile("main.weave", { sources });
    const refused = run(program.flow("strict"), { n: "x" }).result;
    await expect(refused).rejects.toBeInstanceOf(RunError);
    await expect(refused).rejects.toMatchObject({ status: "refused" });
  });

  test("can be cancelled", async () => {
    const program = await compile("main.weave", { sources });
    const controller = new AbortController();
    const handle = run(
      program.flow("main"),
      { text: "a" },
      {
        signal: controller.signal,
        tools: {
          shout: (_args, { signal }) => {
            queueMicrotask(() => controller.abort());
            return new Promise((_, fail) => signal.addEventListener("abort", () => fail(new Error("stopped"))));
          },
        },
      },
    );
    await expect(handle.result).rejects.toMatchObject({ status: "cancelled" });
  });
});

const FAILS_ONCE = `tool begin() -> int = module("./t.ts")
tool finish(after: int) -> int = module("./t.ts")
flow main() -> int {
  let a = begin()
  a + finish(a)
}
`;

test("a run that is kept is resumed", async () => {
  const store = memoryStore();
  const program = await compile("a.weave", { sources: { "a.weave": FAILS_ONCE } });
  let made = 0;
  const tools = {
    begin: () => {
      made++;
      return 1;
    },
    finish: () => {
      throw new Error("not yet");
    },
  };
  const first = run(program.flow("main"), {}, { store, tools });
  await expect(first.result).rejects.toThrow("not yet");
  const again = resume(first.runId, { store, tools: { ...tools, finish: () => 2 } });
  expect((await again.result).value).toBe(3);
  expect(made).toBe(1);
});

describe("tools that a host supplies", () => {
  const program = `/// A customer of the shop.
tool customer(id: int) -> { name: string, vip: bool } = module("host:shop")
agent Choose(conflict: { path: string, base: string, ours: string, theirs: string }) -> string { model: fast, prompt: "{{conflict.ours}} or {{conflict.theirs}}?" }
model fast { provider: "sim", name: "small" }
flow main(id: int) -> string { customer(id).name }
`;
  const compiled = (tools: Record<string, ToolFunction> = {}) => compile("main.weave", { sources: { "main.weave": program }, tools });
  const customer: ToolFunction = ({ id }) => ({ name: `customer ${String(id)}`, vip: true, internal: 7 });

  test("are called with checked arguments, and their results checked and cut", async () => {
    const { flow } = await compiled();
    expect((await run(flow("main"), { id: 3 }, { tools: { customer } }).result).value).toBe("customer 3");
    await expect(run(flow("main"), { id: 3 }, { tools: { customer: () => ({ name: 3 }) } }).result).rejects.toMatchObject({
      failure: { kind: "invalid_output" },
    });
  });

  test("come with the run before those that came with the program, and those before the registered ones", async () => {
    const named =
      (name: string): ToolFunction =>
      () => ({ name, vip: false });
    const takeBack = registerTool("customer", named("registered"));
    try {
      expect(() => registerTool("customer", customer)).toThrow("there is a tool customer already");
      const plain = (await compiled()).flow("main");
      const own = (await compiled({ customer: named("program") })).flow("main");
      expect((await run(plain, { id: 1 }).result).value).toBe("registered");
      expect((await run(own, { id: 1 }).result).value).toBe("program");
      expect((await run(own, { id: 1 }, { tools: { customer: named("run") } }).result).value).toBe("run");
    } finally {
      takeBack();
    }
  });

  test("that are missing or that nobody declares are told before the run starts", async () => {
    const { flow } = await compiled();
    const refused = run(flow("main"), { id: 1 }).result;
    await expect(refused).rejects.toMatchObject({ status: "refused", diagnostics: [{ code: "W0902" }] });
    await expect(refused).rejects.toThrow("give it to `run` as `tools: { customer: … }`");
    expect(() => run(flow("main"), { id: 1 }, { tools: { custommer: customer } })).toThrow(
      "declares no tool custommer; did you mean customer?",
    );
    await expect(compiled({ toString: customer })).rejects.toThrow("declares no tool toString");
  });
});

describe("a recording", () => {
  const program = `let TOKEN = secret("TOKEN")
model fast { provider: "openai_compatible", name: "small", base_url: "http://127.0.0.1:9/v1", price: { input: $1.00, output: $1.00 }, max_output: 100, context: 1k }
agent Ask(question: string) -> string { model: fast, prompt: "{{question}}?" }
effect tool tell(token: secret string, text: string) -> string = module("host:app")
flow main(question: string) -> string { tell(TOKEN, Ask(question)) }
flow both(question: string) -> string {
  let said = Ask(question)
  let agreed = ask "Agreed with {{said}}?" as bool
  "{{said}} {{agreed}}"
}
`;
  const environment = { TOKEN: "a-token-0123456789" };
  const file = (): string => join(mkdtempSync(join(tmpdir(), "weave-rec-")), "r.yaml");
  /** Answers, and counts what it was asked. */
  const world = () => {
    const seen = { asked: 0, told: 0 };
    const provider: Provider = {
      name: "openai_compatible",
      simulated: false,
      timed: false,
      ask: ({ messages }) => {
        seen.asked++;
        const text = `said of ${messages.map((message) => message.text).join()}`;
        return Promise.resolve({ text, toolCalls: [], usage: { inputTokens: 10, outputTokens: 5 }, finish: "stop" });
      },
    };
    const tell: ToolFunction = ({ token, text }) => {
      seen.told++;
      return `${String(text)} with ${String(token).length}`;
    };
    return { seen, options: { providers: { openai_compatible: provider }, tools: { tell }, environment } };
  };
  const compiled = () => compile("main.weave", { sources: { "main.weave": program } });

  test("is written when a run ends, and answers another without asking anybody", async () => {
    const { flow } = await compiled();
    const at = file();
    const { seen, options } = world();
    const recorded = await run(flow("main"), { question: "why" }, { ...options, recording: await openRecording(at, { mode: "record" }) })
      .result;
    expect([recorded.value, seen]).toEqual(["said of why? with 18", { asked: 1, told: 1 }]);
    const text = readFileSync(at, "utf8");
    expect(text).toMatch(/^# Recorded by `weave-lang` from real calls\.\n/);
    expect(text).not.toContain(environment.TOKEN);
    // Neither a key, nor a tool, nor a variable of the environment is needed.
    const replayed = await run(flow("main"), { question: "why" }, { recording: await openRecording(at), environment: {} }).result;
    expect([replayed.value, replayed.spend.costUsd, seen.asked]).toEqual([recorded.value, recorded.spend.costUsd, 1]);
  });

  test("stops a run that asks what is not there, and says what changed; `fill` asks for that only", async () => {
    const { flow } = await compiled();
    const at = file();
    const { seen, options } = world();
    await run(flow("main"), { question: "why" }, { ...options, recording: await openRecording(at, { mode: "record" }) }).result;
    const missed = run(flow("main"), { question: "why not" }, { ...options, recording: await openRecording(at) }).result;
    await expect(missed).rejects.toMatchObject({ status: "refused", diagnostics: [{ code: "W0911" }] });
    await expect(missed).rejects.toThrow("why{+ not+}?");
    expect(seen).toEqual({ asked: 1, told: 1 });
    const filling = await openRecording(at, { mode: "fill" });
    for (const question of ["why", "why not"]) await run(flow("main"), { question }, { ...options, recording: filling }).result;
    expect(seen).toEqual({ asked: 2, told: 2 });
    const replaying = await openRecording(at);
    const values = ["why not", "why"].map((question) => run(flow("main"), { question }, { recording: replaying, environment: {} }).result);
    expect((await Promise.all(values)).map(({ value }) => value)).toEqual(["said of why not? with 18", "said of why? with 18"]);
    expect(seen.asked).toBe(2);
  });

  test("has what people answered, and goes with a run that is kept and resumed", async () => {
    const { flow } = await compiled();
    const at = file();
    const { seen, options } = world();
    const store = memoryStore();
    const first = run(flow("both"), { question: "so" }, { ...options, store, recording: await openRecording(at, { mode: "record" }) });
    await expect(first.result).rejects.toMatchObject({ status: "waiting" });
    const waiting = await first.result.catch((error: RunError) => error.questions);
    store.answer(first.runId, (waiting as readonly string[])[0] ?? "", true);
    const again = resume(first.runId, { ...options, store, recording: await openRecording(at, { mode: "fill" }) });
    expect((await again.result).value).toBe("said of so? true");
    expect(seen.asked).toBe(1);
    const replayed = run(flow("both"), { question: "so" }, { recording: await openRecording(at), environment: {} });
    expect((await replayed.result).value).toBe("said of so? true");
  });

  test("that is not there, that cannot be read, or that is none is told before a run starts", async () => {
    const { flow } = await compiled();
    await expect(openRecording("none.yaml")).rejects.toThrow('there is no recording none.yaml; the mode "record" makes it');
    const at = file();
    writeFileSync(at, "version: 1\nagents:\n  - agent: 7\n");
    await expect(openRecording(at)).rejects.toThrow(/r\.yaml cannot be read \(line 3\): At agents\[0\]/);
    const none = { file: "x", mode: "replay", save: () => false } as const;
    expect(() => run(flow("main"), { question: "x" }, { recording: none })).toThrow(TypeError);
  });
});
