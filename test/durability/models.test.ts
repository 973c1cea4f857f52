/** Groups of models in runs that are cut off: the model that was asked is asked again, and one that failed is not. */
import { expect, test } from "vitest";
import { simulator } from "../../src/host/providers/sim.js";
import type { RunEvent } from "../../src/runtime/events.js";
import type { Provider } from "../../src/runtime/provider.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { broken } from "../support/invariants.js";

const HEAD = `model one { provider: "sim", name: "one", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model two { provider: "sim", name: "two", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model three { provider: "sim", name: "three", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 200 }
model pool { balance: [one, two] }
model spare { fallback: [one, two, three] }
agent Pooled(x: int) -> int(0..9) { model: pool, prompt: "Pool {{x}}" }
agent Spared(x: int) -> int(0..9) { model: spare, prompt: "Spare {{x}}" }
`;

/** A simulator that notes which model is asked for what; the models named in `busy` are overloaded. */
function noting(asked: string[], busy: readonly string[] = []): Provider {
  const sim = simulator();
  return {
    ...sim,
    ask: async (request, context) => {
      asked.push(`${request.path} ${request.model.name}`);
      if (busy.includes(request.model.name)) throw Object.assign(new Error("busy"), { kind: "overloaded", committed: "no" });
      return sim.ask(request, context);
    },
  };
}

/** Runs a program to its end, then again from each commit of its journal; gives what was asked of models each time. */
async function everyCut(source: string, busy: readonly string[] = []) {
  const program = { source: HEAD + source };
  const graph = graphOf(program);
  const part = (asked: string[]) => ({ options: { models: { provider: () => noting(asked, busy) } } });
  const asked: string[] = [];
  const whole = await carry(graph, program, world(), undefined, undefined, {}, part(asked));
  expect(whole.result.status).toBe("completed");
  const cuts: { readonly events: readonly RunEvent[]; readonly again: readonly string[] }[] = [];
  for (let cut = 1; cut < whole.batches.length; cut++) {
    const records = whole.batches.slice(0, cut).flat();
    const again: string[] = [];
    const resumed = await carry(graph, program, world(), { run: "r1", records, seed: 5 }, undefined, {}, part(again));
    expect(resumed.result.value).toEqual(whole.result.value);
    expect(broken(resumed.stored.events)).toEqual([]);
    cuts.push({ events: records.flatMap((record) => (record.kind === "event" ? [record.event] : [])), again });
  }
  return { asked, cuts };
}

/** Requests that were sent and had no answer, as the model and the call. */
function open(events: readonly RunEvent[]): readonly string[] {
  const found = new Set<string>();
  for (const event of events) {
    if (event.kind === "model.requested") found.add(`${event.path} ${event.model}`);
    if (event.kind === "model.answered" || event.kind === "model.failed") found.delete(`${event.path} ${event.model}`);
  }
  return [...found];
}

test("a request of a balanced model that was in flight goes to the same model again", async () => {
  const { cuts } = await everyCut("flow main() -> int[] { @parallel(2) map x in range(5) { Pooled(x) } }\n");
  const flights = cuts.map(({ events, again }) => ({ open: open(events), again }));
  expect(flights.some((each) => each.open.some((request) => request.endsWith(" two")))).toBe(true);
  for (const { open: wanted, again } of flights) expect(again).toEqual(expect.arrayContaining([...wanted]));
});

test("a model that failed in an attempt is not asked again in it, and the one after it is", async () => {
  const { asked, cuts } = await everyCut("flow main() -> int { Spared(1) }\n", ["one", "two"]);
  expect(asked).toEqual(["main/Spared one", "main/Spared two", "main/Spared three"]);
  for (const { events, again } of cuts) {
    const failed = events.flatMap((event) => (event.kind === "model.failed" ? [`${event.path} ${event.model}`] : []));
    expect(again.filter((request) => failed.includes(request))).toEqual([]);
    expect(again.slice(0, 1)).toEqual(
      [...open(events), ...asked.filter((request) => !failed.includes(request))].slice(0, again.length === 0 ? 0 : 1),
    );
  }
  expect(cuts.some(({ events }) => open(events).includes("main/Spared three"))).toBe(true);
});
