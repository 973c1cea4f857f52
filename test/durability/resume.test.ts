/**
 * Every program is cut off after each commit of its journal and carried on: the value is the one of the run that was not
 * cut off, no finished call is made again, no answered request is sent again, and no less is charged than was billed.
 */
import { describe, expect, test } from "vitest";
import { carry, graphOf, world } from "../support/crashing.js";
import { durablePrograms } from "../support/durable-programs.js";

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
      expect(
        all.map((event) => event.seq),
        at,
      ).toEqual(all.map((__, i) => i));
    }
  });
});
