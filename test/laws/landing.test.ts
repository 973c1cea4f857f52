/**
 * What a budget keeps back is enough: a run that is given exactly what must be kept back for it comes to its end, whatever
 * else its flow would like to do. Of random programs those count in which nothing fails and no list or branch is known
 * only when it is there, since what that needs besides cannot have been kept back. `WEAVE_LAW_RUNS` sets how many are made.
 */
import { expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import type { Graph } from "../../src/plan/ir.js";
import { analysis } from "../../src/runtime/needs.js";
import { diligentRun } from "../support/adversarial-run.js";
import { cases } from "../support/always-replay.js";
import { runnableProgram } from "../support/runnable-programs.js";

const runs = Number(process.env["WEAVE_LAW_RUNS"] ?? cases(3_000, 60));

/** Branches, filters, lists that something gives, and timeouts that answers of the test may miss. */
const GROWING = /= if |recover|fold\(| where |(map \w+ in|reduce) (?!ys\b)|take\(v|@timeout\(\d+ms/;

/** The program under a budget of exactly what must be kept back for it. */
function justEnough(graph: Graph, inputs: Readonly<Record<string, unknown>>): Graph | undefined {
  const flow = graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) return undefined;
  const { cost, tokens, calls } = analysis(graph).inside({ kind: "flow", id: flow.id }, inputs);
  if (calls === 0 || calls > 300) return undefined;
  const constant = (value: number) => ({ kind: "const", value }) as const;
  const budget = { cost: constant((cost + 0.5) / 1e9), tokens: constant(tokens), calls: constant(calls) };
  return { ...graph, flows: { ...graph.flows, [flow.id]: { ...flow, policies: { ...flow.policies, budget } } } };
}

test("what is kept back for a flow is enough for it", { timeout: 60_000 + runs * 50 }, async () => {
  let ended = 0;
  for (let seed = 1; seed <= runs; seed++) {
    const { source, inputs } = runnableProgram(seed, 2 + (seed % 6));
    if (GROWING.test(source)) continue;
    const { graph } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    const capped = graph === undefined ? undefined : justEnough(graph, inputs);
    if (capped === undefined) continue;
    const { result } = await diligentRun(capped, inputs, seed);
    if (result.status !== "completed") throw new Error(`seed ${seed}: ${result.failure?.message ?? result.problems[0]?.code}\n${source}`);
    ended++;
  }
  expect(ended).toBeGreaterThan(runs / 30);
});
