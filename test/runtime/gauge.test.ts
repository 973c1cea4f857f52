/** What the live view says of budgets is what the events add up to: nothing held at the end, what was spent in every scope. */
import { expect, test } from "vitest";
import { gauge } from "../../src/cli/gauge.js";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { adversarialRun, maliceOf } from "../support/adversarial-run.js";
import { runnableProgram } from "../support/runnable-programs.js";

test("at the end nothing is held and all that was spent is counted, in each budget never more than its cap", async () => {
  let compared = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const { source, inputs } = runnableProgram(seed, 6);
    const { graph } = compile("main.weave", fileHost(new Map([["main.weave", source]])));
    if (graph === undefined) continue;
    const { result, events } = await adversarialRun(graph, inputs, maliceOf(seed));
    const made = gauge();
    for (const event of events) {
      made.event(event);
      for (const scope of made.open()) expect(scope.costUsd).toBeLessThanOrEqual((scope.caps.costUsd ?? Number.POSITIVE_INFINITY) + 1e-9);
    }
    expect(made.total.costUsd).toBeCloseTo(result.spend.costUsd, 8);
    expect(made.total.tokens).toBe(result.spend.inputTokens + result.spend.outputTokens);
    expect([made.total.heldUsd, made.total.heldTokens].map((held) => Math.round(held * 1e9))).toEqual([0, 0]);
    expect(made.open().map((scope) => scope.path)).toEqual([]);
    compared++;
  }
  expect(compared).toBeGreaterThan(30);
});

test("what was in flight when a process died stays charged in full", () => {
  const made = gauge();
  const at = { seq: 0, at: 0 };
  const events: readonly RunEvent[] = [
    { kind: "budget.opened", path: "main", caps: { costUsd: 1 }, ...at },
    {
      kind: "model.requested",
      path: "main/A",
      model: "m",
      turn: 1,
      inputTokens: 5,
      prompt: "",
      reserved: { costUsd: 0.25, tokens: 50 },
      ...at,
    },
    { kind: "run.resumed", time: 0, finished: 0, costUsd: 0.25, ...at },
  ];
  for (const event of events) made.event(event);
  expect(made.open()).toMatchObject([{ path: "main", costUsd: 0.25, tokens: 50, heldUsd: 0 }]);
});
