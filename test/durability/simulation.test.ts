/**
 * A simulation drawn from seeds: random programs in virtual time, whose models and tools fail now and then, die three
 * times at random commits and are carried on. Calls that were billed are counted against distinct calls: the difference
 * is at most what was in flight at the deaths. `SIM_RUNS=2000` makes it long.
 */

import { expect, test } from "vitest";
import { compile } from "../../src/compile.js";
import { fileHost } from "../../src/host/files.js";
import { simulator } from "../../src/host/providers/sim.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { hash53 } from "../../src/runtime/hash.js";
import type { RunOptions } from "../../src/runtime/options.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import { longest } from "../support/adversary.js";
import { carry, world } from "../support/crashing.js";
import { broken } from "../support/invariants.js";
import { randomOf, runnableProgram } from "../support/runnable-programs.js";
import { functionsOnly } from "../support/tools.js";

const runs = Number(process.env["SIM_RUNS"] ?? 30);
const DEATHS = 3;

/** What is decided by which of several comes first, or by what was charged for calls in flight. */
const ORDERLY = /^(?![\s\S]*(?:@budget|race \{|early \d|@hedge|@timeout\(\d+ms))/;

/** What every other program does without, so that it can be compared. */
const DISORDER = /@(?:budget|hedge|timeout)\([^)]*\) ?| early \d+%/g;

/** A model and tools that answer and fail by what they are asked, whoever asks. */
function outside(graph: Parameters<typeof carry>[0], seed: number): Partial<RunOptions> {
  const sim = simulator({ toolTurns: 1 });
  const fails = (key: string): boolean => hash53(key, seed) % 100 < 4;
  const provider: Provider = {
    ...sim,
    ask: (request, context) =>
      fails(`${request.path} ${request.attempt} ${request.turn}`)
        ? Promise.reject(Object.assign(new Error("made to fail"), { kind: "unavailable" }))
        : sim.ask(request, context),
  };
  return {
    models: { provider: () => provider },
    tools: functionsOnly((tool) =>
      Promise.resolve((_, { call, attempt }) => {
        if (fails(`${call} ${attempt}`)) throw Object.assign(new Error("made to fail"), { kind: "unavailable", committed: "no" });
        return longest(tool.result, graph.types, randomOf(hash53(call, seed)));
      }),
    ),
  };
}

const eventsOf = (records: readonly StoreRecord[]): RunEvent[] => records.flatMap((r) => (r.kind === "event" ? [r.event] : []));

/** Requests and tool calls that were made, those that have an end, and those that have none. */
function counted(events: readonly RunEvent[]): { made: number; ended: number } {
  let [made, ended] = [0, 0];
  for (const event of events) {
    if (event.kind === "model.requested" || (event.kind === "call.started" && event.of === "tool")) made++;
    if (event.kind === "model.answered" || event.kind === "model.failed") ended++;
    if ((event.kind === "call.completed" || event.kind === "call.failed") && event.of === "tool") ended++;
  }
  return { made, ended };
}

test(`${runs} random programs that die ${DEATHS} times each`, async () => {
  const total = { billed: 0, distinct: 0, inFlight: 0, compared: 0, deaths: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const { source: drawn, inputs } = runnableProgram(seed, 4);
    const source = seed % 2 === 0 ? drawn : drawn.replace(DISORDER, "");
    const compiled = compile("random.weave", fileHost(new Map([["random.weave", source]])));
    const { graph } = compiled;
    if (graph === undefined) continue;
    const otherwise = { inputs, options: outside(graph, seed) };
    const whole = await carry(graph, { source }, world(), undefined, undefined, {}, otherwise);
    if (whole.result.problems.length > 0) continue;
    const random = randomOf(seed + 1000);
    let records: readonly StoreRecord[] = [];
    let batches = whole.batches;
    let inFlight = 0;
    let last = whole;
    for (let death = 0; death < DEATHS && batches.length > 2; death++) {
      const cut = 1 + Math.floor(random() * (batches.length - 1));
      records = [...records, ...batches.slice(0, cut).flat()];
      if (eventsOf(records).some((event) => /^run\.(completed|failed)$/.test(event.kind))) break;
      total.deaths++;
      const { made, ended } = counted(eventsOf(records));
      inFlight = made - ended;
      last = await carry(graph, { source }, world(), { run: "r1", records, seed: 5 }, undefined, {}, otherwise);
      ({ batches } = last);
    }
    const { events } = last.stored;
    expect(broken(events), `seed ${seed}`).toEqual([]);
    const { made, ended } = counted(events);
    expect(made - ended, `seed ${seed}`).toBeLessThanOrEqual(Math.max(0, inFlight));
    total.billed += made;
    total.distinct += ended;
    total.inFlight += made - ended;
    if (ORDERLY.test(source)) {
      total.compared++;
      expect([last.result.status, last.result.value, last.result.failure?.kind], `seed ${seed}\n${source}`).toEqual([
        whole.result.status,
        whole.result.value,
        whole.result.failure?.kind,
      ]);
    }
  }
  console.log(
    `${total.billed} calls billed, ${total.distinct} distinct; ${total.inFlight} were in flight at ${total.deaths} deaths; ${total.compared} values compared`,
  );
  expect(total.deaths).toBeGreaterThan(runs);
}, 600_000);
