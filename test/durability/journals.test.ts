/**
 * Journals recorded by every version are carried on by every later one. A file holds the graph and the records of a run
 * that was cut off in the middle; `RECORD_JOURNALS=0.1.0` writes those of this version.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Graph } from "../../src/plan/ir.js";
import { runEvent } from "../../src/runtime/events.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { durablePrograms } from "../support/durable-programs.js";

interface Recorded {
  readonly program: string;
  readonly graph: Graph;
  readonly records: readonly StoreRecord[];
  readonly value: unknown;
}

const root = join(import.meta.dirname, "..", "journals");
const version = process.env["RECORD_JOURNALS"];

test.runIf(version !== undefined)("record the journals of this version", async () => {
  const folder = join(root, version ?? "");
  mkdirSync(folder, { recursive: true });
  for (const name of ["agents", "policies", "race", "vote", "try and match"]) {
    const program = durablePrograms.get(name);
    if (program === undefined) throw new Error(`there is no program ${name}`);
    const graph = graphOf(program);
    const { batches, result } = await carry(graph, program, world());
    const recorded: Recorded = {
      program: name,
      graph,
      records: batches.slice(0, Math.ceil(batches.length / 2)).flat(),
      value: result.value,
    };
    writeFileSync(join(folder, `${name.replaceAll(" ", "-")}.json`), `${JSON.stringify(recorded)}\n`);
  }
});

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".json"));

test("there are journals", () => expect(files.length).toBeGreaterThan(0));

test.each(files)("%s is carried on", async (file) => {
  const { program: name, graph, records, value } = JSON.parse(readFileSync(join(root, file), "utf8")) as Recorded;
  for (const record of records) if (record.kind === "event") runEvent.parse(record.event);
  const program = durablePrograms.get(name) ?? { source: "" };
  const seen = world();
  const { result } = await carry(graph, program, seen, { run: "r1", records, seed: 5 });
  expect(result).toMatchObject({ status: "completed", value });
  const done = new Set(
    records.flatMap((r) => (r.kind === "event" && r.event.kind === "call.completed" && r.event.of === "tool" ? [r.event.path] : [])),
  );
  expect(seen.calls.filter((path) => done.has(path))).toEqual([]);
});
