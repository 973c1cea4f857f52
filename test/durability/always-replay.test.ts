/**
 * Law 5 at its limit: a run that forgets everything whenever a result is safe gives the same value, makes the same calls
 * and bills the same as one that never forgets. `npm run always-replay` runs all tests of the runtime this way.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { randomFor } from "../../src/runtime/hash.js";
import { answer, block, program } from "../laws/random-program.js";
import { alwaysReplayed } from "../support/always-replay.js";
import { carry, graphOf, optionsIn, world } from "../support/crashing.js";
import { durablePrograms } from "../support/durable-programs.js";
import * as f from "../support/flows.js";
import { shortBudgets } from "../support/short-budgets.js";
import { functionsOnly } from "../support/tools.js";

const runs = Number(process.env["LAW_RUNS"] ?? 40);
/** Every result is a life, and every life begins with all that was before it. */
const MOST_CALLS = 25;

describe("a run that forgets everything at every result", () => {
  test.each([...durablePrograms, ...shortBudgets])("%s: same value, same calls, same bill", async (_name, of) => {
    const graph = graphOf(of);
    const whole = world();
    const { result: first } = await carry(graph, of, whole);
    const seen = world();
    const second = alwaysReplayed(graph, "main", {}, { ...optionsIn(of, seen, virtualClock()), id: "r1", seed: 5 });
    const result = await second.handle.result;
    expect([result.status, result.value, result.failure?.kind]).toEqual([first.status, first.value, first.failure?.kind]);
    expect(second.lives()).toBeGreaterThan(1);
    // What a race or an early vote stops is in flight at a death and may be charged by what it has used.
    if (/race {|early/.test(of.source)) return;
    expect([...seen.calls].sort()).toEqual([...whole.calls].sort());
    expect([...seen.requests].sort()).toEqual([...whole.requests].sort());
    expect(seen.billed).toBeCloseTo(whole.billed, 9);
    expect(result.spend.costUsd).toBeCloseTo(first.spend.costUsd, 9);
  });

  test("random programs with random latencies and failures", async () => {
    let lives = 0;
    await fc.assert(
      fc.asyncProperty(block, fc.nat(1e6), fc.constantFrom(0, 0, 7, 23), async (root, seed, failEvery) => {
        const failing = (x: number): boolean => failEvery > 0 && x % failEvery === 5;
        const { body, expected } = program(root);
        const graph = f.graph({
          tools: [f.tool("t", { params: [f.param("x", f.int)], result: f.int })],
          flows: [f.flow("main", [], body, { result: { kind: "float" } })],
        });
        const whole = await f.finish(graph, { tools: { t: ({ x }) => answer(Number(x)) } });
        fc.pre(whole.result.spend.toolCalls <= MOST_CALLS);
        const made = new Map<string, number>();
        const running = alwaysReplayed(
          graph,
          "main",
          {},
          {
            clock: virtualClock(),
            environment: () => undefined,
            models: { provider: () => ({ missing: "provider", known: [] }) },
            tools: functionsOnly(() =>
              Promise.resolve(async ({ x }, context) => {
                made.set(context.call, (made.get(context.call) ?? 0) + 1);
                const latency = Math.floor(randomFor(seed, context.call)() * 100);
                if (latency > 10) await f.onClock(context.clock, latency, context);
                if (failing(Number(x))) throw new Error("made to fail");
                return answer(Number(x));
              }),
            ),
          },
        );
        const result = await running.handle.result;
        lives += running.lives();
        const wanted = expected(failing);
        expect(result.status).toBe(wanted === undefined ? "failed" : "completed");
        if (wanted !== undefined) expect(result.value).toBe(wanted);
        expect([...made].filter(([, count]) => count > 1)).toEqual([]);
      }),
      { numRuns: runs },
    );
    expect(lives).toBeGreaterThan(runs);
  }, 60_000);
});
