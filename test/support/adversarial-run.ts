/** A run with models and tools at their worst, and what it used, to be compared with a bound. */
import { virtualClock } from "../../src/host/clock.js";
import type { Count } from "../../src/plan/bound-algebra.js";
import { valueAt } from "../../src/plan/bound-algebra.js";
import type { Amounts } from "../../src/plan/bounds.js";
import type { Graph } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { type RunResult, run } from "../../src/runtime/run.js";
import { adversarialTool, adversary, type Malice } from "./adversary.js";

export interface Tried {
  readonly result: RunResult;
  readonly events: readonly RunEvent[];
  /** What was used, as bounds count it. */
  readonly used: Amounts<number>;
  /** A bound for lists as long as the longest that this run went through. */
  readonly at: (count: Count) => number;
}

/** How bad it gets, by a number: from answers that are only long to failures everywhere. */
export const maliceOf = (seed: number): Malice => ({
  seed,
  failing: [0, 0.05, 0.4][seed % 3] ?? 0,
  wrong: [0.95, 0.5][seed % 2] ?? 0,
});

/** Runs the flow `main` in virtual time. */
export async function adversarialRun(graph: Graph, inputs: Readonly<Record<string, unknown>>, malice: Malice): Promise<Tried> {
  const events: RunEvent[] = [];
  const provider = adversary(malice);
  const handle = run(graph, "main", inputs, {
    clock: virtualClock(),
    seed: malice.seed,
    tools: {
      load: (tool) => Promise.resolve(adversarialTool(tool, graph.types, malice)),
      exec: () => Promise.reject(new Error("no programs here")),
      http: () => Promise.reject(new Error("no network here")),
      mcp: () => Promise.reject(new Error("no servers here")),
      close: () => Promise.resolve(),
    },
    models: { provider: () => provider },
    environment: () => undefined,
    onEvent: (event) => {
      events.push(event);
    },
  });
  const result = await handle.result;
  const { spend } = result;
  const size = Math.max(10, ...events.map((event) => (event.kind === "region.started" ? (event.size ?? 0) : 0)));
  return {
    result,
    events,
    used: {
      calls: spend.calls,
      toolCalls: spend.toolCalls,
      requests: events.filter((event) => event.kind === "model.requested").length,
      inputTokens: spend.inputTokens,
      outputTokens: spend.outputTokens,
      cost: Math.round(spend.costUsd * 1e9),
    },
    at: (count) => valueAt(count, () => size),
  };
}
