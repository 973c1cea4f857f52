/**
 * Every program is cut off after each commit of its journal and carried on: the value is the one of the run that was not
 * cut off, no finished call is made again, no answered request is sent again, and no less is charged than was billed.
 */
import { describe, expect, test } from "vitest";
import { carry, graphOf, world } from "../support/crashing.js";
import { durablePrograms } from "../support/durable-programs.js";
import { broken } from "../support/invariants.js";

describe.each([...durablePrograms])("%s", (_name, program) => {
  test("survives the end of its process after every commit", async () => {
    const graph = graphOf(program);
    const whole = world();
    const first = await carry(graph, program, whole);
    if (program.fails === undefined)
      expect(first.result).toMatchObject({ status: expect.stringMatching(/completed|waiting/), problems: [] });
    else expect(first.result).toMatchObject({ status: "failed", failure: { kind: program.fails } });
    for (let cut = 1; cut < first.batches.length; cut++) {
      const records = first.batches.slice(0, cut).flat();
      const events = records.flatMap((record) => (record.kind === "event" ? [record.event] : []));
      if (events.some((event) => event.kind === "run.completed" || event.kind === "run.failed")) continue;
      const again = world();
      const second = await carry(graph, program, again, { run: "r1", records, seed: 5 });
      const at = `after commit ${cut} of ${first.batches.length}: ${JSON.stringify(events.at(-1))}`;
      expect([second.result.status, second.result.value, second.result.problems], at).toEqual([
        first.result.status,
        first.result.value,
        [],
      ]);
      const finished = new Set(
        events.flatMap((event) =>
          (event.kind === "call.completed" || (event.kind === "call.failed" && event.failure.kind !== "cancelled")) && event.of === "tool"
            ? [event.path]
            : [],
        ),
      );
      expect(
        again.calls.filter((path) => finished.has(path)),
        at,
      ).toEqual([]);
      if (program.source.includes("@cache")) expect(again.calls.length + finished.size, at).toBeLessThanOrEqual(whole.calls.length + 1);
      const answered = new Set(
        events.flatMap((event) => (event.kind === "model.answered" ? [`${event.path} ${event.attempt} ${event.turn}`] : [])),
      );
      expect(
        again.requests.filter((request) => answered.has(request)),
        at,
      ).toEqual([]);
      const { events: all } = second.stored;
      expect(broken(all), at).toEqual([]);
      const chosen = all.flatMap((event) => (event.kind === "choice" && event.of === "capability" ? [event.path] : []));
      expect(new Set(chosen).size, at).toBe(chosen.length);
      expect(
        all.map((event) => event.seq),
        at,
      ).toEqual(all.map((__, i) => i));
    }
  });
});

describe("a run that died again and again", () => {
  test.each([...durablePrograms])("%s: progress never goes back", async (_name, program) => {
    const graph = graphOf(program);
    const first = await carry(graph, program, world());
    let records = first.batches.slice(0, 1).flat();
    const calls = new Map<string, number>();
    for (let death = 0; death < 10; death++) {
      const seen = world();
      const next = await carry(graph, program, seen, { run: "r1", records, seed: 5 });
      const finished = next.batches.slice(0, 2).flat();
      for (const record of finished)
        if (record.kind === "event" && record.event.kind === "call.completed" && record.event.of === "tool")
          calls.set(record.event.path, (calls.get(record.event.path) ?? 0) + 1);
      records = [...records, ...finished];
      if (next.batches.length <= 2) {
        // What was in flight at each death stays charged, so a tight budget may be used up by dying.
        if (next.result.failure?.kind !== "budget_exceeded" || !program.source.includes("@budget"))
          expect([next.result.status, next.result.value]).toEqual([first.result.status, first.result.value]);
        break;
      }
    }
    expect([...calls].filter(([, count]) => count > 1)).toEqual([]);
  });
});

describe("a store that fails", () => {
  test.each([...durablePrograms].filter(([, { source }]) => source.includes("put(")))(
    "%s: stops before any effect whose intent is not safe",
    async (_name, program) => {
      const graph = graphOf(program);
      const first = await carry(graph, program, world());
      for (let good = 0; good < first.batches.length; good++) {
        const seen = world();
        const { result, batches } = await carry(graph, program, seen, undefined, good);
        // Commits that fall together may be fewer than in the first run: then nothing failed.
        if (batches.length < good || result.problems.length === 0) continue;
        expect([result.status, result.problems.map((problem) => problem.code)]).toEqual(["failed", ["W0910"]]);
        const intents = new Set(
          batches.flat().flatMap((r) => (r.kind === "event" && r.event.kind === "call.attempted" && r.event.effect ? [r.event.path] : [])),
        );
        const effects = seen.calls.filter((path) => /(?:un)?put(?:#\d+)?$|undo$|refuse$/.test(path));
        expect(effects.filter((path) => !intents.has(path))).toEqual([]);
      }
    },
  );
});

describe("a run that failed", () => {
  test("is tried again from its failure, and what was undone is done again", async () => {
    const program = durablePrograms.get("saga");
    if (program === undefined) throw new Error("there is no such program");
    const graph = graphOf(program);
    const first = await carry(graph, program, world());
    expect(first.result.status).toBe("failed");
    const seen = world();
    const again = await carry(graph, program, seen, { run: "r1", records: first.batches.flat(), seed: 5 }, undefined, { refuse: () => 1 });
    expect(again.result).toMatchObject({ status: "completed", value: 7 });
    // The failure of `inner` was recovered from: it stays as it was. What the failure of `main` undid is done again.
    expect(seen.calls).toEqual(["main/put", "main/put#2", "main/refuse"]);
  });
});
