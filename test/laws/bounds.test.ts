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
import { toolHost } from "../../src/host/tools/host.js";
import { plus, valueAt } from "../../src/plan/bound-algebra.js";
import { type Amounts, bounds } from "../../src/plan/bounds.js";
import type { FlowIR, Graph } from "../../src/plan/ir.js";
import { failure } from "../../src/runtime/failure.js";
import type { Provider } from "../../src/runtime/provider.js";
import { run } from "../../src/runtime/run.js";
import { adversarialRun, maliceOf } from "../support/adversarial-run.js";
import { cases } from "../support/always-replay.js";
import { runnableProgram } from "../support/runnable-programs.js";

const runs = Number(process.env["WEAVE_LAW_RUNS"] ?? cases(1_000, 60));
/** Small programs are compiled fast; a long run tries larger ones as well. */
const long = runs > 1_000;
/** Programs that once told something, as a long run makes them. */
const once = [17_097, 91_683];
/** Programs that could ask more often than this would only take time. */
const manageable = 500;

interface Case {
  readonly graph: Graph;
  readonly flow: FlowIR;
  readonly most: Amounts;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly source: string;
}

/** A program that compiles and is not too large; one whose budget is too small, or whose choices have no candidate, is told so and left out. */
function caseOf(seed: number, large: boolean): Case | undefined {
  const { source, inputs } = runnableProgram(seed, 2 + (seed % (large ? 14 : 5)));
  const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
  const errors = problems.filter((problem) => problem.severity === "error");
  if (errors.some(({ code }) => code !== "W0801" && code !== "W0804")) throw new Error(`${renderProblems(errors, files)}\n${source}`);
  const flow = graph?.flows[graph.entries["main"] ?? ""];
  if (graph === undefined || flow === undefined) return undefined;
  const { most } = bounds(graph, inputs).of(flow).bound;
  return valueAt(most.requests, () => 10) > manageable ? undefined : { graph, flow, most, inputs, source };
}

describe("bounds", () => {
  test("are never exceeded, whatever models and tools do within their limits, and as a budget refuse nothing", {
    timeout: 60_000 + runs * 400,
  }, async () => {
    let compared = 0;
    let budgeted = 0;
    for (let i = -once.length; i < runs; i++) {
      const seed = once[i + once.length] ?? i + 1;
      const made = caseOf(seed, long || i < 0);
      if (made === undefined) continue;
      const { result, used, at } = await adversarialRun(made.graph, made.inputs, maliceOf(seed));
      expect(result.problems, made.source).toEqual([]);
      for (const name of Object.keys(used) as (keyof typeof used)[]) {
        const most = at(made.most[name]);
        if (used[name] > most) throw new Error(`seed ${seed}: ${name} ${used[name]} is more than the bound ${most}\n${made.source}`);
      }
      compared++;
      const capped = seed % 3 === 0 ? underItsBound(made) : undefined;
      if (capped === undefined) continue;
      const { events } = await adversarialRun(capped, made.inputs, maliceOf(seed));
      const refused = events.find((event) => event.kind === "budget.refused" && event.account === "main");
      if (refused !== undefined) throw new Error(`seed ${seed}: ${JSON.stringify(refused)}\n${made.source}`);
      budgeted++;
    }
    expect(compared).toBeGreaterThan(runs / 2);
    expect(budgeted).toBeGreaterThan(runs / 10);
  });

  test("hold for media, whatever stands in a prompt how often", async () => {
    const source = `
model seeing { provider: "sim", price: { input: $1.00, output: $10.00 }, media: { image: 700, audio: 90, document: 3k }, max_output: 50, token_factor: 0.7 }
agent Look(photos: image[..3], said: audio?, paper: document) -> string(..40)[..2] {
  model: seeing
  prompt: "{{#each photos}}{{this}} and {{/each}}{{#if said}}{{said}}{{/if}}{{paper}}{{paper}}"
}
flow main(photos: image[..3], said: audio?, paper: document) -> string[] { Look(photos, said, paper) }
`;
    const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    if (graph === undefined) throw new Error(renderProblems(problems, files));
    const flow = graph.flows[graph.entries["main"] ?? ""];
    const bytes = { data: "x".repeat(5_000), media_type: "image/png" };
    for (const photos of [[], ["a.png"], ["a.png", bytes, "c.png"]]) {
      for (const said of ["a.wav", null]) {
        const inputs = { photos, said, paper: "a.pdf" };
        const { most } = bounds(graph, inputs).of(flow as FlowIR).bound;
        for (let seed = 1; seed <= 6; seed++) {
          const { result, used, at } = await adversarialRun(graph, inputs, maliceOf(seed));
          expect(result.problems).toEqual([]);
          expect(used.inputTokens).toBeLessThanOrEqual(at(most.inputTokens));
          expect(used.cost).toBeLessThanOrEqual(at(most.cost));
          if (seed === 1) expect(used.inputTokens).toBeGreaterThan(6_000 + 700 * photos.length);
        }
      }
    }
  });

  test.each(["truncate", "summarise"])("hold for prompts that are shrunk, even where what was too long is paid for: %s", async (how) => {
    const source = `
model m { provider: "sim", price: { input: $1.00, output: $10.00 }, max_output: 50 }
agent Read(text: string) -> int { model: m, repairs: 1, prompt: "Read {{text}}", shrink: { text: "${how}" } }
flow main(text: string) -> int { Read(text) }
`;
    const { graph, problems, files } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    if (graph === undefined) throw new Error(renderProblems(problems, files));
    const inputs = { text: "€uro ".repeat(2_000) };
    const { most } = bounds(graph, inputs).of(graph.flows[graph.entries["main"] ?? ""] as FlowIR).bound;
    const provider: Provider = {
      name: "greedy",
      simulated: false,
      timed: true,
      ask: ({ inputBound: inputTokens, maxOutput: outputTokens, turn, answer }) => {
        const usage = { inputTokens, outputTokens };
        // Summaries are as long as what they are of.
        if (answer.kind === "string" || turn < 0) return Promise.resolve({ text: "€".repeat(700), toolCalls: [], usage, finish: "stop" });
        return Promise.reject({ ...failure("context_too_long", "too long"), usage });
      },
    };
    const { result } = run(graph, "main", inputs, {
      clock: virtualClock(),
      tools: toolHost({ directory: ".", allowed: [] }),
      models: { provider: () => provider },
      environment: () => undefined,
    });
    const { failure: failed, spend } = await result;
    expect(failed?.kind).toBe("context_too_long");
    expect(spend.inputTokens).toBeGreaterThan(10_000);
    expect(spend.inputTokens).toBeLessThanOrEqual(valueAt(most.inputTokens, () => 1));
    expect(spend.outputTokens).toBeLessThanOrEqual(valueAt(most.outputTokens, () => 1));
    expect(Math.round(spend.costUsd * 1e9)).toBeLessThanOrEqual(valueAt(most.cost, () => 1));
  });
});

/** The program under a budget as large as its bound, where that is a number. */
function underItsBound({ graph, flow, most }: Case): Graph | undefined {
  const [cost, tokens, calls] = [most.cost, plus(most.inputTokens, most.outputTokens), most.calls];
  if (typeof cost !== "number" || typeof tokens !== "number" || typeof calls !== "number") return undefined;
  if (![cost, tokens, calls].every(Number.isFinite)) return undefined;
  const constant = (value: number) => ({ kind: "const", value }) as const;
  const budget = { cost: constant((cost + 0.5) / 1e9), tokens: constant(tokens), calls: constant(calls) };
  return { ...graph, flows: { ...graph.flows, [flow.id]: { ...flow, policies: { ...flow.policies, budget } } } };
}
