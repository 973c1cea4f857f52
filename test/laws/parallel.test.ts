/** Laws 1 and 3 over random programs and random latencies. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { randomFor } from "../../src/runtime/hash.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { cases } from "../support/always-replay.js";
import * as f from "../support/flows.js";
import { answer, block, program } from "./random-program.js";

const runs = Number(process.env["LAW_RUNS"] ?? cases(300));

interface Flight {
  readonly inFlight: Set<string>;
  readonly started: string[];
}

function tool(seed: number, failing: (x: number) => boolean, flight: Flight): ToolFunction {
  return async ({ x }, context) => {
    flight.started.push(context.call);
    flight.inFlight.add(context.call);
    const latency = Math.floor(randomFor(seed, context.call)() * 100);
    try {
      if (latency > 10) await f.onClock(context.clock, latency, context);
      if (failing(Number(x))) throw new Error(`made to fail at ${String(x)}`);
      return answer(Number(x));
    } finally {
      flight.inFlight.delete(context.call);
    }
  };
}

const seeds = fc.nat(1_000_000);

describe("random programs", () => {
  it("give what a sequential reading gives, whatever the latencies", async () => {
    await fc.assert(
      fc.asyncProperty(block, seeds, fc.constantFrom(0, 0, 7, 23), async (root, seed, failEvery) => {
        const failing = (x: number): boolean => failEvery > 0 && x % failEvery === 5;
        const { body, expected } = program(root);
        const flight: Flight = { inFlight: new Set(), started: [] };
        const graph = f.graph({
          tools: [f.tool("t", { params: [f.param("x", f.int)], result: f.int })],
          flows: [f.flow("main", [], body, { result: { kind: "float" } })],
        });
        const { result, events } = await f.finish(graph, { tools: { t: tool(seed, failing, flight) } });
        const wanted = expected(failing);
        expect(result.status).toBe(wanted === undefined ? "failed" : "completed");
        if (wanted !== undefined) expect(result.value).toBe(wanted);
        // Nothing outlives the run, and each call has one path and one end.
        expect(flight.inFlight.size).toBe(0);
        const began = events.flatMap((event) => (event.kind === "call.started" ? [event.path] : []));
        const ended = events.flatMap((event) => (event.kind === "call.completed" || event.kind === "call.failed" ? [event.path] : []));
        expect(new Set(began).size).toBe(began.length);
        expect([...ended].sort()).toEqual([...began].sort());
        expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i));
      }),
      { numRuns: runs },
    );
  });

  it("end promptly when cancelled at any moment, with nothing left behind", async () => {
    await fc.assert(
      fc.asyncProperty(block, seeds, fc.nat(400), async (root, seed, at) => {
        const { body } = program(root);
        const flight: Flight = { inFlight: new Set(), started: [] };
        const graph = f.graph({ tools: [f.tool("t")], flows: [f.flow("main", [], body)] });
        const clock = virtualClock();
        const { handle, events } = f.start(graph, { clock, tools: { t: tool(seed, () => false, flight) } });
        clock.after(at, () => handle.cancel());
        const result = await handle.result;
        const count = flight.started.length;
        expect(["completed", "cancelled"]).toContain(result.status);
        if (result.status === "cancelled") expect(result.elapsedMs).toBeLessThanOrEqual(at);
        expect(flight.inFlight.size).toBe(0);
        expect(events.filter((event) => /^run\.(completed|failed|cancelled)$/.test(event.kind))).toHaveLength(1);
        await new Promise((resolve) => clock.after(10_000, () => resolve(undefined)));
        expect(flight.started).toHaveLength(count);
      }),
      { numRuns: runs },
    );
  });
});
