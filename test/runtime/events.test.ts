import { describe, expect, it } from "vitest";
import { simulator } from "../../src/host/providers/sim.js";
import { runEvent } from "../../src/runtime/events.js";
import { evolve, initialState } from "../../src/runtime/state.js";
import { livesOn } from "../support/always-replay.js";
import * as f from "../support/flows.js";

const graph = f.graph({
  tools: [f.tool("t", { params: [f.param("x", { kind: "secret", of: f.text })] })],
  agents: [f.agent("A", { params: [f.param("x", f.int, { redact: true })], result: f.record({ ok: f.bool }) })],
  flows: [
    f.flow(
      "main",
      [],
      f.body(
        [
          f.call("s", "t", { x: f.k("sesame") }),
          f.map("ys", f.fn("range", f.k(3)), "x", f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent" })], f.r("c")), {
            policies: { budget: { cost: f.k(1) } },
          }),
        ],
        f.r("ys"),
      ),
    ),
  ],
});

describe("events", () => {
  it("all fit the schema, in order, and add up to the state of the run", async () => {
    const { result, events } = await f.finish(graph, { provider: simulator(), tools: { t: () => 1 } });
    for (const event of events) expect(() => runEvent.parse(event)).not.toThrow();
    // What a model says bit by bit shares the number of what comes next.
    const told = events.filter((event) => event.kind !== "model.delta");
    expect(told.map((event) => event.seq)).toEqual(told.map((_, i) => i));
    const state = events.reduce(evolve, initialState);
    expect(state).toMatchObject({ status: "completed", flow: "main", simulated: true, value: result.value });
    expect([...state.calls.values()].map((call) => call.status)).toEqual(Array(5).fill("completed"));
    expect(state.regions.get("main/ys")).toMatchObject({ size: 3, done: 3, status: "completed" });
  });

  it("show neither secrets nor what is marked @redact", async () => {
    const { events } = await f.finish(graph, { provider: simulator(), tools: { t: () => 1 } });
    expect(JSON.stringify(events)).not.toContain("sesame");
    const args = events.flatMap((event) => (event.kind === "call.started" && event.of === "agent" ? [event.args] : []));
    expect(args).toEqual(Array(3).fill({ x: "[redacted]" }));
  });

  it.skipIf(livesOn("a listener and an iterator, which hang on one process and not on the run"))(
    "reach an iterator, and a listener that throws does not disturb the run",
    async () => {
      const { handle } = f.start(graph, {
        provider: simulator(),
        tools: { t: () => 1 },
        options: {
          onEvent: () => {
            throw new Error("listener");
          },
        },
      });
      const kinds: string[] = [];
      for await (const event of handle.events) kinds.push(event.kind);
      expect(kinds[0]).toBe("run.started");
      expect(kinds.at(-1)).toBe("run.completed");
      expect((await handle.result).status).toBe("completed");
    },
  );
});

describe("before a run", () => {
  it("what it cannot carry out is named, and nothing is started", async () => {
    const asking = f.graph({
      flows: [f.flow("main", [], f.body([{ ...f.base("q"), kind: "read", state: "s" }], f.r("q")))],
    });
    const { result, events } = await f.finish(asking);
    expect(result).toMatchObject({ status: "failed", problems: [{ code: "W0901", title: "This version cannot run state" }] });
    expect(events).toEqual([]);
  });

  it("wrong, missing and unknown inputs, tools that do not load and models without a provider are told at once", async () => {
    const wants = f.graph({
      tools: [f.tool("t")],
      agents: [f.agent("A")],
      flows: [
        f.flow(
          "main",
          [f.param("n", f.int), f.param("m", f.int)],
          f.body([f.call("c", "t", { x: f.r("n") }), f.call("d", "A", { x: f.r("n") }, { kind: "agent" })], f.r("c")),
        ),
      ],
    });
    const { result } = await f.finish(wants, { inputs: { n: "x", z: 1 } });
    expect(result.problems.map((problem) => `${problem.code} ${problem.help}`)).toEqual([
      "W0902 no function for t",
      "W0905 Providers that can be used: . `--sim` runs every agent on the simulator.",
      'W0906 Expected int, found "x".',
      "W0907 Give `m` (int).",
      "W0908 Its inputs are: n, m.",
    ]);
  });
});
