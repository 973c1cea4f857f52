import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simulator } from "../../src/host/providers/sim.js";
import type { Policies } from "../../src/plan/ir.js";
import { randomFor } from "../../src/runtime/hash.js";
import { type Account, type Amount, account, dimensions, reserve, settle, shortage } from "../../src/runtime/ledger.js";
import type { ModelAnswer, Provider } from "../../src/runtime/provider.js";
import { cases, livesOn } from "../support/always-replay.js";
import * as f from "../support/flows.js";

const amount = fc.record({ cost: fc.nat(1000), tokens: fc.nat(100), calls: fc.nat(2) });
const caps = fc.record({ cost: fc.nat(5000), tokens: fc.nat(500), calls: fc.nat(10) }, { requiredKeys: [] });

describe("the ledger", () => {
  it("never holds or spends more than any cap, whatever is asked and settled in which order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ parent: fc.nat(10), caps }), { minLength: 1, maxLength: 6 }),
        fc.array(
          fc.oneof(
            fc.record({ kind: fc.constant("ask" as const), at: fc.nat(10), amount }),
            fc.record({ kind: fc.constant("settle" as const), at: fc.nat(10), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
          ),
          { maxLength: 60 },
        ),
        (shape, steps) => {
          const accounts: Account[] = [];
          for (const each of shape)
            accounts.push(
              account(`a${accounts.length}`, accounts.length === 0 ? undefined : accounts[each.parent % accounts.length], each.caps),
            );
          const held: { at: Account; amount: Amount }[] = [];
          for (const step of steps) {
            if (step.kind === "ask") {
              const at = accounts[step.at % accounts.length];
              if (at === undefined || shortage(at, step.amount) !== undefined) continue;
              reserve(at, step.amount);
              held.push({ at, amount: step.amount });
            } else {
              const [one] = held.splice(step.at % Math.max(1, held.length), 1);
              if (one === undefined) continue;
              const used = {
                cost: Math.floor(one.amount.cost * step.share),
                tokens: Math.floor(one.amount.tokens * step.share),
                calls: one.amount.calls,
              };
              settle(one.at, one.amount, used);
            }
            for (const each of accounts)
              for (const d of dimensions)
                expect(each.spent[d] + each.reserved[d]).toBeLessThanOrEqual(each.caps[d] ?? Number.POSITIVE_INFINITY);
          }
          for (const one of held) settle(one.at, one.amount, { cost: 0, tokens: 0, calls: 0 });
          for (const each of accounts) expect(each.reserved).toEqual({ cost: 0, tokens: 0, calls: 0 });
        },
      ),
    );
  });

  it("says whether waiting helps", () => {
    const root = account("root", undefined, { cost: 100 });
    reserve(root, { cost: 80, tokens: 0, calls: 0 });
    expect(shortage(root, { cost: 30, tokens: 0, calls: 0 })).toMatchObject({ mayFree: true, left: 20 });
    expect(shortage(root, { cost: 101, tokens: 0, calls: 0 })).toMatchObject({ mayFree: false });
  });

  it("charges what is used beyond a reservation and closes the account", () => {
    const root = account("root", undefined, { cost: 100 });
    reserve(root, { cost: 50, tokens: 0, calls: 0 });
    expect(settle(root, { cost: 50, tokens: 0, calls: 0 }, { cost: 120, tokens: 0, calls: 0 })).toBe(true);
    expect(root.spent.cost).toBe(120);
    expect(shortage(root, { cost: 0, tokens: 0, calls: 1 })).toMatchObject({ mayFree: false });
  });
});

const budget = (caps: { cost?: number; tokens?: number; calls?: number; time?: number }): Policies => ({
  budget: Object.fromEntries(Object.entries(caps).map(([name, value]) => [name, f.k(value)])),
});

/** Agents over items under a budget of the flow. */
function agents(
  policies: Policies,
  more: { settle?: boolean; item?: Policies; agent?: Parameters<typeof f.agent>[1]; list?: string } = {},
) {
  const { list } = more;
  return f.graph({
    agents: [f.agent("A", more.agent)],
    tools: [f.tool("list", { params: [] })],
    flows: [
      f.flow(
        "main",
        [f.param("xs")],
        f.body(
          [
            ...(list === undefined ? [] : [f.call("list", "list", {})]),
            f.map(
              "ys",
              f.r(list ?? "xs"),
              "x",
              f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent", policies: more.item ?? {} })], f.r("c")),
              { settle: more.settle ?? false, deps: list === undefined ? [] : [list] },
            ),
          ],
          f.r("ys"),
        ),
        {
          policies,
        },
      ),
    ],
  });
}
const xs = (n: number) => ({ xs: Array.from({ length: n }, (_, i) => i) });

describe("@budget", () => {
  it("never spends more than its money at any concurrency, and uses what it can", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.005, max: 0.2, noNaN: true }),
        async (seed, n, cost) => {
          const provider = simulator({ latencyMs: (request) => Math.floor(randomFor(seed, request.path)() * 500) });
          const { result, events } = await f.finish(agents(budget({ cost }), { settle: true }), { provider, inputs: xs(n) });
          expect(result.status).toBe("completed");
          expect(result.spend.costUsd).toBeLessThanOrEqual(cost);
          const reserved = new Set(events.flatMap((event) => (event.kind === "budget.reserved" ? [event.path] : [])));
          const settled = new Set(events.flatMap((event) => (event.kind === "budget.settled" ? [event.path] : [])));
          expect(settled).toEqual(reserved);
          // What was refused could not have been paid in its worst case.
          const refused = events.filter((event) => event.kind === "budget.refused");
          for (const event of refused) expect(event.needed).toBeGreaterThan(event.left);
        },
      ),
      { numRuns: Number(process.env["LAW_RUNS"] ?? cases(60)) },
    );
  });

  it("lets a request wait while others in flight may free enough", async () => {
    // Worst case of each request is about $0.0053, of which next to nothing is used.
    // How many there are is known only when the list is there: with less to go by the run would not be started.
    const { result, events } = await f.finish(agents(budget({ cost: 0.006 }), { list: "list" }), {
      provider: simulator({ latencyMs: 100 }),
      inputs: xs(0),
      tools: { list: () => xs(5).xs },
    });
    expect(result.status).toBe("completed");
    expect(result.elapsedMs).toBe(500);
    expect(events.filter((event) => event.kind === "call.queued" && event.for === "budget").length).toBeGreaterThan(0);
  });

  it("fails with what there is and what would have been needed", async () => {
    const { result } = await f.finish(agents(budget({ calls: 4 }), { list: "list" }), {
      provider: simulator(),
      inputs: xs(0),
      tools: { list: () => xs(5).xs },
    });
    expect(result.failure).toMatchObject({ kind: "budget_exceeded" });
    expect(result.failure?.message).toMatch(
      /the budget of main allows 4 calls: 4 calls are spent and this needs up to 1 call, 1 call more/,
    );
    expect(result.partial).toMatchObject({ ok: [expect.any(String), expect.any(String), expect.any(String)] });
    expect(result.spend.calls).toBe(4);
  });

  it("that cannot pay for what these inputs need at least is told before anything is spent", async () => {
    const { result } = await f.finish(agents(budget({ calls: 3 })), { provider: simulator(), inputs: xs(5) });
    expect(result.problems.map((problem) => problem.code)).toEqual(["W0913"]);
    expect(result.spend.calls).toBe(0);
    const some = await f.finish(agents(budget({ calls: 3 }), { settle: true }), { provider: simulator(), inputs: xs(5) });
    expect(some.result).toMatchObject({ status: "completed", value: { ok: [expect.any(String), expect.any(String), expect.any(String)] } });
  });

  it("counts attempts as calls", async () => {
    const graph = f.graph({
      tools: [f.tool("t", { policies: { retry: { times: f.k(9), backoff: f.k(1), factor: f.k(1), max: f.k(1), jitter: f.k(false) } } })],
      flows: [f.flow("main", [], f.body([f.call("c", "t", { x: f.k(1) })], f.r("c")), { policies: budget({ calls: 4 }) })],
    });
    let n = 0;
    const t = () => {
      n++;
      throw Object.assign(new Error("slow"), { kind: "timeout" });
    };
    const { result } = await f.finish(graph, { tools: { t } });
    expect([n, result.failure?.kind]).toEqual([4, "budget_exceeded"]);
  });

  it("nests: the tightest wins, and only the inner one can be recovered from", async () => {
    const graph = f.graph({
      tools: [f.tool("t")],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [
              {
                ...f.base("r"),
                kind: "try",
                error: "err",
                partial: false,
                body: f.body([f.call("c", "t", { x: f.k(1) }, { policies: budget({ calls: 0 }) })], f.r("c")),
                recover: f.body([], f.k("recovered")),
              },
            ],
            f.r("r"),
          ),
        ),
        f.flow("outer", [], f.body([f.call("c", "main", {}, { kind: "flow" })], f.r("c")), { policies: budget({ calls: 5 }) }),
      ],
    });
    expect((await f.finish(graph, { tools: { t: () => 1 } })).result.value).toBe("recovered");
    const tight = {
      ...graph,
      flows: {
        ...graph.flows,
        main: { ...(graph.flows["main"] ?? f.flow("main", [], f.body([], f.k(1)))), policies: budget({ calls: 0 }) },
      },
    };
    const inner = tight.flows["main"]?.body.nodes[0];
    if (inner?.kind !== "try") throw new Error("the body was changed");
    const plain = { ...inner, body: f.body([f.call("c", "t", { x: f.k(1) })], f.r("c")) };
    const around = { ...tight, flows: { ...tight.flows, main: { ...tight.flows.main, body: f.body([plain], f.r("r")) } } };
    const { result } = await f.finish(around, { tools: { t: () => 1 }, flow: "outer" });
    expect(result.failure?.kind).toBe("budget_exceeded");
  });

  it("of time ends what runs", async () => {
    const { result } = await f.finish(agents(budget({ time: 250 })), { provider: simulator({ latencyMs: 1000 }), inputs: xs(3) });
    expect(result).toMatchObject({
      status: "failed",
      elapsedMs: 250,
      failure: { kind: "budget_exceeded", message: "the time budget of main is over: 250ms" },
    });
  });

  it("ends a loop with its state when money runs short", async () => {
    const graph = f.graph({
      tools: [f.tool("t", { policies: { cost: { value: f.k(1) } } })],
      flows: [
        f.flow(
          "main",
          [],
          f.body(
            [
              {
                ...f.base("l"),
                kind: "loop",
                state: "s",
                init: f.k(0),
                times: f.k(10),
                body: f.body([f.call("c", "t", { x: f.r("s") })], f.r("c")),
              },
            ],
            f.r("l"),
          ),
          { policies: budget({ cost: 3.5 }) },
        ),
      ],
    });
    const { result, events } = await f.finish(graph, { tools: { t: ({ x }) => Number(x) + 1 } });
    expect([result.value, result.spend.costUsd]).toEqual([3, 3]);
    expect(events.filter((event) => event.kind === "budget.landed")).toHaveLength(1);
  });
});

describe("what a request costs", () => {
  const answering = (answer: Partial<ModelAnswer>, ms = 10): Provider => ({
    name: "test",
    simulated: false,
    timed: true,
    ask: (_, { clock }) =>
      new Promise((resolve) =>
        clock.after(ms, () =>
          resolve({ text: "ok", toolCalls: [], usage: { inputTokens: 10, outputTokens: 2 }, finish: "stop", ...answer }),
        ),
      ),
  });

  it("is charged in full where the other side does not say", async () => {
    const { result } = await f.finish(agents(budget({ cost: 1 })), { provider: answering({ usage: undefined }), inputs: xs(1) });
    expect(result.spend.costUsd).toBeGreaterThan(0.005);
  });

  it("is charged, told and stops admission where it is more than was reserved", async () => {
    const liar = answering({ usage: { inputTokens: 1_000_000, outputTokens: 0 } });
    const { result, events } = await f.finish(agents(budget({ cost: 0.5 }), { settle: true, item: {} }), { provider: liar, inputs: xs(1) });
    expect(result.spend.costUsd).toBe(1);
    expect(events.filter((event) => event.kind === "budget.overran")).toMatchObject([{ costUsd: 1 }]);
  });

  it.each<[number, number]>([
    [0, 0.0106],
    ...(livesOn("a late answer, which comes to the process that asked and to no other") ? [] : [[1000, 0.00004] as [number, number]]),
  ])("of an attempt that timed out is charged in full until its late answer tells (%i ms later)", async (later, costUsd) => {
    const graph = agents(budget({ cost: 1 }), { settle: true, agent: { policies: { timeout: { after: f.k(100) } } } });
    const main = graph.flows["main"] ?? f.flow("main", [], f.body([], f.k(null)));
    const wait = f.call("wait", "t", { x: f.k(later) }, { after: ["ys"] });
    const waiting = {
      ...graph,
      tools: { t: f.tool("t") },
      flows: { main: { ...main, body: f.body([...main.body.nodes, wait], f.r("ys")) } },
    };
    const { result } = await f.finish(waiting, { provider: answering({}, 500), inputs: xs(2), tools: { t: f.takes((x) => Number(x)) } });
    expect(result.value).toMatchObject({ failed: [{ error: { kind: "timeout" } }, { error: { kind: "timeout" } }] });
    expect(result.spend.costUsd).toBeCloseTo(costUsd, 3);
  });
});
