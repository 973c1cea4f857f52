/** What runs learn of what they call, and what is expected of the next one by it: never more than the bound. */

import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { virtualClock } from "../../src/host/clock.js";
import { fileHost } from "../../src/host/files.js";
import { memoryStore } from "../../src/host/store/memory.js";
import { isNumber } from "../../src/plan/bound-algebra.js";
import { bounds, expected } from "../../src/plan/bounds.js";
import type { FlowIR, Graph } from "../../src/plan/ir.js";
import { runKept } from "../../src/runtime/durable.js";
import { historyOf } from "../../src/runtime/history.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { RunResult } from "../../src/runtime/run.js";
import type { Store } from "../../src/runtime/store.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { onClock } from "../support/flows.js";
import { functionsOnly } from "../support/tools.js";

const HEAD = `
model m { provider: "sim", name: "m", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 500 }
@cost($0.002) tool paid(x: string) -> string(..20) = module("./t.ts")
tool free(x: string) -> string(..20) = module("./t.ts")
@retry(2, backoff: 1s) agent Say(x: string) -> string(..20) { model: m, prompt: "{{x}}" }
agent Tooled(x: string) -> string(..20) { model: m, tools: [paid], max_turns: 4, prompt: "{{x}}" }
`;

function graphOf(body: string): Graph {
  const { graph, problems, files } = compile(
    "main.weave",
    fileHost(new Map([["main.weave", `${HEAD}flow main(xs: string[]) -> string[] {\n${body}\n}\n`]])),
  );
  if (graph === undefined) throw new Error(renderProblems(problems, files));
  return graph;
}
const mainOf = (graph: Graph): FlowIR => {
  const flow = graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) throw new Error("no flow");
  return flow;
};

const usage = { inputTokens: 100, outputTokens: 20 };
/** Uses a tool once where there is one; takes 2 s for each request. */
const model: Provider = {
  name: "fake",
  simulated: false,
  timed: true,
  ask: async (request, { clock }) => {
    await onClock(clock, 2000);
    const { text = "" } = request.messages.at(-1) as { text?: string };
    if (text === "fail") throw Object.assign(new Error("refused"), { kind: "refused" });
    if (request.tools.length > 0 && request.turn === 1)
      return { text: "", toolCalls: [{ id: "1", name: "paid", arguments: { x: "a" } }], usage, finish: "tools" };
    return { text: "said", toolCalls: [], usage, finish: "stop" };
  },
};

function carryOut(
  graph: Graph,
  xs: readonly string[],
  store: Store,
  provider = model,
  tools: Readonly<Record<string, ToolFunction>> = {},
): Promise<RunResult> {
  const clock = virtualClock();
  const usual: Readonly<Record<string, ToolFunction>> = { paid: () => "paid", free: () => "free", ...tools };
  const handle = runKept(
    graph,
    "main",
    { xs },
    {
      clock,
      tools: functionsOnly((tool) => Promise.resolve(usual[tool.name] ?? (() => null))),
      models: { provider: () => provider },
      environment: () => undefined,
    },
    { store, owner: "test", soon: setImmediate },
    { file: "main.weave", options: {} },
  );
  return handle.result;
}

describe("what a run learns", () => {
  test("is what its calls used on average, those of an agent with its tools", async () => {
    const store = memoryStore();
    const graph = graphOf('let a = map x in xs { Say(x) }\nlet b = map x in xs { Tooled(x) }\n[...a, ...b, free("x")]');
    const result = await carryOut(graph, ["a", "b"], store);
    expect(result.problems).toEqual([]);
    const history = historyOf(graph, store.history());
    const mean = (name: string) => history?.means.get(name);
    expect(mean("Say")).toMatchObject({
      calls: 2,
      success: 1,
      attempts: 1,
      requests: 1,
      inputTokens: 100,
      outputTokens: 20,
      costUsd: 0.0002,
      latencyMs: 2000,
    });
    expect(mean("Tooled")).toMatchObject({ calls: 2, attempts: 2, toolAttempts: 1, requests: 2, latencyMs: 4000 });
    expect(mean("Tooled")?.costUsd).toBeCloseTo(0.0024, 9);
    expect(mean("paid")).toMatchObject({ calls: 2, costUsd: 0.002 });
    expect(mean("free")).toMatchObject({ calls: 1, success: 1, costUsd: 0 });
  });

  test("adds up over runs, counts failures, and leaves out what was stopped or refused", async () => {
    const store = memoryStore();
    const graph = graphOf("let s = settle map x in xs { Say(x) }\ns.ok");
    await carryOut(graph, ["a", "fail"], store);
    await carryOut(graph, ["fail", "b"], store);
    expect(historyOf(graph, store.history())?.means.get("Say")).toMatchObject({ calls: 4, success: 0.5 });
    const stopped = graphOf('let w = race { Say("a"), free("b") }\n[w, ...(settle map x in xs { @budget($0.003) Tooled(x) }).ok]');
    const other = memoryStore();
    await carryOut(stopped, ["a"], other);
    const means = historyOf(stopped, other.history())?.means;
    expect([means?.has("free"), means?.has("Say"), means?.has("Tooled")]).toEqual([true, false, false]);
  });

  test("of simulated runs is kept apart, and stands in only where there is nothing else", async () => {
    const store = memoryStore();
    const graph = graphOf("map x in xs { Say(x) }");
    await carryOut(graph, ["a"], store, { ...model, simulated: true });
    expect([historyOf(graph, store.history())?.simulated, historyOf(graph, store.history(), false)]).toEqual([true, undefined]);
    await carryOut(graph, ["a", "b"], store);
    expect(historyOf(graph, store.history())).toMatchObject({ simulated: false });
    expect(historyOf(graph, store.history(), true)?.means.get("Say")?.calls).toBe(1);
  });

  test("is of the definition: another prompt begins anew", async () => {
    const store = memoryStore();
    await carryOut(graphOf("map x in xs { Say(x) }"), ["a"], store);
    const edited = compile(
      "main.weave",
      fileHost(
        new Map([
          [
            "main.weave",
            `${HEAD.replace('prompt: "{{x}}" }\nagent', 'prompt: "Now: {{x}}" }\nagent')}flow main(xs: string[]) -> string[] { map x in xs { Say(x) } }\n`,
          ],
        ]),
      ),
    ).graph;
    if (edited === undefined) throw new Error("does not compile");
    expect(historyOf(edited, store.history())).toBeUndefined();
  });
});

describe("what is expected", () => {
  test.each<[string, string]>([
    ["a map", "map x in xs { Say(x) }"],
    ["agents with tools", 'let a = map x in xs { Tooled(x) }\n[...a, paid("y")]'],
    ["flows that are called", "let a = map x in xs { Say(x) }\nlet b = map y in a { paid(y) }\n[...a, ...b]"],
  ])("of %s is what the run before used", async (_, body) => {
    const store = memoryStore();
    const graph = graphOf(body);
    const xs = ["a", "b", "c"];
    const { spend } = await carryOut(graph, xs, store);
    const history = historyOf(graph, store.history());
    if (history === undefined) throw new Error("nothing was learned");
    const found = expected(graph, mainOf(graph), { xs }, history.means, history.simulated);
    expect(found?.unknown).toEqual([]);
    expect([found?.most.calls, found?.most.toolCalls]).toEqual([spend.calls, spend.toolCalls]);
    expect(Number(found?.most.cost) / 1e9).toBeCloseTo(spend.costUsd, 9);
    expect(found?.most.inputTokens).toBe(spend.inputTokens);
  });

  test("is never more than the bound, and names what never ran", async () => {
    const store = memoryStore();
    const graph = graphOf("let a = map x in xs { Say(x) }\nif len(a) > 9 { map x in xs { Tooled(x) } } else { a }");
    await carryOut(graph, ["a"], store);
    const history = historyOf(graph, store.history());
    if (history === undefined) throw new Error("nothing was learned");
    const tight = { ...history, means: new Map([...history.means].map(([id, mean]) => [id, { ...mean, costUsd: 99, attempts: 99 }])) };
    for (const { means } of [history, tight]) {
      const found = expected(graph, mainOf(graph), { xs: ["a", "b"] }, means, false);
      const { most } = bounds(graph, { xs: ["a", "b"] }).of(mainOf(graph)).inside;
      expect(found?.unknown).toEqual(["Tooled", "paid"]);
      for (const name of ["cost", "calls", "requests"] as const) {
        const [mean, bound] = [found?.most[name] ?? 0, most[name]];
        expect(isNumber(mean) && isNumber(bound) && mean <= bound).toBe(true);
      }
    }
  });

  test("depends on sizes that are not known yet, and is told only where something is known", () => {
    const graph = graphOf("map x in xs { Say(x) }");
    expect(expected(graph, mainOf(graph), undefined, new Map(), false)).toBeUndefined();
    const mean = { attempts: 1, toolAttempts: 0, requests: 1, inputTokens: 10, outputTokens: 5, costUsd: 0.001, latencyMs: 500 };
    const found = expected(graph, mainOf(graph), undefined, new Map([["Say", mean]]), false);
    expect(isNumber(found?.most.cost ?? 0)).toBe(false);
  });
});
