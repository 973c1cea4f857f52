/** What a resumed run still knows besides its results: waits, breakers, rates, answers, cancelling, what is in doubt. */
import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/runtime/events.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import { carry, graphOf, type Otherwise, world } from "../support/crashing.js";
import { type DurableProgram, durableHead } from "../support/durable-programs.js";
import { onClock } from "../support/flows.js";
import { broken } from "../support/invariants.js";

const START = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const program = (source: string, more: Omit<DurableProgram, "source"> = {}): DurableProgram => ({
  source: `${durableHead}${source}\n`,
  ...more,
});
const eventsOf = (records: readonly StoreRecord[]): RunEvent[] => records.flatMap((r) => (r.kind === "event" ? [r.event] : []));

/** The records of a run up to the commit that holds an event. */
function upTo(batches: readonly (readonly StoreRecord[])[], fits: (event: RunEvent) => boolean): readonly StoreRecord[] {
  const at = batches.findIndex((batch) => eventsOf(batch).some(fits));
  if (at < 0) throw new Error("there is no such event");
  return batches.slice(0, at + 1).flat();
}

/** Runs a program, cuts it off after an event, and carries it on after some time. */
async function cutAt(
  source: string | DurableProgram,
  fits: (event: RunEvent) => boolean,
  otherwise: Otherwise = {},
  replaced: Parameters<typeof carry>[5] = {},
) {
  const of = typeof source === "string" ? program(source) : source;
  const graph = graphOf(of);
  const first = await carry(graph, of, world(), undefined, undefined, replaced);
  const records = upTo(first.batches, fits);
  const seen = world();
  const second = await carry(graph, of, seen, { run: "r1", records, seed: 5 }, undefined, replaced, otherwise);
  expect(broken(second.stored.events)).toEqual([]);
  return { first, second, seen, records, cut: eventsOf(records).at(-1)?.at ?? 0 };
}

describe("a wait before the next attempt", () => {
  const busy = (): never => {
    throw Object.assign(new Error("busy"), { kind: "rate_limit", committed: "no", retryAfterMs: 60_000 });
  };
  // The commit after the first failure is the one of the call beside it, which ends while the other waits.
  const source = "flow main() -> int {\n  let a = fork { x: @retry(1, backoff: 1s, jitter: false) flaky(1), y: slow(2) }\n  a.x + a.y\n}";
  const flaky = { flaky: (_: unknown, { attempt }: { attempt: number }) => (attempt < 2 ? busy() : 1) };

  test("goes on where it stood: what the other side asked for is kept across a restart", async () => {
    const { second, cut } = await cutAt(source, (e) => e.kind === "call.completed" && e.callee === "slow", { wall: START + 20_000 }, flaky);
    const again = second.stored.events.find((e) => e.kind === "call.retried" || (e.kind === "call.attempted" && e.attempt === 2));
    const done = second.stored.events.find((e) => e.kind === "call.completed" && e.callee === "flaky");
    expect(again ?? done).toBeDefined();
    // 20 s of the minute passed while nothing ran.
    expect(done?.at).toBe(cut + 40_000);
    expect(second.result).toMatchObject({ status: "completed", value: 5 });
  });

  test("is no longer than it was when the clock was set back meanwhile", async () => {
    const { second, cut } = await cutAt(
      source,
      (e) => e.kind === "call.completed" && e.callee === "slow",
      { wall: START - 5 * HOUR },
      flaky,
    );
    expect(second.stored.events.find((e) => e.kind === "call.completed" && e.callee === "flaky")?.at).toBe(cut + 60_000);
  });

  test("is over when its time passed while nothing ran", async () => {
    const { second, cut } = await cutAt(source, (e) => e.kind === "call.completed" && e.callee === "slow", { wall: START + HOUR }, flaky);
    expect(second.stored.events.find((e) => e.kind === "call.completed" && e.callee === "flaky")?.at).toBe(cut);
  });
});

describe("a breaker", () => {
  const source =
    "flow main() -> int {\n  let s = @parallel(1) settle map x in [1, 3, 5] { @breaker(failures: 2, window: 1m, cooldown: 30s) odd(x) }\n  let b = slow(len(s.failed))\n  let c = @parallel(1) settle map x in [b - 3, 4] { @breaker(failures: 2, window: 1m, cooldown: 30s) odd(x) }\n  b + len(c.ok)\n}";
  const odd: Parameters<typeof carry>[5] = {
    odd: ({ x }) => {
      if (Number(x) % 2 === 1) throw Object.assign(new Error("odd"), { kind: "tool_error", committed: "no" });
      return x;
    },
  };
  const opened = (e: RunEvent): boolean => e.kind === "call.completed" && e.callee === "slow";

  test("that was open is open after a restart, for the rest of its time", async () => {
    const { second, seen } = await cutAt(source, opened, { wall: START + 5000 }, odd);
    expect(seen.calls.filter((path) => path.endsWith("odd"))).toEqual([]);
    expect(second.result.value).toBe(5);
  });

  test("lets one call probe when its time is over", async () => {
    const { second, seen } = await cutAt(source, opened, { wall: START + 31_000 }, odd);
    expect(second.stored.events.filter((e) => e.kind === "breaker.probed")).toHaveLength(1);
    expect(seen.calls.filter((path) => path.endsWith("odd"))).toHaveLength(2);
    expect(second.result.value).toBe(7);
  });

  test("is open for no longer than it was to be when the clock was set back", async () => {
    const { second } = await cutAt(
      `${source.replace("slow(len(s.failed))", "slow(len(s.failed))\n  let w = slow(b)").replace("b - 3, 4", "w - 5, 4")}`,
      opened,
      { wall: START - 24 * HOUR },
      odd,
    );
    expect(second.result.status).toBe("completed");
  });

  test("counts failures across a restart, and a success clears them", async () => {
    const counted =
      "flow main() -> int {\n  let s = @parallel(1) settle map x in [1, 3] { @breaker(failures: 3, window: 1h, cooldown: 1h) odd(x) }\n  let b = slow(len(s.failed))\n  let c = @parallel(1) settle map x in [b * 2 + 1, 4] { @breaker(failures: 3, window: 1h, cooldown: 1h) odd(x) }\n  len(c.ok)\n}";
    const { second, seen } = await cutAt(counted, opened, {}, odd);
    // Two failures before and one after open it, so the last call is not made.
    expect(second.stored.events.filter((e) => e.kind === "breaker.opened")).toHaveLength(1);
    expect(seen.calls.filter((path) => path.endsWith("odd"))).toHaveLength(1);
  });
});

describe("a rate", () => {
  const source = "flow main() -> int {\n  let xs = map x in range(6) { @rate(2/s) t(x) }\n  slow(len(xs))\n}";

  test.each([1, 2, 3, 4, 5, 6])("is never exceeded across a restart after %i starts", async (count) => {
    const of = program(source);
    const graph = graphOf(of);
    const first = await carry(graph, of, world());
    let left = count;
    const records = upTo(first.batches, (e) => e.kind === "rate.taken" && --left === 0);
    const cut = eventsOf(records).at(-1)?.at ?? 0;
    const second = await carry(graph, of, world(), { run: "r1", records, seed: 5 }, undefined, {}, { wall: START + cut });
    const starts = second.stored.events.flatMap((e) => (e.kind === "rate.taken" ? [e.at] : []));
    for (const [i, at] of starts.entries()) if (i >= 2) expect(at - (starts[i - 2] ?? 0)).toBeGreaterThanOrEqual(1000);
    expect(second.result).toMatchObject({ status: "completed", value: 8 });
  });
});

describe("an answer", () => {
  test("that a person gave directly is not asked for again", async () => {
    const of = program('flow main() -> int {\n  let a = ask "How many?" as int\n  slow(a)\n}', { answers: { "How many?": 4 } });
    const { second } = await cutAt(of, (e) => e.kind === "question.answered", { options: { ask: () => undefined } });
    expect(second.result).toMatchObject({ status: "completed", value: 6 });
  });

  test("that does not fit is told, and the question stays open", async () => {
    const of = program('flow main() -> int { ask "How many?" as int }');
    const graph = graphOf(of);
    const answers: unknown[] = ["four", 4];
    const asking = await carry(graph, of, world(), undefined, undefined, {}, { options: { ask: async () => answers.shift() } });
    expect(asking.result).toMatchObject({ status: "completed", value: 4 });
    const refused = (events: readonly RunEvent[]) => events.filter((e) => e.kind === "question.refused");
    expect(refused(asking.stored.events)).toMatchObject([{ why: expect.stringContaining("four") }]);
    // One that a program put into the store without looking.
    const waiting = await carry(graph, of, world(), undefined, undefined, {}, { options: { ask: () => undefined } });
    const [path = ""] = waiting.result.status === "waiting" ? waiting.result.questions : [];
    const second = await carry(
      graph,
      of,
      world(),
      { run: "r1", records: waiting.batches.flat(), seed: 5 },
      undefined,
      {},
      {
        options: { ask: () => undefined },
        answers: { [path]: "four" },
      },
    );
    expect(second.result).toMatchObject({ status: "waiting", questions: [path] });
    expect(refused(second.stored.events)).toHaveLength(1);
  });

  test("about an effect is asked for anew when it was begun anew", async () => {
    const of = program("flow main() -> int { put(1) }");
    const graph = graphOf(of);
    const first = await carry(graph, of, world());
    const begun = upTo(first.batches, (e) => e.kind === "call.attempted");
    // Nobody is there, then a person says that it did not happen, then it is begun again and the process dies.
    const waiting = await carry(
      graph,
      of,
      world(),
      { run: "r1", records: begun, seed: 5 },
      undefined,
      {},
      { options: { ask: () => undefined } },
    );
    expect(waiting.result).toMatchObject({ status: "waiting", questions: ["main/put"] });
    const said = { "main/put": { happened: false } };
    const later = { options: { ask: () => undefined }, answers: said };
    const second = await carry(
      graph,
      of,
      world(),
      { run: "r1", records: [...begun, ...waiting.batches.flat()], seed: 5 },
      undefined,
      {},
      later,
    );
    expect(second.result).toMatchObject({ status: "completed", value: 1 });
    const again = [...begun, ...waiting.batches.flat(), ...upTo(second.batches, (e) => e.kind === "call.attempted")];
    const seen = world();
    const third = await carry(graph, of, seen, { run: "r1", records: again, seed: 5 }, undefined, {}, later);
    expect(third.result).toMatchObject({ status: "waiting", questions: ["main/put?2"] });
    expect(seen.calls).toEqual([]);
  });
});

describe("a run that is cancelled", () => {
  const source = "flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let b = @compensate(unput) put(a)\n  slow(b)\n}";
  const cancelling: Otherwise = { onStart: (handle, clock) => void clock.after(90, () => handle.cancel("enough")) };

  test("undoes newest first, and goes on undoing after the process died, each once", async () => {
    const of = program(source);
    const graph = graphOf(of);
    const whole = world();
    const first = await carry(graph, of, whole, undefined, undefined, {}, cancelling);
    expect(first.result.status).toBe("cancelled");
    expect(whole.calls.filter((path) => path.endsWith("undo"))).toEqual(["main/put#2/undo", "main/put/undo"]);
    const from = first.batches.findIndex((batch) => eventsOf(batch).some((e) => e.kind === "run.cancelling"));
    expect(from).toBeGreaterThan(0);
    for (let cut = from + 1; cut < first.batches.length; cut++) {
      const records = first.batches.slice(0, cut).flat();
      const done = eventsOf(records).flatMap((e) => (e.kind === "call.completed" ? [e.path] : []));
      const seen = world();
      const second = await carry(graph, of, seen, { run: "r1", records, seed: 5 });
      expect(second.result).toMatchObject({ status: "cancelled", failure: { message: "enough" } });
      expect(seen.calls.filter((path) => done.includes(path))).toEqual([]);
      expect(new Set([...done, ...seen.calls])).toEqual(new Set(["main/put", "main/put#2", "main/put#2/undo", "main/put/undo"]));
      expect(broken(second.stored.events)).toEqual([]);
    }
  });

  test("says what remains, and tries again when it is cancelled again", async () => {
    const of = program(source);
    const graph = graphOf(of);
    const unput: Parameters<typeof carry>[5] = {
      unput: (_, { call }) => {
        if (call === "main/put/undo") throw Object.assign(new Error("no"), { kind: "tool_error", committed: "no" });
        return null;
      },
    };
    const first = await carry(graph, of, world(), undefined, undefined, unput, cancelling);
    expect(first.result.failure?.message).toBe("enough; not undone: main/put (tool_error: no)");
    const seen = world();
    const second = await carry(graph, of, seen, { run: "r1", records: first.batches.flat(), seed: 5 });
    expect(second.result).toMatchObject({ status: "cancelled", failure: { message: "enough" } });
    expect(seen.calls).toEqual(["main/put/undo"]);
  });
});

describe("an effect whose outcome nobody knows", () => {
  const source =
    "flow main() -> int {\n  let a = @compensate(unput) put(1)\n  let b = @compensate(unput) @timeout(10ms) put(a)\n  slow(b)\n}";
  const late: Parameters<typeof carry>[5] = {
    put: ({ x }, { call, clock }) => (call === "main/put" ? Number(x) : onClock(clock, 1000).then(() => Number(x))),
  };

  test("is undone when a person says that it happened, with what it gave", async () => {
    const of = program(source, { fails: "timeout" });
    const values: unknown[] = [];
    const first = await carry(
      graphOf(of),
      of,
      world(),
      undefined,
      undefined,
      {
        ...late,
        unput: ({ x }, { call }) => {
          values.push([call, x]);
          return null;
        },
      },
      { options: { ask: (question) => Promise.resolve(question.kind === "outcome" ? { happened: true, value: 7 } : undefined) } },
    );
    expect(first.result).toMatchObject({ status: "failed", failure: { kind: "timeout" } });
    expect(values).toEqual([
      ["main/put#2/undo", 7],
      ["main/put/undo", 1],
    ]);
  });

  test("makes the run wait where nobody can be asked, and the answer is acted upon", async () => {
    const of = program(source, { fails: "timeout" });
    const graph = graphOf(of);
    const nobody = { options: { ask: () => undefined } };
    const first = await carry(graph, of, world(), undefined, undefined, late, nobody);
    expect(first.result).toMatchObject({ status: "waiting", questions: ["main/put#2/undo"] });
    const seen = world();
    const answered = { ...nobody, answers: { "main/put#2/undo": { happened: false } } };
    const second = await carry(graph, of, seen, { run: "r1", records: first.batches.flat(), seed: 5 }, undefined, late, answered);
    expect(second.result).toMatchObject({ status: "failed", failure: { kind: "timeout" } });
    expect(seen.calls).toEqual(["main/put/undo"]);
  });

  test("is undone at once where its undo is idempotent and may be made in vain", async () => {
    const of = program(
      `@idempotent effect tool maybe(x: int?) -> null = module("./tools.ts")\n${source.replaceAll("@compensate(unput) @timeout", "@compensate(maybe) @timeout")}`,
      { fails: "timeout" },
    );
    const seen = world();
    const first = await carry(
      graphOf(of),
      of,
      seen,
      undefined,
      undefined,
      { ...late, maybe: () => null },
      { options: { ask: () => undefined } },
    );
    expect(first.result).toMatchObject({ status: "failed", failure: { kind: "timeout" } });
    expect(seen.calls.filter((path) => path.endsWith("undo"))).toEqual(["main/put#2/undo", "main/put/undo"]);
  });
});

describe("a journal that lost its end", () => {
  test("makes a run ask before every effect that it does not know of, in later parts too", async () => {
    const source = "flow main() -> int {\n  let a = put(1)\n  let b = post(a)\n  put(b + 1)\n}";
    const nobody = { options: { ask: () => undefined } };
    const { second, seen, records } = await cutAt(source, (e) => e.kind === "call.completed" && e.path === "main/put", {
      ...nobody,
      damaged: "record 9 does not fit",
    });
    // What is idempotent is made again with its key.
    expect(second.result).toMatchObject({ status: "waiting", questions: ["main/put#2"] });
    expect(seen.calls).toEqual(["main/post"]);
    expect(second.stored.events.some((e) => e.kind === "run.mended")).toBe(true);
    const of = program(source);
    const third = await carry(
      graphOf(of),
      of,
      world(),
      { run: "r1", records: [...records, ...second.batches.flat()], seed: 5 },
      undefined,
      {},
      nobody,
    );
    expect(third.result).toMatchObject({ status: "waiting", questions: ["main/put#2"] });
  });
});
