/**
 * The bound is never exceeded: random programs run with models and tools at their worst, and what they spent is compared
 * with what the compiler said. A budget as large as the bound never refuses anything. `WEAVE_LAW_RUNS` sets how many
 * programs are tried.
 */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { renderProblems } from "../../src/diagnostics/render.js";
import { virtualClock } from "../../src/host/clock.js";
import { fileHost } from "../../src/host/files.js";
import { type Count, plus, valueAt } from "../../src/plan/bound-algebra.js";
import { bounds } from "../../src/plan/bounds.js";
import type { FlowIR, Graph } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { type RunResult, run } from "../../src/runtime/run.js";
import { adversarialTool, adversary, type Malice } from "../support/adversary.js";
import { runnableProgram } from "../support/runnable-programs.js";

const runs = Number(process.env["WEAVE_LAW_RUNS"] ?? 200);
/** Programs that could ask more often than this would only take time. */
const manageable = 4_000;

interface Tried {
  readonly result: RunResult;
  readonly events: readonly RunEvent[];
}

async function tried(graph: Graph, inputs: Readonly<Record<string, unknown>>, malice: Malice): Promise<Tried> {
  const events: RunEvent[] = [];
  const provider = adversary(malice);
  const handle = run(graph, "main", inputs, {
    clock: virtualClock(),
    seed: malice.seed,
    tools: {
      load: (tool) => Promise.resolve(adversarialTool(tool, graph.types, malice)),
      exec: () => Promise.reject(new Error("no programs here")),
      http: () => Promise.reject(new Error("no network here")),
    },
    models: { provider: () => provider },
    environment: () => undefined,
    onEvent: (event) => {
      events.push(event);
    },
  });
  return { result: await handle.result, events };
}

interface Case {
  readonly graph: Graph;
  readonly flow: FlowIR;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly source: string;
}

/** A program that compiles; one whose budget is too small is told so by the compiler and left out. */
function caseOf(seed: number): Case | undefined {
  const { source, inputs } = runnableProgram(seed, 4 + (seed % 12));
  const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
  const errors = problems.filter((problem) => problem.severity === "error");
  if (errors.some((problem) => problem.code !== "W0801")) throw new Error(`${renderProblems(errors, files)}\n${source}`);
  const flow = graph?.flows[graph.entries["main"] ?? ""];
  return graph === undefined || flow === undefined ? undefined : { graph, flow, inputs, source };
}

/** The longest list that was gone through. */
const sizeIn = (events: readonly RunEvent[]): number =>
  Math.max(10, ...events.map((event) => (event.kind === "region.started" ? (event.size ?? 0) : 0)));

const maliceOf = (seed: number): Malice => ({ seed, failing: [0, 0.05, 0.4][seed % 3] ?? 0, wrong: [0.95, 0.5][seed % 2] ?? 0 });

describe("bounds", () => {
  test("are never exceeded, whatever models and tools do within their limits", { timeout: 20_000 + runs * 400 }, async () => {
    let compared = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const made = caseOf(seed);
      if (made === undefined) continue;
      const { graph, flow, inputs, source } = made;
      const { bound } = bounds(graph, inputs).of(flow);
      if (valueAt(bound.most.requests, () => 10) > manageable) continue;
      const { result, events } = await tried(graph, inputs, maliceOf(seed));
      expect(result.problems, source).toEqual([]);
      const size = sizeIn(events);
      const at = (count: Count): number => valueAt(count, () => size);
      const { spend } = result;
      const used = {
        calls: spend.calls,
        toolCalls: spend.toolCalls,
        requests: events.filter((event) => event.kind === "model.requested").length,
        inputTokens: spend.inputTokens,
        outputTokens: spend.outputTokens,
        cost: Math.round(spend.costUsd * 1e9),
      };
      for (const [name, amount] of Object.entries(used)) {
        const most = at(bound.most[name as keyof typeof used]);
        if (amount > most) throw new Error(`seed ${seed}: ${name} ${amount} is more than the bound ${most}\n${source}`);
      }
      compared++;
    }
    expect(compared).toBeGreaterThan(runs / 2);
  });

  test("as a budget refuse nothing", { timeout: 20_000 + runs * 400 }, async () => {
    let compared = 0;
    for (let seed = 1; seed <= runs / 2; seed++) {
      const made = caseOf(seed);
      if (made === undefined) continue;
      const { graph, flow, inputs, source } = made;
      const { bound } = bounds(graph, inputs).of(flow);
      if (valueAt(bound.most.requests, () => 10) > manageable) continue;
      const { most } = bound;
      const amounts = [most.cost, plus(most.inputTokens, most.outputTokens), most.calls];
      if (!amounts.every((amount) => typeof amount === "number" && Number.isFinite(amount))) continue;
      const [cost = 0, tokens = 0, calls = 0] = amounts as readonly number[];
      const constant = (value: number) => ({ kind: "const", value }) as const;
      const capped: Graph = {
        ...graph,
        flows: {
          ...graph.flows,
          [flow.id]: {
            ...flow,
            policies: {
              ...flow.policies,
              budget: { cost: constant((cost + 0.5) / 1e9), tokens: constant(tokens), calls: constant(calls) },
            },
          },
        },
      };
      const { events } = await tried(capped, inputs, maliceOf(seed));
      const refused = events.find((event) => event.kind === "budget.refused" && event.account === "main");
      if (refused !== undefined) throw new Error(`seed ${seed}: ${JSON.stringify(refused)}\n${source}`);
      compared++;
    }
    expect(compared).toBeGreaterThan(runs / 10);
  });
});
