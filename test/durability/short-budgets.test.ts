/**
 * Budgets that run short, in runs that are cut off: what was let in before stays let in, and what was left out stays left
 * out, so that a resumed run ends with the same value although its money is spent from the start. Only what was in flight
 * at the death may cost an item more.
 */
import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/runtime/events.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { broken } from "../support/invariants.js";
import { shortBudgets } from "../support/short-budgets.js";

/** How many attempts were begun and not ended at the end of a beginning of a journal. */
function inFlight(events: readonly RunEvent[]): number {
  let open = 0;
  for (const event of events) {
    if (event.kind === "call.attempted" || event.kind === "model.requested") open++;
    if (event.kind === "model.answered" || event.kind === "model.failed") open--;
    if ((event.kind === "call.completed" || event.kind === "call.failed") && event.of !== "flow" && event.attempts > 0) open--;
  }
  return open;
}

describe("a budget that runs short in a run that is cut off", () => {
  test.each([...shortBudgets])("%s: the same value after a cut at any commit", async (_name, program) => {
    const graph = graphOf(program);
    const whole = await carry(graph, program, world());
    expect(whole.result.status).toBe("completed");
    expect(whole.stored.events.some((event) => /^budget\.(landed|refused)$/.test(event.kind))).toBe(true);
    let looked = 0;
    for (let cut = 1; cut < whole.batches.length; cut++) {
      const records = whole.batches.slice(0, cut).flat();
      const events = records.flatMap((record) => (record.kind === "event" ? [record.event] : []));
      if (inFlight(events) > 0) continue;
      looked++;
      const seen = world();
      const resumed = await carry(graph, program, seen, { run: "r1", records, seed: 5 });
      expect([cut, resumed.result.status, resumed.result.value]).toEqual([cut, "completed", whole.result.value]);
      expect(resumed.result.spend.costUsd).toBeCloseTo(whole.result.spend.costUsd, 9);
      expect(broken(resumed.stored.events)).toEqual([]);
    }
    expect(looked).toBeGreaterThan(1);
  });
});
