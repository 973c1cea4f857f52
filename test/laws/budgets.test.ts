/**
 * A budget is a hard cap: random programs under random budgets, with models and tools at their worst, never use more of
 * anything than any budget around allows. They always end, and nothing is left reserved or kept back. `WEAVE_LAW_RUNS`
 * sets how many programs are tried.
 */
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import { valueAt } from "../../src/plan/bound-algebra.js";
import { bounds } from "../../src/plan/bounds.js";
import type { Graph } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { randomFor } from "../../src/runtime/hash.js";
import { machineRun, maliceOf } from "../support/adversarial-run.js";
import { cases } from "../support/always-replay.js";
import { runnableProgram } from "../support/runnable-programs.js";

const runs = Number(process.env["WEAVE_LAW_RUNS"] ?? cases(150, 30));
const constant = (value: number) => ({ kind: "const", value }) as const;

interface Used {
  cost: number;
  tokens: number;
  calls: number;
}

/** What was used inside a path. */
function usedIn(events: readonly RunEvent[], path: string): Used {
  const used: Used = { cost: 0, tokens: 0, calls: 0 };
  const inside = (of: string): boolean => of === path || (of.startsWith(path) && "/[~".includes(of.charAt(path.length)));
  for (const event of events) {
    if (event.kind === "call.attempted" && inside(event.path)) {
      used.calls++;
      used.cost += Math.round((event.costUsd ?? 0) * 1e9);
    }
    if ((event.kind === "model.answered" || event.kind === "model.failed") && inside(event.path)) {
      used.cost += Math.round(event.costUsd * 1e9);
      used.tokens += event.inputTokens + event.outputTokens;
    }
  }
  return used;
}

/** The program under a budget of a share of what it may use, drawn from the seed: from hardly anything to enough. */
function capped(
  seed: number,
): { readonly graph: Graph; readonly inputs: Readonly<Record<string, unknown>>; readonly source: string } | undefined {
  const { source, inputs } = runnableProgram(seed, 2 + (seed % 6));
  const { graph } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
  const flow = graph?.flows[graph.entries["main"] ?? ""];
  if (graph === undefined || flow === undefined) return undefined;
  const { most } = bounds(graph, inputs).of(flow).bound;
  const at = (count: Parameters<typeof valueAt>[0]): number =>
    Math.min(
      1e12,
      valueAt(count, () => 4),
    );
  if (at(most.requests) > 2_000) return undefined;
  const random = randomFor(seed, "budget");
  const share = (): number => random() ** 2 * 1.1;
  const time = random() < 0.2 ? { time: constant(Math.floor(random() * 2_000)) } : {};
  const budget = {
    ...(random() < 0.8 ? { cost: constant((at(most.cost) * share()) / 1e9) } : {}),
    ...(random() < 0.4 ? { tokens: constant(Math.floor((at(most.inputTokens) + at(most.outputTokens)) * share())) } : {}),
    ...(random() < 0.4 ? { calls: constant(Math.floor(at(most.calls) * share())) } : {}),
    ...time,
  };
  return { graph: { ...graph, flows: { ...graph.flows, [flow.id]: { ...flow, policies: { ...flow.policies, budget } } } }, inputs, source };
}

describe("budgets", () => {
  test("are never exceeded, and leave nothing behind", { timeout: 20_000 + runs * 400 }, async () => {
    let short = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const made = capped(seed);
      if (made === undefined) continue;
      const { events, root } = await machineRun(made.graph, made.inputs, maliceOf(seed));
      if (events.some((event) => event.kind === "budget.refused")) short++;
      const tell = (what: string): string => `seed ${seed}: ${what}\n${made.source}`;
      for (const event of events) {
        if (event.kind !== "budget.opened") continue;
        const used = usedIn(events, event.path);
        const caps = {
          cost: event.caps.costUsd === undefined ? undefined : Math.round(event.caps.costUsd * 1e9),
          tokens: event.caps.tokens,
          calls: event.caps.calls,
        };
        for (const name of ["cost", "tokens", "calls"] as const)
          if (used[name] > (caps[name] ?? Number.POSITIVE_INFINITY))
            throw new Error(tell(`${name} ${used[name]} of ${caps[name]} at ${event.path}`));
      }
      const none = { cost: 0, tokens: 0, calls: 0 };
      expect([root.reserved, root.kept], tell("left behind")).toEqual([none, none]);
    }
    expect(short).toBeGreaterThan(runs / 4);
  });
});
