/**
 * What was recorded is replayed: the same value, failure, spend and calls, whatever order the answers came in when they
 * were recorded, and although nothing of the outside is there any more.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile } from "../../src/compile.js";
import { simulator } from "../../src/host/providers/sim.js";
import { readRecording, writeRecording } from "../../src/host/recording/format.js";
import { type Recording, recording, type TapeOptions } from "../../src/host/recording/recording.js";
import type { Graph } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { randomFor } from "../../src/runtime/hash.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { RunResult } from "../../src/runtime/run.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { cases, forgetful, sized } from "../support/always-replay.js";
import * as f from "../support/flows.js";
import { answer, block, program } from "./random-program.js";

const runs = Number(process.env["LAW_RUNS"] ?? cases(60, 30));
const seeds = fc.nat(1_000_000);
const tapeOptions: TapeOptions = { replay: false, record: true, secrets: [], files: { directory: ".", allowed: [] }, remedy: "" };

/** As a file and back, so that nothing but what is written down helps. */
function throughFile(made: Recording): Recording {
  const read = readRecording(writeRecording("", made.questions()));
  if (!read.ok) throw new Error(read.reason);
  return recording(read.questions);
}

const gone: ToolFunction = () => {
  throw new Error("the outside is not there any more");
};
const goneProvider: Provider = {
  name: "gone",
  simulated: false,
  timed: true,
  ask: () => Promise.reject(new Error("no model is there any more")),
};

/** What a run did, without times and without the order of what is concurrent. */
function facts(events: readonly RunEvent[]): readonly string[] {
  return events
    .flatMap((event): unknown[] => {
      switch (event.kind) {
        case "call.completed":
          return [[event.kind, event.path, event.value, event.attempts, event.bill ?? null]];
        case "call.failed":
          return [[event.kind, event.path, event.failure.kind, event.failure.message, event.attempts, event.bill ?? null]];
        case "model.answered":
          return [[event.kind, event.path, event.turn, event.attempt, event.text, event.costUsd, event.toolCalls ?? null]];
        case "model.failed":
          return [[event.kind, event.path, event.turn, event.failure.kind, event.costUsd]];
        case "answer.mended":
        case "answer.rejected":
        case "item.completed":
        case "item.failed":
        case "call.retried":
          return [[event.kind, event.path]];
        default:
          return [];
      }
    })
    .map((each) => JSON.stringify(each))
    .sort();
}

/**
 * Whether all that a run did is on its recording. What is in flight when a part fails is awaited, unless the process dies
 * before: then it was given up as far as the recording knows.
 */
const isWhole = ({ status }: RunResult): boolean => !(forgetful && status === "failed");

const outcome = ({ status, value, failure, spend }: RunResult): unknown => ({
  status,
  value,
  failure: failure && [failure.kind, failure.message, failure.path],
  spend,
});

describe("random programs", () => {
  it("give the same when they are replayed", async () => {
    await fc.assert(
      fc.asyncProperty(block, seeds, fc.constantFrom(0, 7, 23), async (root, seed, failEvery) => {
        const failing = (x: number): boolean => failEvery > 0 && x % failEvery === 5;
        const { body, expected } = program(root);
        let calls = 0;
        expected(() => ++calls < 0);
        fc.pre(calls <= sized(Number.POSITIVE_INFINITY, 40));
        const graph = f.graph({
          tools: [f.tool("t", { params: [f.param("x", f.int)], result: f.int })],
          flows: [f.flow("main", [], body, { result: { kind: "float" } })],
        });
        // Each call gives something of its own place as well, so that answers that are mixed up show.
        const live: ToolFunction = async ({ x }, context) => {
          const latency = Math.floor(randomFor(seed, context.call)() * 100);
          if (latency > 10) await f.onClock(context.clock, latency, context);
          if (failing(Number(x))) throw new Error(`made to fail at ${String(x)}`);
          return answer(Number(x)) + Math.floor(randomFor(seed, `own ${context.call}`)() * 1000);
        };
        const made = recording([]);
        const first = await f.finish(graph, { tools: { t: live }, options: { tape: made.tape(tapeOptions) } });
        const again = throughFile(made).tape({ ...tapeOptions, replay: true, record: false });
        const second = await f.finish(graph, { tools: { t: gone }, options: { tape: again } });
        expect(again.takeMisses()).toEqual([]);
        expect(second.result.problems).toEqual([]);
        expect(second.result.status).toBe(first.result.status);
        if (!isWhole(first.result)) return;
        expect(outcome(second.result)).toEqual(outcome(first.result));
        expect(facts(second.events)).toEqual(facts(first.events));
      }),
      { numRuns: runs },
    );
  }, 60_000);
});

/** A request that is made again after a death is waited for anew before it is hedged, so that when that is depends on the deaths. */
const PROGRAM = `
model m { provider: "anthropic", name: "claude-haiku-4-5-20251001", price: { input: $1.00, output: $5.00 }, context: 100k, max_output: 200 }
model n { provider: "openai", name: "gpt-5-mini-2025-08-07", price: { input: $0.50, output: $2.00 }, context: 100k, max_output: 200 }
model either { fallback: [m, n] }
type Verdict = { label: "a" | "b", score: float(0..1) }
tool look(word: string) -> int = module("./t.ts")
@retry(3, backoff: 1s) @timeout(20s) agent Judge(text: string) -> Verdict { model: either, tools: [look], prompt: "Judge {{text}}" }
@retry(2, backoff: 100ms) agent Write(text: string) -> string(..80) { model: m, prompt: "Write {{text}}" }
${forgetful ? "" : "@hedge(after: 80ms) "}agent Slow(text: string) -> string(..80) { model: n, prompt: "Slow {{text}}" }
flow main(xs: string[..6]) -> json {
  let judged = @min_success(0%) map x in xs { Judge(x) }
  let same = vote 5 by v => v.label early 90% { Judge("the same") }
  let first = race { Write("one"), Slow("two") }
  let draft = loop d = Write("draft") up to 3 {
    let j = Judge(d)
    stop when j.score >= 0.5
    next Write(d)
  }
  let safe = try Slow(draft) recover e { e.kind }
  { judged: judged, same: same.value, agreement: same.agreement, first: first, safe: safe }
}
`;

describe("agents that vote, race, retry, fall back and use tools", () => {
  it("give the same when they are replayed", async () => {
    const { graph, problems } = compile("p.weave", {
      read: (path: string) => (path === "p.weave" ? PROGRAM : undefined),
      resolve: () => undefined,
      reason: () => undefined,
    });
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
    const inputs = { xs: ["u", "v", "w", "u"] };
    const tools = (of: Graph, run: ToolFunction): Record<string, ToolFunction> =>
      Object.fromEntries(Object.keys(of.tools).map((id) => [id, run]));
    let failures = 0;
    let unanswered = 0;
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        if (graph === undefined) throw new Error("no graph");
        const sim = simulator({
          toolTurns: 2,
          latencyMs: (request) =>
            Math.floor(randomFor(seed, `${request.path} ${request.attempt} ${request.turn} ${request.agent}`)() * 400),
          faults: [
            { kind: "rate_limit", share: 0.08 },
            { kind: "overloaded", share: 0.08 },
            { kind: "invalid_output", share: 0.08 },
            { kind: "timeout", share: 0.04 },
          ],
        });
        const size: ToolFunction = ({ word }) => String(word).length;
        const made = recording([]);
        const first = await f.finish(graph, {
          inputs,
          provider: sim,
          tools: tools(graph, size),
          options: { seed, tape: made.tape(tapeOptions) },
        });
        const again = throughFile(made).tape({ ...tapeOptions, replay: true, record: false });
        const second = await f.finish(graph, { inputs, provider: goneProvider, tools: tools(graph, gone), options: { seed, tape: again } });
        expect(again.takeMisses()).toEqual([]);
        expect(second.result.problems).toEqual([]);
        const kinds = made.questions().flatMap(({ answers }) => answers.map(({ outcome: of }) => of?.kind));
        failures += kinds.filter((kind) => kind === "failure").length;
        unanswered += kinds.filter((kind) => kind === "unanswered").length;
        expect({ status: second.result.status, value: second.result.value }).toEqual({
          status: first.result.status,
          value: first.result.value,
        });
      }),
      { numRuns: Math.max(10, Math.ceil(runs / 6)) },
    );
    // The law says something only where answers failed and were given up.
    expect(failures).toBeGreaterThan(0);
    // What lost a race when its process died was not given up: it was never asked for again.
    if (!forgetful) expect(unanswered).toBeGreaterThan(0);
  }, 60_000);
});
