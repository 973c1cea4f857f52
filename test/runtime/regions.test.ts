import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../src/runtime/events.js";
import { failure } from "../../src/runtime/failure.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { evidence, wilson } from "../../src/runtime/vote.js";
import * as f from "../support/flows.js";

const echo = f.tool("echo");
const work = f.call("w", "echo", { x: f.r("x") });

function mapOver(more: f.MapMore, inner: f.Parts["flows"][number]["body"] = f.body([work], f.r("w"))) {
  return f.graph({
    tools: [echo],
    flows: [f.flow("main", [f.param("xs")], f.body([f.map("ys", f.r("xs"), "x", inner, more)], f.r("ys")))],
  });
}

const failing =
  (bad: (x: unknown) => boolean, kind: "tool_error" | "auth" | "timeout" = "tool_error"): ToolFunction =>
  ({ x }) => {
    if (bad(x)) throw failure(kind, `bad ${String(x)}`);
    return x;
  };

const paths = (events: readonly RunEvent[], kind: RunEvent["kind"] = "call.started"): string[] =>
  events.flatMap((event) => (event.kind === kind && "path" in event ? [event.path] : []));

describe("map", () => {
  it("keeps the order of its items whatever their latency", async () => {
    const { result } = await f.finish(mapOver({}), { inputs: { xs: [30, 10, 20] }, tools: { echo: f.takes((x) => Number(x)) } });
    expect(result.value).toEqual([30, 10, 20]);
    expect(result.elapsedMs).toBe(30);
  });

  it("runs at most as many items at once as allowed", async () => {
    let [now, most] = [0, 0];
    const echo: ToolFunction = async ({ x }, { clock }) => {
      most = Math.max(most, ++now);
      await f.onClock(clock, 10);
      now--;
      return x;
    };
    const xs = Array.from({ length: 25 }, (_, i) => i);
    const { result } = await f.finish(mapOver({ policies: { parallel: { max: f.k(4) } } }), { inputs: { xs }, tools: { echo } });
    expect(result.value).toEqual(xs);
    expect(most).toBe(4);
    expect(result.elapsedMs).toBe(70);
  });

  it("names items by their key, equal ones by their count, and leaves out what `where` does not want", async () => {
    const graph = mapOver({ index: "i", where: f.op("!=", f.r("x"), f.k("skip")) });
    const { events } = await f.finish(graph, { inputs: { xs: ["a", "skip", "a", "b"] }, tools: { echo: ({ x }) => x } });
    expect(paths(events)).toEqual(["main", "main/ys[a]/echo", "main/ys[a#2]/echo", "main/ys[b]/echo"]);
  });

  it("fails with the first failure, starts nothing more, and keeps what was done", async () => {
    const { result, events } = await f.finish(mapOver({ policies: { parallel: { max: f.k(2) } } }), {
      inputs: { xs: [1, 2, 3, 4, 5] },
      tools: { echo: failing((x) => x === 2) },
    });
    expect(result.status).toBe("failed");
    expect(result.failure).toMatchObject({ kind: "tool_error", message: "bad 2", path: "main/ys[2]/echo", attempts: 1 });
    expect(result.partial).toMatchObject({ ok: [1], failed: [{ index: 1, key: "2" }] });
    expect(paths(events).length).toBeLessThan(5);
  });

  it.each([
    [0, "completed"],
    [2, "completed"],
    [3, "failed"],
  ])("with @min_success(80%%) of 10 and %i failures it is %s", async (bad, status) => {
    const graph = mapOver({ policies: { minSuccess: { value: f.k(0.8), share: true } } });
    const xs = Array.from({ length: 10 }, (_, i) => i);
    const { result } = await f.finish(graph, { inputs: { xs }, tools: { echo: failing((x) => Number(x) < bad) } });
    expect(result.status).toBe(status);
    if (status === "completed") expect(result.value).toEqual(xs.slice(bad));
    else expect(result.failure?.message).toContain("8 must succeed");
  });

  it("of an empty list is empty, also with @min_success", async () => {
    const graph = mapOver({ policies: { minSuccess: { value: f.k(0.8), share: true } } });
    expect((await f.finish(graph, { inputs: { xs: [] }, tools: { echo: ({ x }) => x } })).result.value).toEqual([]);
  });

  it("settles with outcomes in the order of the items", async () => {
    const { result } = await f.finish(mapOver({ settle: true }), { inputs: { xs: [1, 2, 3] }, tools: { echo: failing((x) => x === 2) } });
    expect(result.value).toMatchObject({
      ok: [1, 3],
      failed: [{ index: 1, key: "2", error: { kind: "tool_error", call: "main/ys[2]/echo" } }],
      outcomes: [
        { ok: true, value: 1 },
        { ok: false, error: { message: "bad 2" } },
        { ok: true, value: 3 },
      ],
    });
    expect((result.value as { rate: number }).rate).toBeCloseTo(2 / 3);
  });

  it("fails fast when the first five fail the same permanent way", async () => {
    const xs = Array.from({ length: 112 }, (_, i) => i);
    const graph = mapOver({ settle: true, policies: { parallel: { max: f.k(5) } } });
    const { result, events } = await f.finish(graph, { inputs: { xs }, tools: { echo: failing(() => true, "auth") } });
    expect(paths(events).length - 1).toBeLessThanOrEqual(10);
    const { failed } = result.value as { failed: { error: { kind: string; message: string } }[] };
    expect(failed).toHaveLength(112);
    expect(failed.at(-1)?.error).toMatchObject({ kind: "skipped", message: "the first 5 of 112 items all failed the same way: bad 4" });
  });

  const needs = { key: f.fieldOf(f.r("x"), "id"), needs: f.fieldOf(f.r("x"), "needs"), giving: "earlier" };
  const inner = f.body(
    [f.call("w", "echo", { x: f.recordOf({ id: f.fieldOf(f.r("x"), "id"), earlier: f.r("earlier") }) })],
    f.fieldOf(f.r("w"), "id"),
  );
  const task = (id: string, ...on: string[]) => ({ id, needs: on });

  it("starts an item as soon as its own needs are done, with their results in order", async () => {
    const times: Record<string, number> = { a: 10, b: 50, c: 5, d: 5 };
    const seen: Record<string, unknown> = {};
    const started: Record<string, number> = {};
    const echo: ToolFunction = async ({ x }, context) => {
      const { id, earlier } = x as { id: string; earlier: unknown };
      seen[id] = earlier;
      started[id] = context.clock.now();
      await f.onClock(context.clock, times[id] ?? 0);
      return x;
    };
    const xs = [task("d", "c", "b"), task("a"), task("b"), task("c", "a")];
    const { result } = await f.finish(mapOver(needs, inner), { inputs: { xs }, tools: { echo } });
    expect(result.value).toEqual(["d", "a", "b", "c"]);
    expect(seen).toEqual({ a: [], b: [], c: ["a"], d: ["c", "b"] });
    expect(started).toEqual({ a: 0, b: 0, c: 10, d: 50 });
  });

  it.each([
    ["items need each other in a circle: a → b → a", [task("a", "b"), task("b", "a")]],
    ['the item "a" needs "z", which is not among the items', [task("a", "z")]],
    ['two items have the key "a"', [task("a"), task("a")]],
  ])("says that %s", async (message, xs) => {
    const { result } = await f.finish(mapOver(needs, inner), { inputs: { xs }, tools: { echo: ({ x }) => x } });
    expect(result.failure).toMatchObject({ kind: "assertion", message });
  });

  it("skips what needs a failed item", async () => {
    const xs = [task("a"), task("b", "a"), task("c", "b"), task("d")];
    const { result } = await f.finish(mapOver({ ...needs, settle: true }, inner), {
      inputs: { xs },
      tools: { echo: failing((x) => (x as { id: string }).id === "a") },
    });
    expect(result.value).toMatchObject({
      ok: ["d"],
      failed: [
        { key: "a", error: { kind: "tool_error" } },
        { key: "b", error: { kind: "skipped" } },
        { key: "c", error: { kind: "skipped" } },
      ],
    });
  });
});

const branch = (name: string, x: unknown) => ({ name, body: f.body([f.call(`${name}.w`, "echo", { x: f.k(x) })], f.r(`${name}.w`)) });
const region = (node: Parameters<typeof f.body>[0][number]) =>
  f.graph({ tools: [echo], flows: [f.flow("main", [], f.body([node], f.r(node.id)))] });

describe("fork and race", () => {
  const fork = (settle: boolean, policies = {}) =>
    region({ ...f.base("s", { policies }), kind: "fork", settle, branches: [branch("a", 20), branch("b", 10)] });

  it("joins its branches into a record", async () => {
    const { result, events } = await f.finish(fork(false), { tools: { echo: f.takes((x) => Number(x)) } });
    expect(result.value).toEqual({ a: 20, b: 10 });
    expect(result.elapsedMs).toBe(20);
    expect(paths(events)).toEqual(["main", "main/s/a/echo", "main/s/b/echo"]);
  });

  it("gives outcomes when settled, and null for what failed under @min_success", async () => {
    const tools = { echo: failing((x) => x === 10) };
    expect((await f.finish(fork(true), { tools })).result.value).toMatchObject({
      a: { ok: true, value: 20 },
      b: { ok: false, error: { kind: "tool_error" } },
    });
    const some = fork(false, { minSuccess: { value: f.k(1), share: false } });
    expect((await f.finish(some, { tools })).result.value).toEqual({ a: 20, b: null });
    const { result } = await f.finish(fork(false), { tools });
    expect(result).toMatchObject({ status: "failed", partial: { ok: [20] } });
  });

  const race = region({ ...f.base("s"), kind: "race", branches: [branch("a", 200), branch("b", 100)] });

  it("takes the first success and aborts the others", async () => {
    const aborted: unknown[] = [];
    const echo: ToolFunction = async ({ x }, context) => {
      context.signal.addEventListener("abort", () => aborted.push(x));
      await f.onClock(context.clock, Number(x), context);
      return x;
    };
    const { result } = await f.finish(race, { tools: { echo } });
    expect(result).toMatchObject({ value: 100, elapsedMs: 100 });
    expect(aborted).toEqual([200]);
  });

  it("is won by a slower branch when the faster one fails, and fails when all do", async () => {
    const slow = await f.finish(race, { tools: { echo: failing((x) => x === 100) } });
    expect(slow.result.value).toBe(200);
    const { result } = await f.finish(race, { tools: { echo: failing(() => true) } });
    expect(result.failure?.message).toBe("all 2 branches failed; the first: bad 200");
  });
});

describe("vote", () => {
  const vote = (times: number, more: { early?: number; policies?: object } = {}) =>
    region({
      ...f.base("v", { policies: more.policies ?? {} }),
      kind: "vote",
      times: f.k(times),
      ...(more.early === undefined ? {} : { early: f.k(more.early) }),
      body: f.body([f.call("w", "echo", { x: f.k(0) })], f.r("w")),
    });
  const answers =
    (given: readonly unknown[]): ToolFunction =>
    (_, { call }) => {
      const answer = given[Number(/\[(\d+)\]/.exec(call)?.[1]) - 1];
      if (answer === "fail") throw new Error("no answer");
      return answer;
    };

  it("gathers evidence; ties go to the group seen first", async () => {
    const { result } = await f.finish(vote(5), { tools: { echo: answers(["b", "a", "a", "b", "fail"]) } });
    expect(result.value).toMatchObject({
      value: "b",
      agreement: 0.5,
      runs: 4,
      planned: 5,
      groups: [
        { value: "b", count: 2, runs: [1, 4] },
        { value: "a", count: 2, runs: [2, 3] },
      ],
      dissent: ["a", "a"],
      failures: [{ index: 4 }],
    });
  });

  it("stops early once the leader cannot be overtaken, and starts no more", async () => {
    const { result, events } = await f.finish(vote(7, { early: 1, policies: { parallel: { max: f.k(1) } } }), {
      tools: { echo: answers(Array(7).fill("a")) },
    });
    expect(result.value).toMatchObject({ value: "a", runs: 4, planned: 7, agreement: 1 });
    expect(paths(events)).toHaveLength(5);
  });

  it("fails when no run answers", async () => {
    const { result } = await f.finish(vote(3), { tools: { echo: answers(["fail", "fail", "fail"]) } });
    expect(result.failure?.message).toContain("0 of 3 runs answered");
  });

  it("has the interval of Wilson and moments by field", () => {
    expect(wilson(9, 10)).toBeCloseTo(0.5958, 3);
    expect(wilson(0, 0)).toBe(0);
    expect(wilson(10, 10)).toBeCloseTo(0.7225, 3);
    const found = evidence(
      [1, 3].map((score, i) => ({ run: i + 1, value: { score, ok: i === 0 } })),
      2,
      (value) => value,
      [],
    );
    expect(found).toMatchObject({ means: { score: 2 }, spreads: { score: 1 }, distances: { score: 1, ok: 0.5 } });
  });
});

describe("loop, fold, reduce", () => {
  const loop = (stopAt: number) =>
    region({
      ...f.base("d"),
      kind: "loop",
      state: "s",
      init: f.k(0),
      times: f.k(3),
      body: f.body(
        [
          f.call("w", "echo", { x: f.r("s") }),
          { ...f.base("stop", { deps: ["w"] }), kind: "stop", test: f.op(">=", f.r("w"), f.k(stopAt)) },
          f.call("n", "echo", { x: f.op("+", f.r("w"), f.k(1)) }, { deps: ["w"], after: ["stop"], segment: "echo#2" }),
        ],
        f.r("n"),
      ),
    });

  it("gives the last state, or the one where it stopped, and starts nothing below the stop", async () => {
    const tools = { echo: (({ x }) => x) as ToolFunction };
    expect((await f.finish(loop(9), { tools })).result.value).toBe(3);
    const { result, events } = await f.finish(loop(1), { tools });
    expect(result.value).toBe(1);
    expect(paths(events)).toEqual(["main", "main/d[1]/echo", "main/d[1]/echo#2", "main/d[2]/echo"]);
  });

  const reduce = (groups: number | undefined) =>
    f.graph({
      tools: [f.tool("join", { params: [f.param("x")], result: f.json })],
      flows: [
        f.flow(
          "main",
          [f.param("xs")],
          f.body(
            [
              {
                ...f.base("r"),
                kind: "reduce",
                over: f.r("xs"),
                ...(groups === undefined ? {} : { groups: f.k(groups) }),
                params: groups === undefined ? ["l", "r2"] : ["g"],
                body: f.body([f.call("w", "join", { x: groups === undefined ? f.listOf(f.r("l"), f.r("r2")) : f.r("g") })], f.r("w")),
              },
            ],
            f.r("r"),
          ),
        ),
      ],
    });
  const join: ToolFunction = ({ x }) => `(${(x as string[]).join("")})`;

  it.each([
    [undefined, "", null, 0],
    [undefined, "a", "a", 0],
    [undefined, "abcde", "(((ab)(cd))e)", 4],
    [3, "abcdefg", "((abc)(def)g)", 3],
    [10, "abc", "(abc)", 1],
  ])("reduces in groups of %s: %s", async (groups, text, value, calls) => {
    const { result, events } = await f.finish(reduce(groups), { inputs: { xs: [...text] }, tools: { join } });
    expect(result.value).toBe(value);
    expect(paths(events).length - 1).toBe(calls);
  });

  it("reduces a level before the one above it is complete", async () => {
    const started: number[] = [];
    const slow: ToolFunction = async ({ x }, { clock }) => {
      started.push(clock.now());
      await f.onClock(clock, (x as string[]).includes("h") ? 100 : 10);
      return "*";
    };
    const { result } = await f.finish(reduce(undefined), { inputs: { xs: [..."abcdefgh"] }, tools: { join: slow } });
    expect(started).toEqual([0, 0, 0, 0, 10, 100, 110]);
    expect(result.elapsedMs).toBe(120);
  });
});

describe("branches", () => {
  it("recovers with the failure and what a map still has", async () => {
    const inner = f.map("ys", f.r("xs"), "x", f.body([work], f.r("w")));
    const graph = f.graph({
      tools: [echo],
      flows: [
        f.flow(
          "main",
          [f.param("xs")],
          f.body(
            [
              {
                ...f.base("t"),
                kind: "try",
                body: f.body([inner], f.r("ys")),
                error: "err",
                partial: true,
                recover: f.body([], f.r("err")),
              },
            ],
            f.r("t"),
          ),
        ),
      ],
    });
    const { result } = await f.finish(graph, { inputs: { xs: [1, 2] }, tools: { echo: failing((x) => x === 2) } });
    expect(result.value).toMatchObject({
      kind: "tool_error",
      call: "main/t/ys[2]/echo",
      attempts: 1,
      committed: "no",
      ok: [1],
      failed: [{ index: 1 }],
    });
  });

  it("carries out one arm only, with what its pattern binds", async () => {
    const graph = f.graph({
      tools: [echo],
      flows: [
        f.flow(
          "main",
          [f.param("v")],
          f.body(
            [
              {
                ...f.base("m"),
                kind: "match",
                value: f.r("v"),
                arms: [
                  { name: "3..5", patterns: [{ kind: "range", low: 3, high: 5 }], body: f.body([], f.k("range")) },
                  {
                    name: "ok",
                    patterns: [
                      {
                        kind: "record",
                        fields: [
                          { name: "kind", pattern: { kind: "literal", value: "ok" } },
                          { name: "value", bind: "b" },
                        ],
                      },
                    ],
                    body: f.body([f.call("c", "echo", { x: f.r("b") })], f.r("c")),
                  },
                  { name: "_", patterns: [{ kind: "any" }], body: f.body([], f.k("rest")) },
                ],
              },
            ],
            f.r("m"),
          ),
        ),
      ],
    });
    const tools = { echo: (({ x }) => x) as ToolFunction };
    for (const [v, wanted] of [
      [4, "range"],
      [{ kind: "ok", value: 7 }, 7],
      ["x", "rest"],
    ] as const) {
      expect((await f.finish(graph, { inputs: { v }, tools })).result.value).toBe(wanted);
    }
  });

  it("starts nothing below an assertion that does not hold", async () => {
    const graph = f.graph({
      tools: [echo],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [
              { ...f.base("a"), kind: "assert", test: f.k(false), message: f.k("too few") },
              f.call("c", "echo", { x: f.k(1) }, { after: ["a"] }),
            ],
            f.r("c"),
          ),
        ),
      ],
    });
    const { result, events } = await f.finish(graph, { tools: { echo: ({ x }) => x } });
    expect(result.failure).toMatchObject({ kind: "assertion", message: "too few", path: "main/a" });
    expect(paths(events)).toEqual(["main"]);
  });

  it("never starts what nothing needs", async () => {
    const graph = f.graph({
      tools: [echo],
      flows: [f.flow("main", [], f.body([f.call("c", "echo", { x: f.k(1) }, { needed: false })], f.k(2)))],
    });
    const { result, events } = await f.finish(graph, { tools: { echo: ({ x }) => x } });
    expect(result.value).toBe(2);
    expect(paths(events)).toEqual(["main"]);
  });
});
