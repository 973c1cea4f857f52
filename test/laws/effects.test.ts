/** Laws 2, 3 and 5: effects in order, awaited when cancelled; finished calls are not made again. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { randomFor } from "../../src/runtime/hash.js";
import type { KnownResult } from "../../src/runtime/machine.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { cases } from "../support/always-replay.js";
import * as f from "../support/flows.js";
import { answer, block, program } from "./random-program.js";

const runs = Number(process.env["LAW_RUNS"] ?? cases(150));

describe("effects", () => {
  it("run in source order whatever their latency, while pure calls do not wait", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), fc.nat(1e6), async (effects, seed) => {
        const nodes: ReturnType<typeof f.call>[] = [];
        let last: string | undefined;
        for (const [i, effect] of effects.entries()) {
          const id = `n${i}`;
          nodes.push(f.call(id, effect ? "e" : "p", { x: f.k(i) }, { segment: id, after: effect && last !== undefined ? [last] : [] }));
          if (effect) last = id;
        }
        const graph = f.graph({
          tools: [f.tool("e", { effect: "effect" }), f.tool("p")],
          flows: [f.flow("main", [], f.body(nodes, f.listOf(...nodes.map((node) => f.r(node.id)))))],
        });
        const log: string[] = [];
        const at: Record<number, number> = {};
        const slow: ToolFunction = async ({ x }, context) => {
          at[Number(x)] = context.clock.now();
          await f.onClock(context.clock, 1 + Math.floor(randomFor(seed, String(x))() * 50));
          return x;
        };
        const e: ToolFunction = async (args, context) => {
          log.push(`in ${String(args["x"])}`);
          await slow(args, context);
          log.push(`out ${String(args["x"])}`);
          return args["x"];
        };
        const { result } = await f.finish(graph, { tools: { e, p: slow } });
        expect(result.value).toEqual(effects.map((_, i) => i));
        expect(log).toEqual(effects.flatMap((effect, i) => (effect ? [`in ${i}`, `out ${i}`] : [])));
        for (const [i, effect] of effects.entries()) if (!effect) expect(at[i]).toBe(0);
      }),
      { numRuns: runs },
    );
  });

  const two = f.graph({
    tools: [f.tool("e", { effect: "effect" }), f.tool("p")],
    flows: [f.flow("main", [], f.body([f.call("a", "e", { x: f.k(100) }), f.call("b", "p", { x: f.k(200) })], f.r("a")))],
  });

  it("in flight are awaited when a run is cancelled; pure calls are aborted", async () => {
    const log: string[] = [];
    const tool: ToolFunction = async ({ x }, context) => {
      const ms = Number(x);
      context.signal.addEventListener("abort", () => log.push(`abort ${ms}`));
      await f.onClock(context.clock, ms, context);
      log.push(`done ${ms}`);
      return x;
    };
    const clock = virtualClock();
    const { handle } = f.start(two, { clock, tools: { e: tool, p: tool } });
    clock.after(50, () => handle.cancel("enough"));
    const result = await handle.result;
    expect(result).toMatchObject({ status: "cancelled", elapsedMs: 100, failure: { message: "enough" } });
    expect(log).toEqual(["abort 200", "done 100"]);
  });

  it("that ignore an abort are left behind after the grace time, when pure", async () => {
    const clock = virtualClock();
    const { handle } = f.start(two, { clock, tools: { e: () => 1, p: () => new Promise(() => undefined) }, options: { graceMs: 300 } });
    await Promise.resolve();
    // A promise that never ends holds virtual time, as anything outside the clock does.
    setImmediate(() => handle.cancel());
    expect(await handle.result).toMatchObject({ status: "cancelled", elapsedMs: 300 });
  });
});

describe("finished calls", () => {
  it("are not made again by a run that knows them, and the value is the same", async () => {
    await fc.assert(
      fc.asyncProperty(block, fc.nat(1e6), fc.double({ min: 0, max: 1, noNaN: true }), async (root, seed, share) => {
        const { body, expected } = program(root);
        const graph = f.graph({ tools: [f.tool("t")], flows: [f.flow("main", [], body)] });
        const known = new Map<string, KnownResult>();
        let calls = 0;
        const t: ToolFunction = ({ x }) => {
          calls++;
          return answer(Number(x));
        };
        const first = await f.finish(graph, { tools: { t }, options: { remember: (path, result) => known.set(path, result) } });
        const made = calls;
        // Some of them were lost in the crash; flows are only known when all of them is.
        const random = randomFor(seed, "kept");
        const kept = new Map([...known].filter(([path]) => path !== "main" && random() < share));
        calls = 0;
        const again = await f.finish(graph, {
          tools: { t },
          options: { known: (path, guard) => (kept.get(path)?.guard === guard ? kept.get(path) : undefined) },
        });
        expect(again.result.value).toEqual(first.result.value);
        expect(again.result.value).toBe(expected(() => false));
        expect(calls).toBe(made - kept.size);
        expect(again.result.spend.reused).toBe(kept.size);
      }),
      { numRuns: runs },
    );
  });
});
