/**
 * Budgets that run short, in runs that are cut off: what was let in before stays let in, and what was left out stays left
 * out, so that a resumed run ends with the same value although its money is spent from the start. Only what was in flight
 * at the death may cost an item more.
 */
import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/runtime/events.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { durableHead } from "../support/durable-programs.js";
import { broken } from "../support/invariants.js";

const bodies: Readonly<Record<string, string>> = {
  "a map that may drop items":
    "@budget($0.03) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(6) { paid(x) }\n  len(xs)\n}",
  "a settled map, then a report":
    "@budget(calls: 4) flow main() -> int {\n  let s = @parallel(1) settle map x in range(6) { slow(x) }\n  t(len(s.ok))\n}",
  "a map whose items have two steps":
    "@budget(calls: 5) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(6) { t(slow(x)) }\n  len(xs)\n}",
  "a settled map and two reports":
    "@budget(calls: 6) flow main() -> int {\n  let s = @parallel(1) settle map x in range(6) { slow(x) }\n  t(len(s.ok)) + t(len(s.failed))\n}",
  "a loop": "@budget($0.03) flow main() -> int {\n  loop n = 1 up to 9 { next paid(n + 1) }\n}",
  "a vote": "@budget($0.03) flow main() -> int {\n  let e = @parallel(1) vote 5 { paid(1) }\n  e.runs\n}",
  "half a fork":
    "@budget($0.02) flow main() -> int {\n  let f = @parallel(1) @min_success(1) fork { a: paid(1), b: paid(2), c: paid(3) }\n  (f.a ?? 0) + (f.b ?? 0) + (f.c ?? 0)\n}",
  "an agent":
    "@budget(calls: 6) flow main() -> int {\n  let xs = @parallel(1) @min_success(1) map x in range(4) { Tooled(x) }\n  len(xs)\n}",
  "a budget in each item":
    "flow main() -> int {\n  let xs = @parallel(1) map x in range(2) { @budget($0.02) part(x) }\n  sum(xs)\n}\nflow part(x: int) -> int { len(@parallel(1) @min_success(1) map y in range(4) { paid(x + y) }) }",
};

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
  test.each(Object.entries(bodies))("%s: the same value after a cut at any commit", async (_name, body) => {
    const program = { source: `${durableHead}${body}\n` };
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
