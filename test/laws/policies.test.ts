/** What each policy promises, over random failures, latencies and arrivals, in virtual time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeIR, Policies } from "../../src/plan/ir.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { type CallFailure, type FailureKind, failure, failureKinds, transientKinds } from "../../src/runtime/failure.js";
import type { Provider } from "../../src/runtime/provider.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { cases, livesOn } from "../support/always-replay.js";
import * as f from "../support/flows.js";

const runs = Number(process.env["LAW_RUNS"] ?? cases(100));
const holds = <T extends [unknown, ...unknown[]]>(property: fc.IAsyncProperty<T>): Promise<void> => fc.assert(property, { numRuns: runs });

const ms = fc.integer({ min: 1, max: 5000 });
/** What one attempt does: it takes a while, then fails or answers. */
interface Doing {
  readonly takes: number;
  readonly fails: FailureKind | undefined;
  readonly retryAfter: number | undefined;
}
const failing = fc.constantFrom<FailureKind>("timeout", "rate_limit", "overloaded", "unavailable", "tool_error", "auth", "assertion");
const doing: fc.Arbitrary<Doing> = fc.record({
  takes: fc.integer({ min: 0, max: 300 }),
  fails: fc.option(failing, { nil: undefined, freq: 3 }),
  retryAfter: fc.option(ms, { nil: undefined, freq: 2 }),
});

const failureOf = (kind: FailureKind, retryAfterMs?: number): CallFailure =>
  failure(kind, `made to fail: ${kind}`, retryAfterMs === undefined ? {} : { retryAfterMs });

/** Does what the list says, an entry for each call of it, and notes when. */
function scripted(list: readonly Doing[], log: { readonly from: number; to: number; readonly did: Doing }[] = []): ToolFunction {
  let n = 0;
  return async (_, context) => {
    const did = list[n++] ?? { takes: 0, fails: undefined, retryAfter: undefined };
    const entry = { from: context.clock.now(), to: Number.POSITIVE_INFINITY, did };
    log.push(entry);
    if (did.takes > 0) await f.onClock(context.clock, did.takes, context);
    entry.to = context.clock.now();
    if (did.fails !== undefined) throw failureOf(did.fails, did.retryAfter);
    return "done";
  };
}

const called = (policies: Policies, around: Policies = {}, others: readonly string[] = []) =>
  f.graph({
    tools: [f.tool("t", { policies }), ...others.map((id) => f.tool(id))],
    flows: [f.flow("main", [], f.body([f.call("c", "t", { x: f.k("x") })], f.r("c")), { policies: around })],
  });

/** Calls of `t` that come in after waits of their own, all on their own way. */
const arriving = (policies: Policies, at: readonly number[], more: (i: number) => Policies = () => ({})) => {
  const nodes: NodeIR[] = at.flatMap((_, i) => [
    f.call(`w${i}`, "wait", { x: f.k(i) }),
    f.map(
      `s${i}`,
      f.listOf(f.r(`w${i}`)),
      `x${i}`,
      f.body([f.call(`c${i}`, "t", { x: f.r(`x${i}`) }, { policies: more(i) })], f.r(`c${i}`)),
      {
        settle: true,
        deps: [`w${i}`],
      },
    ),
  ]);
  return {
    graph: f.graph({
      tools: [f.tool("t", { policies }), f.tool("wait")],
      flows: [f.flow("main", [], f.body(nodes, f.listOf(...at.map((_, i) => f.fieldOf(f.r(`s${i}`), "outcomes")))))],
    }),
    wait: f.takes((x) => at[Number(x)] ?? 0),
  };
};

const retries = (times: number, backoff: number, factor: number, max: number, jitter: boolean): Policies => ({
  retry: { times: f.k(times), backoff: f.k(backoff), factor: f.k(factor), max: f.k(max), jitter: f.k(jitter) },
});
const count = (events: readonly RunEvent[], kind: RunEvent["kind"]): number => events.filter((event) => event.kind === kind).length;

describe("@retry", () => {
  it("makes at most its attempts, repeats only what may pass, and never asks before the other side said", async () => {
    await holds(
      fc.asyncProperty(
        fc.array(doing, { minLength: 1, maxLength: 8 }),
        fc.nat(5),
        ms,
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (list, times, backoff, factor, jitter) => {
          const max = 8000;
          const log: { from: number; to: number; did: Doing }[] = [];
          const { result, events } = await f.finish(called(retries(times, backoff, factor, max, jitter)), {
            tools: { t: scripted(list, log) },
          });
          // The first that ends it: a success, a failure that does not pass, or the last attempt.
          const padded = [...list, ...Array<Doing>(times + 1).fill({ takes: 0, fails: undefined, retryAfter: undefined })];
          const end = padded.findIndex((did, i) => did.fails === undefined || !transientKinds.has(did.fails) || i === times);
          expect(log).toHaveLength(end + 1);
          expect(result.failure?.kind).toBe(padded[end]?.fails);
          expect(count(events, "call.retried")).toBe(end);
          for (const [i, entry] of log.slice(1).entries()) {
            const before = log[i];
            const waited = entry.from - (before?.to ?? 0);
            const grown = Math.min(max, backoff * factor ** i);
            const asked = before?.did.retryAfter;
            expect(waited).toBeGreaterThanOrEqual((asked ?? (jitter ? grown / 2 : grown)) - 1e-6);
            expect(waited).toBeLessThanOrEqual((asked === undefined ? grown : asked + (jitter ? grown : 0)) + 1e-6);
          }
        },
      ),
    );
  });

  it("sends no herd when an outage ends: callers that were refused together come back apart", async () => {
    await holds(
      fc.asyncProperty(
        fc.integer({ min: 10, max: 40 }),
        fc.integer({ min: 500, max: 5000 }),
        fc.nat(1e6),
        async (callers, outage, seed) => {
          const at: number[] = [];
          const t: ToolFunction = (_, { clock, attempt }) => {
            if (attempt === 1) throw failureOf("rate_limit", outage);
            at.push(clock.now());
            return 1;
          };
          const { graph, wait } = arriving(retries(1, 1000, 2, 60_000, true), Array<number>(callers).fill(0));
          await f.finish(graph, { tools: { t, wait }, options: { seed } });
          expect(Math.min(...at)).toBeGreaterThanOrEqual(outage);
          // No tenth of the spread sees most of them.
          for (const time of at) expect(at.filter((other) => other >= time && other < time + 100).length).toBeLessThan(callers * 0.7);
        },
      ),
    );
  });

  it("gives way to a deadline around it, in an attempt and during a backoff", async () => {
    await holds(
      fc.asyncProperty(fc.array(doing, { minLength: 1, maxLength: 6 }), ms, ms, async (list, backoff, within) => {
        const free = await f.finish(called(retries(5, backoff, 2, 60_000, true)), { tools: { t: scripted(list) } });
        const log: { from: number; to: number; did: Doing }[] = [];
        const { result } = await f.finish(called(retries(5, backoff, 2, 60_000, true), { timeout: { after: f.k(within) } }), {
          tools: { t: scripted(list, log) },
        });
        expect(result.elapsedMs).toBe(Math.min(free.result.elapsedMs, within));
        if (free.result.elapsedMs < within) expect(result.status).toBe(free.result.status);
        if (free.result.elapsedMs > within) expect(result.failure).toMatchObject({ kind: "timeout" });
        for (const entry of log) expect(entry.from).toBeLessThanOrEqual(within);
      }),
    );
  });
});

describe("@timeout", () => {
  it("gives each attempt its time and no more, whether a tool heeds its signal or not", async () => {
    await holds(
      fc.asyncProperty(fc.array(fc.tuple(ms, fc.boolean()), { minLength: 1, maxLength: 5 }), ms, fc.nat(4), async (list, after, times) => {
        fc.pre(list.every(([takes]) => takes !== after));
        let n = 0;
        const t: ToolFunction = async (_, context) => {
          const [takes, heeds] = list[n++] ?? [0, true];
          await f.onClock(context.clock, takes, heeds ? context : undefined);
          return n;
        };
        const { result } = await f.finish(called({ ...retries(times, 10, 1, 10, false), timeout: { after: f.k(after) } }), {
          tools: { t },
        });
        const attempts = [...list, ...Array<[number, boolean]>(times + 1).fill([0, true])].slice(0, times + 1);
        const good = attempts.findIndex(([takes]) => takes < after);
        const used = good === -1 ? times : good;
        expect(result.failure?.kind).toBe(good === -1 ? "timeout" : undefined);
        expect(result.elapsedMs).toBe(used * (after + 10) + (good === -1 ? after : (attempts[good]?.[0] ?? 0)));
      }),
    );
  });
});

describe("@fallback", () => {
  it("answers with the first that does, in order, each asked once, and never after what ends a call for good", async () => {
    const kinds = fc.constantFrom<FailureKind>("timeout", "tool_error", "auth", "invalid_output", "denied", "budget_exceeded");
    await holds(
      fc.asyncProperty(fc.array(fc.option(kinds, { nil: undefined, freq: 4 }), { minLength: 2, maxLength: 5 }), async (outcomes) => {
        const names = outcomes.map((_, i) => (i === 0 ? "t" : `t${i}`));
        const asked: string[] = [];
        const tools = Object.fromEntries(
          outcomes.map((kind, i): [string, ToolFunction] => [
            names[i] ?? "",
            () => {
              asked.push(names[i] ?? "");
              if (kind !== undefined) throw failureOf(kind);
              return i;
            },
          ]),
        );
        const chain = names.slice(1).map((id) => ({ kind: "tool" as const, id }));
        const { result, events } = await f.finish(called({ fallback: chain }, {}, names.slice(1)), { tools });
        const end = outcomes.findIndex(
          (kind, i) => kind === undefined || kind === "denied" || kind === "budget_exceeded" || i === outcomes.length - 1,
        );
        expect(asked).toEqual(names.slice(0, end + 1));
        expect(result.value).toBe(outcomes[end] === undefined ? end : null);
        expect(result.failure?.kind).toBe(outcomes[end]);
        expect(count(events, "call.fell_back")).toBe(end);
      }),
    );
  });
});

describe("@breaker", () => {
  const cooldown = 3000;
  const window = 2000;

  it.skipIf(livesOn("the order of what is told and of what a tool sees, which only who listens in the process has"))(
    "calls nothing while it is open, sends exactly one probe after its cooldown, and opens only at its threshold",
    async () => {
      await holds(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 40 }),
          fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 0, max: 400 }),
          async (at, up, threshold, takes) => {
            type Entry = { readonly kind: string; readonly at: number };
            const log: Entry[] = [];
            const t: ToolFunction = async (_, { clock }) => {
              const works = up[Math.floor(clock.now() / 500)] ?? true;
              log.push({ kind: "asked", at: clock.now() });
              if (takes > 0) await f.onClock(clock, takes);
              log.push({ kind: works ? "answered" : "failed", at: clock.now() });
              if (!works) throw failureOf("unavailable");
              return 1;
            };
            const { graph, wait } = arriving({ breaker: { failures: f.k(threshold), window: f.k(window), cooldown: f.k(cooldown) } }, at);
            const onEvent = ({ kind, at }: RunEvent): void => {
              if (kind.startsWith("breaker.")) log.push({ kind, at });
            };
            const { result } = await f.finish(graph, { tools: { t, wait }, options: { onEvent } });
            expect(result.status).toBe("completed");
            let state: "closed" | "open" | "probing" = "closed";
            let until = 0;
            let failures: number[] = [];
            for (const entry of log) {
              if (entry.kind === "failed") failures.push(entry.at);
              // An answer says that all is well, unless it was asked for before the breaker opened.
              if (entry.kind === "answered" && state === "closed") failures = [];
              if (entry.kind === "asked") {
                expect(state).not.toBe("open");
                // The probe is one call; whatever else comes meanwhile is turned away.
                if (state === "probing") expect(entry.at).toBe(until);
              }
              if (entry.kind === "breaker.probed") {
                expect([state, entry.at >= until]).toEqual(["open", true]);
                [state, until] = ["probing", entry.at];
              }
              if (entry.kind === "breaker.opened") {
                if (state === "closed")
                  expect(failures.filter((time) => time > entry.at - window).length).toBeGreaterThanOrEqual(threshold);
                [state, until] = ["open", entry.at + cooldown];
              }
              if (entry.kind === "breaker.closed") {
                expect(state).toBe("probing");
                [state, failures] = ["closed", []];
              }
            }
            const probes = log.filter((entry) => entry.kind === "breaker.probed").length;
            const ended = log.filter((entry, i) => entry.kind === "breaker.closed" || (entry.kind === "breaker.opened" && i > 0)).length;
            expect(probes).toBeLessThanOrEqual(ended);
          },
        ),
      );
    },
  );

  it("lets nothing through to what is down but the probes", async () => {
    await holds(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 5, maxLength: 40 }), async (at) => {
        const asked: number[] = [];
        const t: ToolFunction = (_, { clock }) => {
          asked.push(clock.now());
          throw failureOf("overloaded");
        };
        const { graph, wait } = arriving({ breaker: { failures: f.k(2), window: f.k(60_000), cooldown: f.k(cooldown) } }, at);
        const { events } = await f.finish(graph, { tools: { t, wait } });
        expect(asked).toHaveLength(Math.min(at.length, 2 + count(events, "breaker.probed")));
        for (const [i, time] of asked.entries()) if (i >= 2) expect(time - (asked[i - 1] ?? 0)).toBeGreaterThanOrEqual(cooldown);
      }),
    );
  });
});

describe("@hedge", () => {
  it("takes the first answer of at most two attempts, and starts the second only when the first is slow", async () => {
    await holds(
      fc.asyncProperty(doing, doing, ms, async (first, second, after) => {
        const log: { from: number; to: number; did: Doing }[] = [];
        fc.pre(first.takes !== after && first.takes !== after + second.takes);
        const { result, events } = await f.finish(called({ hedge: { after: f.k(after) } }), {
          tools: { t: scripted([first, second], log) },
        });
        const hedged = first.takes > after;
        expect(log.map((entry) => entry.from)).toEqual(hedged ? [0, after] : [0]);
        expect(count(events, "call.hedged")).toBe(hedged ? 1 : 0);
        const answers = [first, ...(hedged ? [{ ...second, takes: after + second.takes }] : [])];
        const good = answers.filter((did) => did.fails === undefined).map((did) => did.takes);
        expect(result.status).toBe(good.length > 0 ? "completed" : "failed");
        if (good.length > 0) expect(result.elapsedMs).toBe(Math.min(...good));
      }),
    );
  });
});

describe("@rate", () => {
  it("is never exceeded in any window, makes nobody wait without need, and forgets nobody", async () => {
    await holds(
      fc.asyncProperty(fc.array(fc.nat(5000), { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 8 }), async (at, perSecond) => {
        const started: number[] = [];
        const t: ToolFunction = (_, { clock }) => {
          started.push(clock.now());
          return 1;
        };
        const { graph, wait } = arriving({ rate: { perSecond } }, at);
        await f.finish(graph, { tools: { t, wait } });
        expect(started).toHaveLength(at.length);
        const arrivals = [...at].sort((a, b) => a - b);
        for (const [i, time] of started.entries()) {
          expect(started.filter((other) => other >= time && other < time + 1000).length).toBeLessThanOrEqual(perSecond);
          // As soon as it came and the window has room: nobody is served later than a full bucket makes him.
          expect(time).toBe(Math.max(arrivals[i] ?? 0, i < perSecond ? 0 : (started[i - perSecond] ?? 0) + 1000));
        }
      }),
    );
  });
});

describe("@priority", () => {
  it("is served first where a limit is full, and whoever has waited long enough overtakes it: nobody starves", async () => {
    const priorities = ["low", "normal", "high", "urgent"] as const;
    const ageing = 30_000;
    const wish = fc.record({ at: fc.nat(60_000), priority: fc.nat(3) });
    await holds(
      fc.asyncProperty(
        fc.uniqueArray(wish, { selector: ({ at }) => at, minLength: 2, maxLength: 25 }),
        fc.integer({ min: 1000, max: 20_000 }),
        async (wanted, whole) => {
          // No arrival falls on the end of a request.
          const takes = whole + 0.37;
          const order: number[] = [];
          const provider = answering(async ({ messages }, clock) => {
            order.push(Number(/\d+/.exec(messages[0]?.text ?? "")?.[0]));
            await f.onClock(clock, takes);
          });
          const nodes = wanted.flatMap(({ priority }, i) => [
            f.call(`w${i}`, "wait", { x: f.k(i) }),
            f.call(
              `c${i}`,
              "A",
              { x: f.r(`w${i}`) },
              { kind: "agent", deps: [`w${i}`], policies: { priority: priorities[priority] ?? "normal" } },
            ),
          ]);
          const graph = f.graph({
            tools: [f.tool("wait")],
            agents: [f.agent("A")],
            models: [f.model("m", { maxConcurrent: 1 })],
            flows: [f.flow("main", [], f.body(nodes, f.listOf(...wanted.map((_, i) => f.r(`c${i}`)))))],
          });
          const { result } = await f.finish(graph, { provider, tools: { wait: f.takes((x) => wanted[Number(x)]?.at ?? 0) } });
          expect(result.status).toBe("completed");
          expect(order).toEqual(served(wanted, takes));
        },
      ),
    );

    /** One at a time; whoever is there and has the best claim goes next. */
    function served(wanted: readonly { at: number; priority: number }[], takes: number): number[] {
      const left = new Set(wanted.keys());
      const order: number[] = [];
      const at = (i: number): number => wanted[i]?.at ?? 0;
      const claim = (i: number): number => at(i) - (wanted[i]?.priority ?? 0) * ageing;
      for (let now = 0; left.size > 0; now += takes) {
        now = Math.max(now, Math.min(...[...left].map(at)));
        const [next = 0] = [...left].filter((i) => at(i) <= now).sort((a, b) => claim(a) - claim(b));
        order.push(next);
        left.delete(next);
      }
      return order;
    }
  });
});

describe("@lock", () => {
  it("lets one in at a time for each name, in the order of asking, whatever holders do; it is never lost", async () => {
    const asked = fc.record({ at: fc.nat(2000), name: fc.nat(2), does: doing });
    await holds(
      fc.asyncProperty(fc.uniqueArray(asked, { selector: ({ at }) => at, minLength: 1, maxLength: 20 }), async (wanted) => {
        const held: { name: number; at: number; from: number; to: number }[] = [];
        const t: ToolFunction = async ({ x }, { clock, signal }) => {
          const mine = wanted[Number(x)];
          const entry = { name: mine?.name ?? 0, at: mine?.at ?? 0, from: clock.now(), to: Number.POSITIVE_INFINITY };
          held.push(entry);
          try {
            await f.onClock(clock, mine?.does.takes ?? 0, { signal });
          } finally {
            entry.to = clock.now();
          }
          if (mine?.does.fails !== undefined) throw failureOf(mine.does.fails);
          return x;
        };
        const { graph, wait } = arriving(
          {},
          wanted.map(({ at }) => at),
          (i) => ({
            lock: { name: f.k(`lock ${wanted[i]?.name}`), scope: "run" },
            timeout: { after: f.k(250) },
          }),
        );
        const { result } = await f.finish(graph, {
          tools: { t, wait: (args, context) => Promise.resolve(wait(args, context)).then(() => args["x"]) },
        });
        expect(result.status).toBe("completed");
        expect(held).toHaveLength(wanted.length);
        for (const name of [0, 1, 2]) {
          const mine = held.filter((entry) => entry.name === name);
          expect(mine.map((entry) => entry.at)).toEqual(mine.map((entry) => entry.at).sort((a, b) => a - b));
          for (const [i, entry] of mine.entries()) {
            // As soon as it asked and the one before had gone, within the timeout of that.
            const before = mine[i - 1];
            expect(entry.from).toBe(Math.max(entry.at, before === undefined ? 0 : before.to));
          }
        }
      }),
    );
  });
});

describe("@cache", () => {
  it("calls once for equal inputs within its time, at the same time or later, and keeps no failure", async () => {
    const ttl = 2000;
    const asked = fc.record({ at: fc.nat(6000), input: fc.nat(2), fails: fc.boolean() });
    await holds(
      fc.asyncProperty(
        fc.uniqueArray(asked, { selector: ({ at }) => at, minLength: 1, maxLength: 20 }),
        fc.nat(300),
        async (wanted, takes) => {
          const made: { input: unknown; at: number; end: number; ok: boolean }[] = [];
          const order = [...wanted].sort((a, b) => a.at - b.at);
          let n = 0;
          const t: ToolFunction = async ({ x }, { clock }) => {
            const entry = { input: x, at: clock.now(), end: 0, ok: order[n++]?.fails !== true };
            made.push(entry);
            if (takes > 0) await f.onClock(clock, takes);
            entry.end = clock.now();
            if (!entry.ok) throw failureOf("tool_error");
            return `${String(x)}@${entry.at}`;
          };
          const { graph, wait } = arriving(
            { cache: { ttl: f.k(ttl) } },
            wanted.map(({ at }) => at),
          );
          const { result } = await f.finish(graph, {
            tools: { t, wait: (args, context) => Promise.resolve(wait(args, context)).then(() => wanted[Number(args["x"])]?.input) },
          });
          const outcomes = (result.value as { ok: boolean; value: string }[][]).map(([outcome]) => outcome);
          for (const [i, outcome] of outcomes.entries()) {
            if (outcome?.ok !== true) continue;
            const [input, at] = outcome.value.split("@").map(Number);
            const { at: came = 0, input: own } = wanted[i] ?? {};
            expect(input).toBe(own);
            const source = made.find((entry) => entry.input === own && entry.at === at);
            expect(source?.ok).toBe(true);
            expect(came - (source?.end ?? 0)).toBeLessThanOrEqual(ttl);
          }
          // Nobody calls while the same is being called or is known.
          for (const [i, entry] of made.entries())
            for (const before of made.slice(0, i))
              if (before.input === entry.input) expect(entry.at).toBeGreaterThanOrEqual(before.ok ? before.end + ttl : before.end);
        },
      ),
    );
  });
});

describe("groups of models", () => {
  const asking = (group: object, n: number, up: readonly (FailureKind | undefined)[]) => {
    const ids = up.map((_, i) => `m${i}`);
    const seen: string[] = [];
    const provider = answering(async ({ model }, clock) => {
      seen.push(model.id);
      await f.onClock(clock, 10);
      const kind = up[ids.indexOf(model.id)];
      if (kind !== undefined) throw failureOf(kind);
    });
    const item = f.body([f.call("c", "A", { x: f.r("x") }, { kind: "agent" })], f.r("c"));
    const graph = f.graph({
      models: [...ids.map((id) => f.model(id)), f.model("g", group)],
      agents: [f.agent("A", { model: "g" })],
      flows: [f.flow("main", [], f.body([f.map("ys", f.fn("range", f.k(n)), "x", item, { settle: true })], f.fieldOf(f.r("ys"), "rate")))],
    });
    return { ids, seen, ended: f.finish(graph, { provider }) };
  };
  const elsewhere = new Set<FailureKind | undefined>(["overloaded", "unavailable", "rate_limit", "refused"]);

  it("that fall back ask the next one on overload, outage or refusal, and no other", async () => {
    const kinds = fc.constantFrom<FailureKind>("overloaded", "unavailable", "rate_limit", "refused", "auth", "context_too_long");
    await holds(
      fc.asyncProperty(fc.array(fc.option(kinds, { nil: undefined, freq: 4 }), { minLength: 1, maxLength: 5 }), async (up) => {
        const { ids, seen, ended } = asking({ fallback: up.map((_, i) => `m${i}`) }, 1, up);
        const { result } = await ended;
        const end = up.findIndex((kind, i) => !elsewhere.has(kind) || i === up.length - 1);
        expect(seen).toEqual(ids.slice(0, end + 1));
        expect(result.value).toBe(up[end] === undefined ? 1 : 0);
      }),
    );
  });

  it("that balance leave no member with more than its share", async () => {
    await holds(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30 }), async (members, calls) => {
        const { ids, seen, ended } = asking(
          { balance: Array.from({ length: members }, (_, i) => `m${i}`) },
          calls,
          Array(members).fill(undefined),
        );
        expect((await ended).result.value).toBe(1);
        for (const id of ids) expect(seen.filter((each) => each === id).length).toBeLessThanOrEqual(Math.ceil(calls / members) + 1);
      }),
    );
  });
});

describe("policies together", () => {
  it("nest in one order, whatever the order they are written in, and idle ones change nothing", async () => {
    const all: Policies = {
      cache: { ttl: f.k(60_000) },
      lock: { name: f.k("l"), scope: "run" },
      fallback: [{ kind: "tool", id: "other" }],
      ...retries(2, 100, 2, 1000, false),
      breaker: { failures: f.k(3), window: f.k(60_000), cooldown: f.k(30_000) },
      rate: { perSecond: 5 },
      timeout: { after: f.k(200) },
    };
    const told = async (policies: Policies, list: readonly Doing[]) => {
      const graph = f.graph({
        tools: [f.tool("t", { policies }), f.tool("other")],
        flows: [
          f.flow(
            "main",
            [],
            f.body([f.map("ys", f.k([1, 2, 1]), "x", f.body([f.call("c", "t", { x: f.r("x") })], f.r("c")), { settle: true })], f.r("ys")),
          ),
        ],
      });
      const { events, result } = await f.finish(graph, { tools: { t: scripted(list), other: () => "other" } });
      return { value: result.value, events: events.map((event) => `${event.at} ${event.kind} ${"path" in event ? event.path : ""}`) };
    };
    const keys = Object.keys(all) as (keyof Policies)[];
    await holds(
      fc.asyncProperty(fc.shuffledSubarray(keys, { minLength: keys.length }), fc.array(doing, { maxLength: 12 }), async (order, list) => {
        const shuffled = Object.fromEntries(order.map((key) => [key, all[key]])) as Policies;
        expect(await told(shuffled, list)).toEqual(await told(all, list));
      }),
    );
    await holds(
      fc.asyncProperty(fc.subarray(keys), async (some) => {
        const idle = Object.fromEntries(some.filter((key) => key !== "cache").map((key) => [key, all[key]])) as Policies;
        expect((await told(idle, [])).value).toEqual((await told({}, [])).value);
      }),
    );
  });

  it("keep failures apart: who does not need what failed is neither failed nor kept waiting by it", async () => {
    await holds(
      fc.asyncProperty(fc.array(doing, { minLength: 2, maxLength: 12 }), fc.nat(3), async (list, times) => {
        const at: number[] = [];
        const t: ToolFunction = async ({ x }, context) => {
          const did = list[Number(x)];
          await f.onClock(context.clock, did?.takes ?? 0, context);
          at[Number(x)] = context.clock.now();
          if (did?.fails !== undefined) throw failureOf(did.fails, did.retryAfter);
          return x;
        };
        const { graph } = arriving(retries(times, 10_000, 2, 60_000, true), Array<number>(list.length).fill(0));
        const { result } = await f.finish(graph, { tools: { t, wait: ({ x }) => x } });
        const outcomes = (result.value as { ok: boolean; value: unknown; error: { kind: string } }[][]).map(([outcome]) => outcome);
        for (const [i, did] of list.entries()) {
          expect(outcomes[i]?.ok).toBe(did.fails === undefined);
          if (did.fails === undefined) expect([outcomes[i]?.value, at[i]]).toEqual([i, did.takes]);
          else expect(outcomes[i]?.error.kind).toBe(did.fails);
        }
      }),
    );
  });
});

describe("every kind of failure", () => {
  /** Where a failing call may stand. */
  type Around = "map" | "settle" | "try" | "flow" | "retry";
  const around = fc.array(fc.constantFrom<Around>("map", "settle", "try", "flow", "retry"), { maxLength: 4 });

  it("keeps its kind and its message on its way out, and is seen by `recover`; a tool that says it was cancelled has failed", async () => {
    await holds(
      fc.asyncProperty(fc.constantFrom(...failureKinds), around, async (kind, way) => {
        let n = 0;
        let inner: NodeIR = f.call("c", "t", { x: f.k(1) });
        // What a settled map or a `recover` has seen is a value from there on.
        let seen = false;
        for (const each of way) {
          const id = `n${n++}`;
          const body = f.body([inner], f.r(inner.id));
          if (each === "map") inner = f.map(id, f.k([0]), `${id}x`, body);
          else if (each === "settle") {
            inner = f.map(id, f.k([0]), `${id}x`, body, { settle: true });
            seen = true;
          } else if (each === "try") {
            const caught = f.body([], f.recordOf({ kind: f.fieldOf(f.r(`${id}e`), "kind"), message: f.fieldOf(f.r(`${id}e`), "message") }));
            inner = { ...f.base(id), kind: "try", body, error: `${id}e`, partial: false, recover: caught };
            seen = true;
          } else if (each === "flow") inner = { ...f.base(id), kind: "scope", body };
          else inner = { ...f.base(id, { policies: retries(1, 10, 1, 10, false) }), kind: "scope", body };
        }
        const graph = f.graph({ tools: [f.tool("t")], flows: [f.flow("main", [], f.body([inner], f.r(inner.id)))] });
        const t: ToolFunction = () => {
          throw Object.assign(new Error("as told"), { kind });
        };
        const { result } = await f.finish(graph, { tools: { t } });
        const told = kind === "cancelled" ? "tool_error" : kind;
        expect(result.status).toBe(seen ? "completed" : "failed");
        if (seen) expect(JSON.stringify(result.value)).toMatch(new RegExp(`"kind":"${told}".*as told`));
        else expect(result.failure).toMatchObject({ kind: told, message: expect.stringContaining("as told") });
      }),
    );
  });
});

/** A provider that does what it is told to, then answers "x". */
function answering(
  does: (request: Parameters<Provider["ask"]>[0], clock: Parameters<Provider["ask"]>[1]["clock"]) => Promise<void>,
): Provider {
  return {
    name: "test",
    simulated: false,
    timed: false,
    ask: async (request, { clock }) => {
      await does(request, clock);
      return { text: "x", toolCalls: [], usage: { inputTokens: 1, outputTokens: 1 }, finish: "stop" };
    },
  };
}
