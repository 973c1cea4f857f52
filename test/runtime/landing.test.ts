/** A run that gets short of its budget ends with the best its types allow, and what must be done can always be paid. */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { fileHost } from "../../src/host/files.js";
import type { Graph } from "../../src/plan/ir.js";
import { failure } from "../../src/runtime/failure.js";
import type { ModelAnswer, ModelRequest, Provider } from "../../src/runtime/provider.js";
import * as f from "../support/flows.js";

/** Every request costs 1 cent at most, which is what it uses: 1,000 tokens of output at $10 a million. */
const MODEL = `model m { provider: "sim", price: { input: $0.00, output: $10.00 }, context: 20k, max_output: 1k }
agent A(x: string(..40)) -> string(..40) { model: m, repairs: 0, prompt: "{{x}}" }
agent Report(all: string(..40)[]) -> string(..80) { model: m, repairs: 0, prompt: "{{join all ', '}}" }
`;

function graphOf(source: string): Graph {
  const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", `${MODEL}${source}`]])));
  const errors = problems.filter((problem) => problem.severity === "error");
  if (graph === undefined || errors.length > 0) throw new Error(renderProblems(errors, files));
  return graph;
}

interface Acting {
  readonly ms?: (request: ModelRequest) => number;
  readonly answer?: (request: ModelRequest) => Partial<ModelAnswer>;
  /** It goes on when it is aborted. */
  readonly deaf?: boolean;
}

/** Uses all that a request allows. */
function greedy({ ms = () => 100, answer = () => ({}), deaf = false }: Acting = {}): Provider {
  return {
    name: "greedy",
    simulated: true,
    timed: true,
    ask: (request, { clock, signal }) =>
      new Promise((resolve, reject) => {
        const cancelTimer = clock.after(ms(request), () => {
          try {
            resolve({
              text: "fine",
              toolCalls: [],
              usage: { inputTokens: request.inputBound, outputTokens: request.maxOutput },
              finish: "stop",
              ...answer(request),
            });
          } catch (thrown) {
            reject(thrown);
          }
        });
        if (deaf) return;
        signal.addEventListener("abort", () => {
          cancelTimer();
          reject(new DOMException("aborted", "AbortError"));
        });
      }),
  };
}

const xs = (n: number) => ({ xs: Array.from({ length: n }, (_, i) => `item ${i}`) });
const kinds = (events: readonly { kind: string }[], kind: string) => events.filter((event) => event.kind === kind);

describe("what must be done is kept back", () => {
  test("from the items of a map: the report that follows is paid", async () => {
    const graph = graphOf(`@budget($0.055) flow main(xs: string(..40)[]) -> { n: int, text: string } {
      let all = settle map x in xs { A(x) }
      { n: len(all.ok), text: Report(all.ok) }
    }`);
    const { result, events } = await f.finish(graph, { provider: greedy(), inputs: xs(20) });
    expect(result).toMatchObject({ status: "completed", value: { n: 4, text: "fine" } });
    expect(result.spend.costUsd).toBeCloseTo(0.05, 6);
    expect(kinds(events, "budget.landed")).toMatchObject([{ region: "map", after: 4 }]);
  });

  test("from flows inside, whatever they do", async () => {
    const graph = graphOf(`flow helper(xs: string(..40)[]) -> string(..40)[] { (settle map x in xs { A(x) }).ok }
    @budget($0.055) flow main(xs: string(..40)[]) -> string { Report(helper(xs)) }`);
    const { result } = await f.finish(graph, { provider: greedy(), inputs: xs(20) });
    expect(result).toMatchObject({ status: "completed", value: "fine" });
    expect(result.spend.calls).toBe(5);
  });

  test("from attempts beyond the first: a retry that would eat the report is not made", async () => {
    const graph = graphOf(`@budget($0.025) flow main(xs: string(..40)[]) -> string {
      let one = try @retry(5, backoff: 1s) A("x") recover err { "none" }
      Report([one])
    }`);
    const failing = greedy({
      answer: ({ agent }) => {
        if (agent === "A") throw Object.assign(failure("unavailable", "down"), { usage: { inputTokens: 1, outputTokens: 1000 } });
        return {};
      },
    });
    // The budget is that of the whole flow, so nobody inside can go on without it; but nothing of it is overspent.
    const { result } = await f.finish(graph, { provider: failing, inputs: xs(1) });
    expect(result).toMatchObject({ status: "failed", failure: { kind: "budget_exceeded" } });
    expect(result.failure?.message).toContain("$0.010 kept back for what must still be done");
    expect(result.spend.costUsd).toBeCloseTo(0.01, 6);
  });

  test("for the items that must succeed, which may be fewer than there are", async () => {
    const graph = graphOf(`@budget($0.075) flow main(xs: string(..40)[]) -> string[] {
      let some = @min_success(3) map x in xs { A(x) }
      let others = settle map x in xs { A(x) }
      [Report(some), Report(others.ok)]
    }`);
    const { result } = await f.finish(graph, { provider: greedy(), inputs: xs(9) });
    expect(result).toMatchObject({ status: "completed" });
    expect(result.spend.calls).toBe(7);
  });

  test("more by hand: `@reserve` gives a call what nobody else may spend", async () => {
    const source = (reserve: string) => `@budget($0.055) flow main(xs: string(..40)[]) -> { n: int, text: string } {
      let all = settle map x in xs { A(x) }
      { n: len(all.ok), text: ${reserve}@retry(2, backoff: 1s) Report(all.ok) }
    }`;
    let n = 0;
    const flaky = greedy({
      answer: ({ agent }) => {
        if (agent === "Report" && n++ < 2)
          throw Object.assign(failure("unavailable", "down"), { usage: { inputTokens: 1, outputTokens: 1000 } });
        return {};
      },
    });
    const without = await f.finish(graphOf(source("")), { provider: flaky, inputs: xs(9) });
    expect(without.result).toMatchObject({ status: "failed", failure: { kind: "budget_exceeded" } });
    n = 0;
    const { result } = await f.finish(graphOf(source("@reserve($0.02) ")), { provider: flaky, inputs: xs(9) });
    expect(result).toMatchObject({ status: "completed", value: { n: 2, text: "fine" } });
    expect(result.spend.costUsd).toBeCloseTo(0.05, 6);
  });

  test("for undoing what was done", async () => {
    const graph = graphOf(`@cost($0.02) effect tool undo_it(x: string) -> null = module("./t.ts")
    @cost($0.01) effect tool do_it(x: string) -> string = module("./t.ts")
    @budget($0.055) flow main(xs: string(..40)[]) -> string {
      let id = @compensate(undo_it) do_it("x")
      let all = @after(id) settle map x in xs { A(x) }
      assert len(all.ok) > 3, "too few"
      id
    }`);
    const undone: unknown[] = [];
    const { result } = await f.finish(graph, {
      provider: greedy(),
      inputs: xs(9),
      tools: { undo_it: ({ x }) => void undone.push(x), do_it: () => "id" },
    });
    expect(result.failure?.message).toBe("too few");
    expect(undone).toEqual(["id"]);
    expect(result.spend.costUsd).toBeCloseTo(0.05, 6);
  });
});

describe("landing", () => {
  test("a map with enough items ends with those it has; one with too few fails and says what was needed", async () => {
    const source = (p: string) => `tool list() -> string(..40)[] = module("./t.ts")
    @budget($0.035) flow main() -> string[] { @min_success(${p}) map x in list() { A(x) } }`;
    const tools = { list: () => xs(10).xs };
    const { result } = await f.finish(graphOf(source("3")), { provider: greedy(), tools });
    expect(result).toMatchObject({ status: "completed", value: ["fine", "fine", "fine"] });
    const short = await f.finish(graphOf(source("50%")), { provider: greedy(), tools });
    expect(short.result).toMatchObject({ status: "failed", failure: { kind: "budget_exceeded" } });
    expect(short.result.failure?.message).toContain("5 must succeed");
    expect(short.result.failure?.message).toMatch(/\$0\.035: \$0\.030 is spent and this needs up to \$0\.010, \$0\.0050 more than is left/);
    expect(short.result.partial).toMatchObject({ ok: ["fine", "fine", "fine"] });
  });

  test("an item of several steps whose needs are known only by declared sizes is tried alone", async () => {
    const graph = graphOf(`tool fetch(x: string(..40)) -> string = module("./t.ts")
    agent Read(page: string) -> string(..40) { model: m, repairs: 0, prompt: "{{page}}" }
    @budget(tokens: 25k) flow main(xs: string(..40)[]) -> string {
      let notes = @min_success(1) map x in xs { Read(fetch(x)) }
      Report(notes)
    }`);
    // A page may fill the context of 20k tokens, and has ten.
    const { result } = await f.finish(graph, { provider: greedy(), inputs: xs(3), tools: { fetch: () => "ten letter" } });
    expect(result).toMatchObject({ status: "completed", value: "fine" });
  });

  test("an item tried alone may use what is kept back for those after it", async () => {
    const graph = graphOf(`tool list() -> string(..40)[] = module("./t.ts")
    tool fetch(x: string(..40)) -> string(..10_000) = module("./t.ts")
    agent Read(page: string(..10_000)) -> string(..40) { model: m, repairs: 0, prompt: "{{page}}" }
    @budget($0.052, tokens: 25k) flow main() -> string {
      let notes = @min_success(80%) map x in list() { Read(fetch(x)) }
      Report(notes)
    }`);
    // Two items of the declared size are more tokens than there are, so money for all that must succeed is kept back in vain.
    const tools = { list: () => xs(4).xs, fetch: () => "ten letter" };
    const { result, events } = await f.finish(graph, { provider: greedy(), tools });
    expect(result).toMatchObject({ status: "completed", value: "fine" });
    expect(result.spend.calls).toBe(10);
    expect(kinds(events, "budget.refused")).toEqual([]);
  });

  test("a loop ends with its state before a round that could not be ended", async () => {
    const graph = graphOf(`@budget($0.035) flow main() -> string {
      loop s: string(..40) = "start" up to 5 {
        let better = A(s)
        next A(better)
      }
    }`);
    const { result, events } = await f.finish(graph, { provider: greedy() });
    expect(result).toMatchObject({ status: "completed", value: "fine" });
    expect(result.spend.calls).toBe(2);
    expect(kinds(events, "budget.landed")).toMatchObject([{ region: "loop", after: 1 }]);
  });

  test("a vote ends with its evidence so far", async () => {
    const graph = graphOf(`@budget($0.035) flow main() -> { runs: int, planned: int, value: string } {
      let v = vote 7 by t => len(t) { A("x") }
      { runs: v.runs, planned: v.planned, value: v.value }
    }`);
    const { result } = await f.finish(graph, { provider: greedy() });
    expect(result).toMatchObject({ status: "completed", value: { runs: 3, planned: 7, value: "fine" } });
  });

  test("a hedge is not started", async () => {
    const graph = graphOf(`@budget($0.025) flow main() -> string {
      let one = @hedge(after: 50ms) A("x")
      Report([one])
    }`);
    const { result, events } = await f.finish(graph, { provider: greedy() });
    expect(result).toMatchObject({ status: "completed" });
    expect(result.spend.calls).toBe(2);
    expect(kinds(events, "budget.landed")).toMatchObject([{ region: "call" }]);
    expect(kinds(events, "call.hedged")).toHaveLength(0);
  });

  test("an agent answers with what it has: a last turn is kept back", async () => {
    const source = (budget: string) => `tool look(x: string) -> string = module("./t.ts")
    agent Researcher(x: string(..40)) -> string(..80) { model: m, tools: [look], repairs: 0, max_turns: 10, prompt: "{{x}}" }
    @budget(${budget}) flow main() -> string { Researcher("x") }`;
    const asking = greedy({
      answer: ({ limits, turn }) =>
        limits.turns > 0
          ? { text: "", toolCalls: [{ id: `c${turn}`, name: "look", arguments: { x: "y" } }], finish: "tools" }
          : { text: `after ${turn}` },
    });
    const tools = { look: () => "z".repeat(30_000) };
    const { result, events } = await f.finish(graphOf(source("$0.045")), { provider: asking, tools });
    expect(result).toMatchObject({ status: "completed", value: "after 4" });
    expect(result.spend.toolCalls).toBe(3);
    expect(kinds(events, "budget.landed")).toMatchObject([{ region: "agent", after: 3 }]);
    // Tokens: what the tools give is too much to be sent again, so the last answer does without it.
    const narrow = await f.finish(graphOf(source("tokens: 6k")), { provider: asking, tools });
    expect(narrow.result).toMatchObject({ status: "completed", value: "after 2" });
  });

  test("agents that wait for each other answer at once, each with what was kept back for its answer", async () => {
    const graph = graphOf(`tool look(x: string(..40)) -> string(..80) = module("./t.ts")
    agent Scout(x: string(..40)) -> string(..80) { model: m, tools: [look], repairs: 0, max_turns: 10, prompt: "{{x}}" }
    @budget($0.045) flow main() -> string {
      let seen = fork { a: Scout("a"), b: Scout("b"), c: Scout("c") }
      Report([if len(seen.a) + len(seen.b) + len(seen.c) > 0 { "seen" } else { "none" }])
    }`);
    // One cent for each answer and for the report, and no more: nobody can have two turns.
    const { result, events } = await f.finish(graph, { provider: greedy(), tools: { look: () => "z" } });
    expect(result).toMatchObject({ status: "completed", value: "fine" });
    expect(result.spend.calls).toBe(4);
    expect(kinds(events, "budget.landed")).toHaveLength(3);
  });

  test("an agent whose tool the budget does not allow answers without it", async () => {
    const graph = graphOf(`@cost($0.05) tool look(x: string) -> string = module("./t.ts")
    agent Researcher(x: string(..40)) -> string(..80) { model: m, tools: [look], repairs: 0, max_turns: 10, prompt: "{{x}}" }
    @budget($0.06) flow main() -> string { Researcher("x") }`);
    const asking = greedy({
      answer: ({ limits, turn }) =>
        limits.turns > 0
          ? { text: "", toolCalls: [{ id: `c${turn}`, name: "look", arguments: { x: "y" } }], finish: "tools" }
          : { text: `after ${turn}` },
    });
    const { result } = await f.finish(graph, { provider: asking, tools: { look: () => "z" } });
    expect(result).toMatchObject({ status: "completed", value: "after 2" });
    expect(result.spend.toolCalls).toBe(0);
  });
});

describe("waiting", () => {
  test("for others that wait themselves ends: the later gives way", async () => {
    // Both fail once; the budget has room for one more attempt when both have let go, which neither does by itself.
    const graph = graphOf(`flow twice(x: string(..40)) -> string(..40) { A(@retry(1, backoff: 1s) A(x)) }
    @budget($0.055) flow main(xs: string(..40)[]) -> string(..40)[] { (settle map x in xs { twice(x) }).ok }`);
    const tried = new Map<string, number>();
    const failing = greedy({
      answer: ({ path }) => {
        const n = (tried.get(path) ?? 0) + 1;
        tried.set(path, n);
        if (n === 1 && path.endsWith("twice/A"))
          throw Object.assign(failure("unavailable", "down"), { usage: { inputTokens: 1, outputTokens: 1000 } });
        return {};
      },
    });
    const { result } = await f.finish(graph, { provider: failing, inputs: xs(2) });
    expect(result).toMatchObject({ status: "completed", value: ["fine"] });
    expect(result.spend.costUsd).toBeLessThanOrEqual(0.055);
  });

  test("goes on while others may give something back", async () => {
    const graph = graphOf(`@budget($0.021) flow main(xs: string(..40)[]) -> int { len(map x in xs { A(x) }) }`);
    const cheap = greedy({ answer: () => ({ usage: { inputTokens: 1, outputTokens: 1 } }) });
    const { result } = await f.finish(graph, { provider: cheap, inputs: { xs: ["a", "b"] } });
    expect(result).toMatchObject({ status: "completed", value: 2 });
    const list = graphOf(`tool list() -> string(..40)[] = module("./t.ts")
    @budget($0.021) flow main() -> int { len(map x in list() { A(x) }) }`);
    const many = await f.finish(list, { provider: cheap, tools: { list: () => xs(30).xs } });
    expect(many.result).toMatchObject({ status: "completed", value: 30, elapsedMs: 1500 });
  });
});

describe("a budget of time", () => {
  const source = `@budget(time: 250ms) flow main(xs: string(..40)[]) -> int { len((settle map x in xs { A(x) }).ok) }`;

  test("aborts what runs; what need not be done is left out", async () => {
    const slow = greedy({ ms: ({ path }) => (path.includes("item 3") || path.includes("item 1]") ? 10_000 : 100) });
    const { result } = await f.finish(graphOf(source), { provider: slow, inputs: xs(5) });
    expect(result).toMatchObject({ status: "completed", value: 3, elapsedMs: 250 });
  });

  test("ends within a second of it, also where the other side does not react", async () => {
    const slow = greedy({ ms: () => 60_000, deaf: true });
    const { result } = await f.finish(graphOf(source), { provider: slow, inputs: xs(3) });
    expect(result).toMatchObject({ status: "completed", value: 0, elapsedMs: 1250 });
    const must = graphOf(`@budget(time: 250ms) flow main() -> string { A("x") }`);
    const failed = await f.finish(must, { provider: greedy({ ms: () => 60_000 }) });
    expect(failed.result).toMatchObject({ status: "failed", failure: { kind: "budget_exceeded" }, elapsedMs: 250 });
  });

  test("ends a loop with its state, a backoff, and what waits for a place", async () => {
    const loop = graphOf(`@budget(time: 250ms) flow main() -> string {
      loop s: string(..40) = "start" up to 9 { next A(s) }
    }`);
    const { result } = await f.finish(loop, { provider: greedy() });
    expect(result).toMatchObject({ status: "completed", value: "fine", elapsedMs: 250 });
    const backoff = graphOf(`@budget(time: 250ms) @parallel(1) flow main(xs: string(..40)[]) -> int {
      len((settle map x in xs { @retry(3, backoff: 1m) A(x) }).failed)
    }`);
    const failing = greedy({
      answer: () => {
        throw failure("unavailable", "down");
      },
    });
    const waited = await f.finish(backoff, { provider: failing, inputs: xs(4) });
    expect(waited.result).toMatchObject({ status: "completed", value: 4, elapsedMs: 250 });
  });

  test("lets nothing begin any more once it is over", async () => {
    const late = `@budget(time: 250ms) flow main(xs: string(..40)[]) -> string {
        let all = settle map x in xs { A(x) }
        look(if len(all.ok) > 0 { "some" } else { "none" })
      }
      tool look(x: string(..40)) -> string(..40) = module("./t.ts")`;
    const { result, events } = await f.finish(graphOf(late), {
      provider: greedy({ ms: () => 10_000 }),
      inputs: xs(2),
      tools: { look: () => "fine" },
    });
    expect(result.failure?.kind).toBe("budget_exceeded");
    expect(kinds(events, "call.completed")).toEqual([]);
    expect(result.spend.toolCalls).toBe(0);
  });
});

describe("more than was reserved", () => {
  test("is charged, told, and stops admission", async () => {
    const graph = graphOf(`@budget($1.00) flow main(xs: string(..40)[]) -> int { len((@parallel(1) settle map x in xs { A(x) }).ok) }`);
    const liar = greedy({ answer: ({ path }) => (path.includes("item 1") ? { usage: { inputTokens: 1, outputTokens: 5000 } } : {}) });
    const { result, events } = await f.finish(graph, { provider: liar, inputs: xs(9) });
    expect(result).toMatchObject({ status: "completed", value: 2 });
    expect(result.spend.costUsd).toBeCloseTo(0.06, 6);
    expect(result.spend.overran).toBe(1);
    expect(kinds(events, "budget.overran")).toMatchObject([{ costUsd: 0.05, reservedUsd: 0.01 }]);
  });
});
