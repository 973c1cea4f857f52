/**
 * What a provider allows is never exceeded: requests of many sizes to models with `rate`, `tokens_per_minute` and
 * `max_concurrent`, alone, balanced and with a fallback, in virtual time, and cut off anywhere and carried on.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { memoryStore } from "../../src/host/store/memory.js";
import type { Graph, ModelIR } from "../../src/plan/ir.js";
import { resumeKept, runKept } from "../../src/runtime/durable.js";
import type { RunEvent } from "../../src/runtime/events.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { RunResult } from "../../src/runtime/run.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import { cases } from "../support/always-replay.js";
import * as f from "../support/flows.js";
import { functionsOnly } from "../support/tools.js";

interface Limits {
  readonly rate: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly maxConcurrent: number | undefined;
}

interface Call {
  readonly bytes: number;
  readonly takes: number;
  /** Share of the worst case that is used in the end. */
  readonly share: number;
}

const limits: fc.Arbitrary<Limits> = fc.record({
  rate: fc.option(fc.constantFrom(0.5, 1, 3, 10), { nil: undefined }),
  tokensPerMinute: fc.option(fc.integer({ min: 1200, max: 8000 }), { nil: undefined }),
  maxConcurrent: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
});
const calls = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 600 }), takes: fc.integer({ min: 0, max: 20_000 }), share: fc.constantFrom(0.1, 0.5, 1) }),
  { minLength: 1, maxLength: 25 },
);

const MODELS = ["a", "b"] as const;
const OUTPUT = 300;

/** A flow that asks for each item at once; `kind` is how the agent's model stands for the others. */
function graphOf(each: readonly Limits[], kind: "alone" | "balance" | "fallback"): Graph {
  const models: ModelIR[] = MODELS.map((id, i) => {
    const { rate, tokensPerMinute, maxConcurrent } = each[i] ?? each[0] ?? ({} as Limits);
    return f.model(id, {
      maxOutput: OUTPUT,
      overhead: 0,
      ...(rate === undefined ? {} : { rate }),
      ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
      ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    });
  });
  if (kind !== "alone") {
    const { price: _, provider: __, model: ___, ...bare } = f.model("m");
    models.push({ ...bare, [kind]: [...MODELS] });
  }
  return f.graph({
    models,
    agents: [f.agent("Ask", { model: kind === "alone" ? "a" : "m" })],
    flows: [
      f.flow(
        "main",
        [f.param("xs")],
        f.body([f.map("ys", f.r("xs"), "x", f.body([f.call("c", "Ask", { x: f.r("x") }, { kind: "agent" })], f.r("c")))], f.r("ys")),
      ),
    ],
  });
}

interface Sent {
  readonly path: string;
  readonly model: string;
  readonly from: number;
  to: number;
  readonly worst: number;
  readonly used: number;
}

/** A provider that notes what it sees, in milliseconds since 1970. */
function watching(all: readonly Call[], seen: Sent[], overloaded: (model: string, n: number) => boolean = () => false): Provider {
  return {
    name: "fake",
    simulated: false,
    timed: false,
    ask: async (request, { clock, signal }) => {
      const text = JSON.stringify(request.messages);
      const call = all[Number(/\|(\d+)\|/.exec(text)?.[1])] ?? { bytes: 1, takes: 0, share: 1 };
      const worst = request.inputBound + request.maxOutput;
      const used = Math.max(1, Math.floor(worst * call.share));
      const mine: Sent = { path: request.path, model: request.model.name, from: clock.wall(), to: Number.POSITIVE_INFINITY, worst, used };
      seen.push(mine);
      await f.onClock(clock, call.takes, { signal });
      mine.to = clock.wall();
      if (overloaded(request.model.name, seen.length)) throw Object.assign(new Error("overloaded"), { kind: "overloaded" });
      const output = Math.min(OUTPUT, used);
      return { text: "done", toolCalls: [], usage: { inputTokens: used - output, outputTokens: output }, finish: "stop" };
    },
  };
}

const inputsOf = (all: readonly Call[]): Readonly<Record<string, unknown>> => ({
  xs: all.map(({ bytes }, i) => `|${i}|${"x".repeat(bytes)}`),
});

/** What is broken of the limits, in words. */
function exceeded(seen: readonly Sent[], each: readonly Limits[]): readonly string[] {
  return MODELS.flatMap((model, i) => {
    const { rate, tokensPerMinute, maxConcurrent } = each[i] ?? each[0] ?? ({} as Limits);
    const mine = seen.filter((sent) => sent.model === model);
    const out: string[] = [];
    for (const { from } of mine) {
      if (rate !== undefined) {
        const most = Math.max(1, Math.floor(rate));
        const window = (most / rate) * 1000;
        const count = mine.filter((other) => other.from > from - window && other.from <= from).length;
        if (count > most) out.push(`${model}: ${count} starts in ${window} ms`);
      }
      if (tokensPerMinute !== undefined) {
        const inside = mine.filter((other) => other.from > from - 60_000 && other.from <= from);
        const total = inside.reduce((sum, other) => sum + other.used, 0);
        if (total > tokensPerMinute && inside.length > 1) out.push(`${model}: ${total} tokens in a minute`);
      }
      if (maxConcurrent !== undefined) {
        const going = mine.filter((other) => other.from <= from && other.to > from).length;
        if (going > maxConcurrent) out.push(`${model}: ${going} at once`);
      }
    }
    return out;
  });
}

describe("what a provider allows", () => {
  test("is never exceeded, and everything is answered in the end", async () => {
    await fc.assert(
      fc.asyncProperty(limits, limits, calls, fc.constantFrom("alone", "balance", "fallback" as const), async (a, b, all, kind) => {
        const seen: Sent[] = [];
        const provider = watching(all, seen, (model, n) => kind === "fallback" && model === "a" && n % 3 === 0);
        const { result, events } = await f.finish(graphOf([a, b], kind), { provider, inputs: inputsOf(all) });
        expect([result.status, result.problems]).toEqual(["completed", []]);
        expect(exceeded(seen, [a, b])).toEqual([]);
        expect(seen.length).toBe(events.filter((event) => event.kind === "model.requested").length);
      }),
      { numRuns: cases(60) },
    );
  });

  test("is never exceeded by a run that is cut off and carried on", async () => {
    await fc.assert(
      fc.asyncProperty(
        limits,
        calls,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 90_000 }),
        async (a, all, cut, gap) => {
          const graph = graphOf([a, a], "alone");
          const seen: Sent[] = [];
          const first = await kept(graph, all, seen, undefined, 0);
          const records = first.batches.slice(0, Math.max(1, Math.floor(first.batches.length * cut))).flat();
          const events = records.flatMap((record): readonly RunEvent[] => (record.kind === "event" ? [record.event] : []));
          if (events.some((event) => event.kind === "run.completed")) return;
          const end = Date.UTC(2026, 0, 1) + (events.at(-1)?.at ?? 0);
          // What was not told before it was cut off was never sent.
          const told = new Set(events.flatMap((event) => (event.kind === "model.requested" ? [event.path] : [])));
          const before = seen.filter((sent) => told.has(sent.path)).map((sent) => ({ ...sent, to: Math.min(sent.to, end) }));
          const after: Sent[] = [];
          const { result } = await kept(graph, all, after, records, end + gap);
          expect([result.status, result.problems]).toEqual(["completed", []]);
          expect(exceeded([...before, ...after], [a, a])).toEqual([]);
        },
      ),
      { numRuns: cases(40) },
    );
  });

  test("lets go on as soon as an answer was shorter than it could have been", async () => {
    const a: Limits = { rate: undefined, tokensPerMinute: 1000, maxConcurrent: 1 };
    const all = Array.from({ length: 6 }, (): Call => ({ bytes: 300, takes: 100, share: 0.1 }));
    const seen: Sent[] = [];
    const { result } = await f.finish(graphOf([a, a], "alone"), { provider: watching(all, seen), inputs: inputsOf(all) });
    expect([result.status, result.elapsedMs]).toEqual(["completed", 600]);
  });

  test("lets what is larger than a whole window go alone", async () => {
    const a: Limits = { rate: undefined, tokensPerMinute: 100, maxConcurrent: undefined };
    const all = [1, 2, 3].map((): Call => ({ bytes: 10, takes: 0, share: 1 }));
    const seen: Sent[] = [];
    await f.finish(graphOf([a, a], "alone"), { provider: watching(all, seen), inputs: inputsOf(all) });
    expect(seen.map((sent) => sent.from - (seen[0]?.from ?? 0))).toEqual([0, 60_000, 120_000]);
  });

  test("is balanced by estimated tokens in flight", async () => {
    const open: Limits = { rate: undefined, tokensPerMinute: undefined, maxConcurrent: undefined };
    await fc.assert(
      fc.asyncProperty(calls, async (drawn) => {
        const all = drawn.map((call) => ({ ...call, takes: call.takes + 1 }));
        const seen: Sent[] = [];
        await f.finish(graphOf([open, open], "balance"), { provider: watching(all, seen), inputs: inputsOf(all) });
        // Each went to the one that had no more in flight than the other.
        for (const [i, sent] of seen.entries()) {
          const load = (model: string): number =>
            seen.slice(0, i).reduce((sum, other) => (other.model === model && other.to > sent.from ? sum + other.worst : sum), 0);
          const [mine, others] = [load(sent.model), load(sent.model === "a" ? "b" : "a")];
          expect(mine).toBeLessThanOrEqual(others);
        }
      }),
      { numRuns: cases(40) },
    );
  });
});

/** A run that is kept, or what is left of one after some of its records, at a time. */
async function kept(
  graph: Graph,
  all: readonly Call[],
  seen: Sent[],
  records: readonly StoreRecord[] | undefined,
  wall: number,
): Promise<{ readonly result: RunResult; readonly batches: readonly (readonly StoreRecord[])[] }> {
  const clock = records === undefined ? virtualClock() : virtualClock(wall);
  const inner = memoryStore(() => clock.wall());
  const batches: (readonly StoreRecord[])[] = [];
  const store = {
    ...inner,
    append: (run: string, fence: number, written: readonly StoreRecord[]): void => {
      inner.append(run, fence, written);
      batches.push(structuredClone(written));
    },
  };
  const provider = watching(all, seen);
  const options = {
    clock,
    environment: () => undefined,
    models: { provider: () => provider },
    tools: functionsOnly(),
  };
  const keeping = { store, owner: "test", soon: setImmediate, beatMs: 1e12 };
  if (records === undefined) {
    const handle = runKept(graph, "main", inputsOf(all), { ...options, id: "r1", seed: 1 }, keeping, { file: "test.weave", options: {} });
    return { result: await handle.result, batches };
  }
  const start = {
    run: "r1",
    file: "test.weave",
    flow: "main",
    graph,
    inputs: inputsOf(all),
    seed: 1,
    options: {},
    startedAt: Date.UTC(2026, 0, 1),
  };
  inner.append("r1", inner.begin(start, "dead", 0), records);
  const lease = inner.acquire("r1", "test", 1e12);
  const stored = inner.load("r1");
  if (lease.kind !== "held" || stored === undefined) throw new Error("the run cannot be carried on");
  return { result: await resumeKept(stored, options, keeping, { fence: lease.fence }).result, batches };
}
