/** Who waited and who was let in before a restart does so after it: places in lines, locks, time that is used up. */
import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/runtime/events.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import type { ToolFunction } from "../../src/runtime/tool.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { durableHead } from "../support/durable-programs.js";
import { onClock } from "../support/flows.js";
import { broken } from "../support/invariants.js";

const START = Date.UTC(2026, 0, 1);
const eventsOf = (records: readonly StoreRecord[]): RunEvent[] =>
  records.flatMap((record) => (record.kind === "event" ? [record.event] : []));

/** Runs a program, cuts it off with the commit of an event, and carries it on; gives both parts, and what was called in the second. */
async function cutAt(
  source: string,
  fits: (event: RunEvent) => boolean,
  tools: Readonly<Record<string, ToolFunction>> = {},
  later: Readonly<Record<string, ToolFunction>> = tools,
) {
  const of = { source: `${durableHead}${source}\n` };
  const graph = graphOf(of);
  const first = await carry(graph, of, world(), undefined, undefined, tools);
  const at = first.batches.findIndex((batch) => eventsOf(batch).some(fits));
  if (at < 0) throw new Error("there is no such event");
  const records = first.batches.slice(0, at + 1).flat();
  const seen = world();
  const cut = eventsOf(records).at(-1)?.at ?? 0;
  const second = await carry(graph, of, seen, { run: "r1", records, seed: 5 }, undefined, later, { wall: START + cut });
  expect(broken(second.stored.events)).toEqual([]);
  return { first, second, seen, cut };
}

const ended =
  (path: string) =>
  (event: RunEvent): boolean =>
    event.kind === "call.completed" && event.path === path;

describe("a lock of the run", () => {
  // `late` stands first and asks second: it waits until all of `early` has been done.
  const source =
    'flow main() -> int {\n  let f = fork { late: late(slow(0)), early: early(odd(odd(odd(2)))) }\n  f.late + f.early\n}\nflow late(x: int) -> int { @lock("one") two(x) }\nflow early(x: int) -> int { @lock("one") two(x) }\nflow two(x: int) -> int {\n  let a = t(x)\n  let b = t(a)\n  t(b)\n}';
  const t: ToolFunction = async ({ x }, { clock }) => {
    await onClock(clock, 80);
    return x;
  };

  test("is not given to another between two calls of who had it when the process died", async () => {
    const { first, second, seen } = await cutAt(
      source,
      (event) => event.kind === "call.completed" && event.path.endsWith("early/two/t#2"),
      { t },
    );
    expect(first.result.value).toBe(4);
    const who = seen.calls.map((path) => (path.includes("late") ? "late" : "early"));
    expect(who).toEqual(["early", "late", "late", "late"]);
    expect(second.result.value).toBe(4);
  });
});

describe("a place in a line", () => {
  // One place: two that are urgent come again and again, one that is not has waited since the beginning.
  const source =
    'flow main() -> int { @parallel(1) crowd(0) }\nflow crowd(x: int) -> int {\n  let a = fold(range(40), x, (acc, n) => @priority("urgent") t(n))\n  let b = fold(range(40), x, (acc, n) => @priority("urgent") t(n))\n  let c = @priority("low") slow(x)\n  a + b + c\n}';
  const tools: Readonly<Record<string, ToolFunction>> = {
    t: async ({ x }, { clock }) => {
      await onClock(clock, 2000);
      return x;
    },
    slow: ({ x }) => x,
  };

  test("is kept across a restart: what has waited for long is served as soon as without it", async () => {
    const order = (events: readonly RunEvent[]): number =>
      events
        .filter((event) => event.kind === "call.completed" && event.of === "tool")
        .findIndex((event) => "callee" in event && event.callee === "slow");
    let n = 0;
    const { first, second } = await cutAt(source, (event) => event.kind === "call.completed" && event.of === "tool" && ++n === 30, tools);
    expect(order(first.stored.events)).toBeGreaterThan(30);
    expect(order(second.stored.events)).toBe(order(first.stored.events));
  });
});

describe("what a provider allows", () => {
  test("counts what answers used, not what they might have used", async () => {
    const source =
      'model p { provider: "sim", name: "p", tokens_per_minute: 1_500, max_output: 500, price: { input: $0.00, output: $1.00 } }\nagent Say(n: int) -> int(0..9) { model: p, repairs: 0, prompt: "{{n}}" }\nflow main() -> int {\n  let a = Say(1)\n  let b = Say(a)\n  let c = Say(b)\n  let d = Say(c)\n  Say(d)\n}';
    let n = 0;
    const { first, second } = await cutAt(source, (event) => event.kind === "model.answered" && ++n === 3);
    expect(first.result).toMatchObject({ status: "completed" });
    expect(second.result).toMatchObject({ status: "completed", elapsedMs: first.result.elapsedMs });
  });
});

describe("time", () => {
  test("of a flow under @timeout goes on running", async () => {
    const source =
      "flow main() -> int { try { @timeout(250ms) three(1) } recover err { len(err.kind) } }\nflow three(x: int) -> int {\n  let a = slow(x)\n  let b = slow(a)\n  slow(b)\n}";
    const { first, second, cut } = await cutAt(source, (event) => event.kind === "call.completed" && event.path.endsWith("three/slow#2"));
    expect([first.result.value, first.result.elapsedMs, cut]).toEqual([7, 250, 200]);
    expect([second.result.value, second.result.elapsedMs]).toEqual([7, 250]);
  });

  test("of an agent's attempt goes on running from turn to turn", async () => {
    const source =
      'agent Long(n: int) -> int(0..9) { model: m, tools: [slow], prompt: "{{n}}" }\nflow main() -> int { try { @timeout(250ms) Long(1) } recover err { len(err.kind) } }';
    const { first, second, cut } = await cutAt(source, (event) => event.kind === "call.completed" && event.callee === "slow");
    expect(cut).toBeGreaterThan(100);
    expect([first.result.value, first.result.elapsedMs]).toEqual([7, 250]);
    expect([second.result.value, second.result.elapsedMs]).toEqual([7, 250]);
  });

  test("that is used up lets nothing begin any more, and what was done counts", async () => {
    const source =
      "@budget(time: 150ms) flow main() -> int {\n  let all = @parallel(1) settle map n in range(3) { slow(n) }\n  let done = len(all.ok)\n  done\n}";
    const { first, second, seen } = await cutAt(source, (event) => event.kind === "budget.refused");
    expect([first.result.status, first.result.value]).toEqual(["completed", 1]);
    expect([second.result.status, second.result.value]).toEqual(["completed", 1]);
    expect(seen.calls).toEqual([]);
    const late =
      '@budget(time: 150ms) flow main() -> int {\n  let all = settle map n in range(2) { long(n) }\n  t(len(all.ok))\n}\ntool long(x: int) -> int = module("./tools.ts")';
    const long: ToolFunction = ({ x }, { clock, signal }) => onClock(clock, 10_000, { signal }).then(() => x);
    const after = await cutAt(late, (event) => event.kind === "call.failed", { long });
    expect(after.first.result.failure?.kind).toBe("budget_exceeded");
    expect([after.second.result.failure?.kind, after.seen.calls]).toEqual(["budget_exceeded", []]);
  });
});

describe("a result under @cache", () => {
  test("is not fresh for longer because it was used", async () => {
    const source =
      "flow main() -> int {\n  let a = @cache(150ms) t(1)\n  let x = slow(a)\n  let b = @after(x) @cache(150ms) t(1)\n  let y = slow(b)\n  let c = @after(y) @cache(150ms) t(1)\n  x + y + c\n}";
    const { first, seen } = await cutAt(source, ended("main/slow#2"));
    expect(first.stored.events.filter((event) => event.kind === "call.cached")).toMatchObject([{ path: "main/t#2" }]);
    expect(seen.calls).toEqual(["main/t#3"]);
  });
});

describe("a run that is cancelled as soon as it is carried on", () => {
  test("undoes what was done before", async () => {
    const of = { source: `${durableHead}flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let b = slow(a)\n  slow(b)\n}\n` };
    const graph = graphOf(of);
    const first = await carry(graph, of, world());
    const at = first.batches.findIndex((batch) => eventsOf(batch).some(ended("main/slow")));
    const records = first.batches.slice(0, at + 1).flat();
    const seen = world();
    const second = await carry(graph, of, seen, { run: "r1", records, seed: 5 }, undefined, {}, { onStart: (handle) => handle.cancel() });
    expect(second.result.status).toBe("cancelled");
    expect(seen.calls).toEqual(["main/put/undo"]);
    expect(broken(second.stored.events)).toEqual([]);
  });
});

describe("time that was used", () => {
  const finished = (policy: string, inner = '@lock("a") map k in range(1) { slow(k) }'): string =>
    `flow main() -> int {\n  let all = ${policy} map n in range(2) { ${inner} }\n  let d = slow(len(all))\n  let e = slow(d)\n  slow(e)\n}`;

  test.each(["@timeout(250ms)", "@budget(time: 250ms)", "@budget(time: 350ms)"])(
    "by a region that ended in time is what it used until then: %s",
    async (policy) => {
      const { first, second, seen } = await cutAt(finished(policy), ended("main/slow#2"));
      expect(first.result.status).toBe("completed");
      expect(second.result).toMatchObject({ status: "completed", value: first.result.value });
      expect(seen.calls).toHaveLength(1);
      expect(second.stored.events.filter(({ kind }) => kind === "budget.refused")).toEqual([]);
    },
  );

  test("by a flow whose time was over, and whose failure was that of the run, it has again when the run is tried again", async () => {
    const source =
      "flow main() -> int { @timeout(250ms) three(1) }\nflow three(x: int) -> int {\n  let a = slow(x)\n  let b = slow(a)\n  slow(b)\n}";
    const { first, second, seen } = await cutAt(source, ({ kind }) => kind === "run.failed");
    expect(first.result.failure?.kind).toBe("timeout");
    expect(second.result.status).toBe("completed");
    expect(seen.calls).toHaveLength(1);
  });

  test("by a flow whose time was over, and whose failure was recovered from, stays used", async () => {
    const source =
      'flow main() -> int {\n  let a = try @timeout(250ms) three(1) recover err { if err.kind == "timeout" { 7 } else { 8 } }\n  slow(a)\n}\nflow three(x: int) -> int {\n  let a = slow(x)\n  let b = slow(a)\n  slow(b)\n}';
    const { first, second, seen } = await cutAt(source, ({ kind }) => kind === "call.failed");
    expect(first.result.status).toBe("completed");
    expect(second.result).toMatchObject({ status: "completed", value: first.result.value });
    expect(seen.calls.length).toBeLessThanOrEqual(1);
  });
});
