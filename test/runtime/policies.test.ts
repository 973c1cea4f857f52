import { describe, expect, it } from "vitest";
import type { Policies } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { type FailureKind, failure } from "../../src/runtime/failure.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import * as f from "../support/flows.js";

const retry = (
  times: number,
  more: { backoff?: number; factor?: number; max?: number; jitter?: boolean; on?: FailureKind[] } = {},
): Policies => ({
  retry: {
    times: f.k(times),
    backoff: f.k(more.backoff ?? 1000),
    factor: f.k(more.factor ?? 2),
    max: f.k(more.max ?? 60_000),
    jitter: f.k(more.jitter ?? false),
    ...(more.on === undefined ? {} : { on: f.k(more.on) }),
  },
});

/** One call of `t`, with policies at the declaration, at the call, and around it. */
function one(
  policies: Policies,
  more: { at?: Policies; around?: Policies; effect?: boolean; tools?: readonly ReturnType<typeof f.tool>[] } = {},
) {
  const effect = more.effect === true ? "effect" : "none";
  return f.graph({
    tools: [f.tool("t", { policies, effect }), ...(more.tools ?? [])],
    flows: [
      f.flow("main", [], f.body([f.call("c", "t", { x: f.k("x") }, { policies: more.at ?? {}, effect })], f.r("c")), {
        policies: more.around ?? {},
        effect,
      }),
    ],
  });
}

/** Fails as often as there are failures, and notes when it was called. */
function flaky(failures: readonly (FailureKind | ReturnType<typeof failure>)[], at: number[] = [], takes = 0): ToolFunction {
  let n = 0;
  return async (_, context) => {
    at.push(context.clock.now());
    const next = failures[n++];
    if (takes > 0) await f.onClock(context.clock, takes, context);
    if (next !== undefined) throw typeof next === "string" ? failure(next, `made to fail: ${next}`) : next;
    return "done";
  };
}

/** A flow that calls `t` for each item, all at once unless limited. */
function many(policies: Policies, around: Policies = {}, body?: Parameters<typeof f.body>) {
  return f.graph({
    tools: [f.tool("t", { policies })],
    flows: [
      f.flow(
        "main",
        [f.param("xs")],
        f.body(
          [f.map("ys", f.r("xs"), "x", f.body(...(body ?? [[f.call("c", "t", { x: f.r("x") })], f.r("c")])), { settle: true })],
          f.r("ys"),
        ),
        { policies: around },
      ),
    ],
  });
}
const kinds = (events: readonly RunEvent[], kind: RunEvent["kind"]): number => events.filter((event) => event.kind === kind).length;

describe("@retry", () => {
  it("backs off by its factor up to its maximum", async () => {
    const at: number[] = [];
    const { result } = await f.finish(one(retry(5, { max: 5000 })), {
      tools: { t: flaky(["timeout", "rate_limit", "overloaded", "unavailable", "timeout"], at) },
    });
    expect(result.value).toBe("done");
    expect(at).toEqual([0, 1000, 3000, 7000, 12_000, 17_000]);
  });

  it("gives up after its attempts with the last failure, told with the attempts", async () => {
    const { result, events } = await f.finish(one(retry(2)), { tools: { t: flaky(["timeout", "timeout", "overloaded", "timeout"]) } });
    expect(result.failure).toMatchObject({ kind: "overloaded", attempts: 3 });
    expect(kinds(events, "call.attempt_failed")).toBe(3);
    expect(kinds(events, "call.retried")).toBe(2);
  });

  it.each<[FailureKind, number]>([
    ["tool_error", 1],
    ["auth", 1],
    ["invalid_output", 1],
    ["timeout", 2],
  ])("by default repeats only what may pass: %s is tried %i times", async (kind, attempts) => {
    const at: number[] = [];
    await f.finish(one(retry(3)), { tools: { t: flaky([kind], at) } });
    expect(at).toHaveLength(attempts);
  });

  it("repeats the kinds it is told to", async () => {
    const { result } = await f.finish(one(retry(1, { on: ["tool_error"] })), { tools: { t: flaky(["tool_error"]) } });
    expect(result.value).toBe("done");
  });

  it("never asks again before the other side said, with jitter or without", async () => {
    for (const jitter of [false, true]) {
      const at: number[] = [];
      await f.finish(one(retry(3, { backoff: 10, jitter })), {
        tools: { t: flaky([failure("rate_limit", "slow", { retryAfterMs: 7000 })], at) },
      });
      expect(at[1]).toBeGreaterThanOrEqual(7000);
      expect(at[1]).toBeLessThanOrEqual(7010);
    }
  });

  it("spreads callers that were refused at once", async () => {
    const at: number[] = [];
    const t: ToolFunction = (_, { clock, attempt }) => {
      if (attempt === 1) throw failure("rate_limit", "slow", { retryAfterMs: 1000 });
      at.push(clock.now());
      return 1;
    };
    await f.finish(many(retry(1, { jitter: true })), { inputs: { xs: Array.from({ length: 50 }, (_, i) => i) }, tools: { t } });
    expect(new Set(at).size).toBe(50);
    expect(Math.max(...at) - Math.min(...at)).toBeGreaterThan(500);
  });

  it("repeats an effect of unknown outcome only when it is idempotent, with the same key", async () => {
    const unknown = failure("timeout", "lost", { committed: "unknown" });
    const at: number[] = [];
    const { result } = await f.finish(one(retry(3), { effect: true }), { tools: { t: flaky([unknown], at) } });
    expect([at.length, result.failure?.committed]).toEqual([1, "unknown"]);
    const keys: unknown[] = [];
    const idempotent = { ...retry(3), idempotent: { key: f.fn("join", f.listOf(f.k("k"), f.r("x")), f.k("-")) } };
    const t: ToolFunction = (_, context) => {
      keys.push(context.idempotencyKey);
      if (keys.length === 1) throw unknown;
      return 1;
    };
    await f.finish(one(idempotent, { effect: true }), { tools: { t } });
    expect(keys).toEqual(["k-x", "k-x"]);
  });

  it("at a call replaces that of the declaration", async () => {
    const at: number[] = [];
    await f.finish(one(retry(5), { at: retry(1, { backoff: 5 }) }), { tools: { t: flaky(["timeout", "timeout", "timeout"], at) } });
    expect(at).toEqual([0, 5]);
  });

  it("around a flow repeats all of it under paths of their own", async () => {
    const at: number[] = [];
    const { result, events } = await f.finish(one({}, { around: retry(1) }), { tools: { t: flaky(["timeout"], at) } });
    expect(result.value).toBe("done");
    expect(events.flatMap((event) => (event.kind === "call.started" ? [event.path] : []))).toEqual(["main", "main/t", "main~2/t"]);
  });
});

describe("@timeout", () => {
  it("ends an attempt that ignores its signal, and never looks at its late answer", async () => {
    const t: ToolFunction = (_, context) => f.onClock(context.clock, 5000).then(() => "late");
    const { result } = await f.finish(one({ timeout: { after: f.k(1000) } }), { tools: { t } });
    expect(result).toMatchObject({ status: "failed", elapsedMs: 1000, failure: { kind: "timeout", message: "no answer within 1s" } });
  });

  it("is for each attempt", async () => {
    let n = 0;
    const t: ToolFunction = async (_, context) => {
      await f.onClock(context.clock, n++ === 0 ? 5000 : 10, context);
      return n;
    };
    const { result } = await f.finish(one({ ...retry(1, { backoff: 100 }), timeout: { after: f.k(1000) } }), { tools: { t } });
    expect(result).toMatchObject({ value: 2, elapsedMs: 1110 });
  });

  it("of a region wins over what goes on inside, during a backoff too", async () => {
    const { result } = await f.finish(one(retry(9), { around: { timeout: { after: f.k(2500) } } }), {
      tools: { t: flaky(Array(9).fill("timeout")) },
    });
    expect(result).toMatchObject({ status: "failed", elapsedMs: 2500, failure: { kind: "timeout" } });
  });

  it("leaves open whether an effect happened", async () => {
    const { result } = await f.finish(one({ timeout: { after: f.k(10) } }, { effect: true }), { tools: { t: f.takes(100) } });
    expect(result.failure).toMatchObject({ kind: "timeout", committed: "unknown" });
  });
});

describe("@fallback", () => {
  const other = f.tool("other", { params: [f.param("y")] });
  const policies: Policies = { ...retry(1), fallback: [{ kind: "tool", id: "other" }] };

  it("takes over after the last attempt, with the same arguments", async () => {
    const { result, events } = await f.finish(one(policies, { tools: [other] }), {
      tools: { t: flaky(["timeout", "timeout"]), other: ({ y }) => `other ${String(y)}` },
    });
    expect(result.value).toBe("other x");
    expect(events.find((event) => event.kind === "call.fell_back")).toMatchObject({
      path: "main/t",
      to: "other",
      failure: { kind: "timeout" },
    });
  });

  it.each<FailureKind>(["budget_exceeded", "denied"])("does not after %s", async (kind) => {
    const { result } = await f.finish(one(policies, { tools: [other] }), { tools: { t: flaky([kind]), other: () => 1 } });
    expect(result.failure?.kind).toBe(kind);
  });
});

describe("@breaker", () => {
  const breaker: Policies = { breaker: { failures: f.k(3), window: f.k(60_000), cooldown: f.k(30_000) } };

  it("opens at its threshold and lets exactly one call probe", async () => {
    const at: number[] = [];
    const t: ToolFunction = async ({ x }, context) => {
      at.push(context.clock.now());
      // The second that comes after the first fifty finds it up again.
      const up = at.filter((time) => time > 0).length >= 2;
      await f.onClock(context.clock, 10, context);
      if (!up) throw failure("unavailable", "down");
      return x;
    };
    const { result, events } = await f.finish(many({ ...retry(9, { backoff: 1000, factor: 1, jitter: true }), ...breaker }), {
      inputs: { xs: Array.from({ length: 50 }, (_, i) => i) },
      tools: { t },
    });
    expect(result.value).toMatchObject({ rate: 1 });
    const probes = events.flatMap((event) => (event.kind === "breaker.probed" ? [event.at] : []));
    // All fifty were sent at once; after that nothing but the two probes until the second one succeeded.
    expect(at.filter((time) => time === 0)).toHaveLength(50);
    expect(probes).toHaveLength(2);
    // Events tell times in whole microseconds.
    expect(at.filter((time) => time > 0 && time < (probes[1] ?? 0) - 0.001)).toHaveLength(1);
    expect(probes[0]).toBeGreaterThanOrEqual(30_000);
  });

  it("of a model is shared by all requests to it, whichever agent sends them", async () => {
    const sent: number[] = [];
    const ask = (who: string, id: string, after: readonly string[]) => f.call(id, who, { x: f.k(1) }, { kind: "agent", after });
    const tried = (id: string, who: string, after: readonly string[]) =>
      f.map(id, f.k([0]), `${id}i`, f.body([ask(who, `${id}c`, [])], f.r(`${id}c`)), { settle: true, after });
    const { result, events } = await f.finish(
      f.graph({
        flows: [f.flow("main", [], f.body([tried("a", "A", []), tried("b", "B", ["a"]), tried("c", "A", ["b"])], f.fn("json", f.r("c"))))],
        agents: [f.agent("A"), f.agent("B")],
        models: [f.model("m", { breaker: { failures: f.k(2), window: f.k(60_000), cooldown: f.k(30_000) } })],
      }),
      {
        provider: {
          name: "test",
          simulated: false,
          timed: false,
          ask: (asked) => {
            sent.push(asked.turn);
            return Promise.reject(failure("unavailable", "down"));
          },
        },
      },
    );
    expect(result.status).toBe("completed");
    expect(result.value).toContain("the circuit breaker of m is open");
    expect(sent).toHaveLength(2);
    expect(kinds(events, "breaker.opened")).toBe(1);
  });

  it("is not opened by failures that say nothing about the other side", async () => {
    const { events } = await f.finish(many(breaker), { inputs: { xs: [1, 2, 3, 4, 5] }, tools: { t: flaky(Array(5).fill("assertion")) } });
    expect(kinds(events, "breaker.opened")).toBe(0);
  });
});

describe("@hedge", () => {
  const hedge: Policies = { hedge: { after: f.k(100) } };

  it("starts a second attempt when the first is slow; the first answer wins and the other is aborted", async () => {
    const aborted: number[] = [];
    let n = 0;
    const t: ToolFunction = async (_, context) => {
      const mine = ++n;
      context.signal.addEventListener("abort", () => aborted.push(mine));
      await f.onClock(context.clock, mine === 1 ? 1000 : 50, context);
      return mine;
    };
    const { result } = await f.finish(one(hedge), { tools: { t } });
    expect(result).toMatchObject({ value: 2, elapsedMs: 150 });
    expect(aborted).toEqual([1]);
  });

  it("costs nothing while calls are fast, and fails only when both fail", async () => {
    const { events } = await f.finish(one(hedge), { tools: { t: f.takes(50) } });
    expect(kinds(events, "call.hedged")).toBe(0);
    const { result } = await f.finish(one(hedge), { tools: { t: flaky(["timeout", "timeout"], [], 150) } });
    expect(result).toMatchObject({ status: "failed", elapsedMs: 250 });
  });
});

describe("@rate and @priority", () => {
  it("never exceeds its rate in any second", async () => {
    const at: number[] = [];
    const t: ToolFunction = (_, { clock }) => {
      at.push(clock.now());
      return 1;
    };
    await f.finish(many({ rate: { perSecond: 10 } }), { inputs: { xs: Array.from({ length: 45 }, (_, i) => i) }, tools: { t } });
    expect(at).toHaveLength(45);
    for (const time of at) expect(at.filter((other) => other >= time && other < time + 1000).length).toBeLessThanOrEqual(10);
    expect(Math.max(...at)).toBe(4000);
  });

  /** One place for all calls; urgent ones come without end, two at a time. */
  const crowded = (rounds: number) => {
    const urgent = (id: string) => ({
      ...f.base(id),
      kind: "fold" as const,
      over: f.fn("range", f.k(rounds)),
      start: f.k(0),
      acc: `${id}.acc`,
      item: `${id}.item`,
      body: f.body([f.call(`${id}.c`, "t", { x: f.k("urgent") }, { policies: { priority: "urgent" } })], f.r(`${id}.c`)),
    });
    return f.graph({
      tools: [f.tool("t")],
      flows: [
        f.flow(
          "main",
          [],
          f.body([urgent("a"), urgent("b"), f.call("low", "t", { x: f.k("low") }, { policies: { priority: "low" } })], f.r("low")),
          {
            policies: { parallel: { max: f.k(1) } },
          },
        ),
      ],
    });
  };

  it.each([
    [10, 20],
    [100, 90],
  ])("serves the urgent first, but lets nobody wait for ever (%i rounds)", async (rounds, latest) => {
    const order: unknown[] = [];
    const t: ToolFunction = async ({ x }, { clock }) => {
      order.push(x);
      await f.onClock(clock, 1000);
      return x;
    };
    const { result } = await f.finish(crowded(rounds), { tools: { t } });
    expect(result.status).toBe("completed");
    const at = order.indexOf("low");
    expect(at).toBeGreaterThanOrEqual(Math.min(20, latest));
    expect(at).toBeLessThanOrEqual(latest + 2);
  });
});

describe("@lock", () => {
  const lock: Policies = { lock: { name: f.fn("join", f.listOf(f.k("l"), f.r("x")), f.k("")), scope: "run" } };

  it("lets one in at a time, for each name, in the order of asking", async () => {
    const log: string[] = [];
    const t: ToolFunction = async ({ x }, { clock, call }) => {
      log.push(`in ${call.slice(8, 11)} ${clock.now()}`);
      await f.onClock(clock, 10);
      return x;
    };
    const { result } = await f.finish(many(lock), { inputs: { xs: ["a", "a", "b", "a"] }, tools: { t } });
    expect(result.elapsedMs).toBe(30);
    expect(log.map((line) => line.split(" ").at(-1))).toEqual(["0", "0", "10", "20"]);
  });

  it("is given back when its holder fails", async () => {
    const { result } = await f.finish(many(lock), { inputs: { xs: ["a", "a", "a"] }, tools: { t: flaky(["tool_error", "tool_error"]) } });
    expect(result.value).toMatchObject({ ok: ["done"] });
  });

  it("names the locks that wait for each other", async () => {
    const held = (name: string): Policies => ({ lock: { name: f.k(name), scope: "run" } });
    const nested = (id: string, outer: string, inner: string) => ({
      ...f.base(id, { policies: held(outer) }),
      kind: "scope" as const,
      body: f.body(
        [
          f.call(`${id}.1`, "t", { x: f.k(1) }),
          f.call(`${id}.2`, "t", { x: f.k(2) }, { deps: [`${id}.1`], policies: held(inner), segment: "t#2" }),
        ],
        f.r(`${id}.2`),
      ),
    });
    const graph = f.graph({
      tools: [f.tool("t")],
      flows: [f.flow("main", [], f.body([nested("p", "A", "B"), nested("q", "B", "A")], f.r("p")))],
    });
    const { result } = await f.finish(graph, { tools: { t: f.takes(10) } });
    expect(result.failure).toMatchObject({ kind: "assertion", message: "these locks wait for each other: A → B → A" });
  });
});

describe("@cache", () => {
  const cache: Policies = { cache: { ttl: f.k(60_000) } };

  it("calls once for equal inputs, also at the same time", async () => {
    const at: number[] = [];
    const { result, events } = await f.finish(many(cache), { inputs: { xs: ["a", "a", "a"] }, tools: { t: flaky([], at, 10) } });
    expect(result.value).toMatchObject({ ok: ["done", "done", "done"] });
    expect(at).toHaveLength(1);
    expect(kinds(events, "call.cached")).toBe(2);
  });

  it("keeps no failure", async () => {
    const at: number[] = [];
    await f.finish(many(cache), { inputs: { xs: ["a", "a"] }, tools: { t: flaky(["tool_error"], at, 10) } });
    expect(at).toHaveLength(2);
  });

  it("counts each run of a vote for itself", async () => {
    const graph = f.graph({
      tools: [f.tool("t", { policies: cache })],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [{ ...f.base("v"), kind: "vote", times: f.k(3), body: f.body([f.call("c", "t", { x: f.k(1) })], f.r("c")) }],
            f.fieldOf(f.r("v"), "runs"),
          ),
        ),
      ],
    });
    const at: number[] = [];
    await f.finish(graph, { tools: { t: flaky([], at) } });
    expect(at).toHaveLength(3);
  });
});

describe("@parallel", () => {
  it("of a flow bounds all calls inside, however they are nested", async () => {
    let [now, most] = [0, 0];
    const t: ToolFunction = async ({ x }, { clock }) => {
      most = Math.max(most, ++now);
      await f.onClock(clock, 10);
      now--;
      return x;
    };
    const { result } = await f.finish(many({}, { parallel: { max: f.k(3) } }), {
      inputs: { xs: Array.from({ length: 20 }, (_, i) => i) },
      tools: { t },
    });
    expect([most, result.elapsedMs]).toEqual([3, 70]);
  });
});
