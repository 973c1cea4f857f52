/**
 * Journals recorded by every version are carried on by every later one. A file holds the graph and the records of a run
 * that was cut off in the middle; `RECORD_JOURNALS=0.1.0` writes those of this version.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Graph } from "../../src/plan/ir.js";
import { runEvent } from "../../src/runtime/events.js";
import { reusing } from "../../src/runtime/reuse.js";
import type { StoreRecord } from "../../src/runtime/store.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { journalPrograms, neverCarriedOn } from "../support/journal-programs.js";

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
  for (const [name, program] of journalPrograms) {
    const graph = graphOf(program);
    const { tools = {}, recorded = {}, before, cut } = program;
    let earlier: readonly StoreRecord[] = [];
    let part: Awaited<ReturnType<typeof carry>>;
    if (program.reuses === true) {
      const other = await carry(graph, program, world());
      part = await carry(graph, program, world(), undefined, undefined, tools, { options: reusing(other.stored, graph) });
    } else if (before === undefined) part = await carry(graph, program, world(), undefined, undefined, tools, recorded);
    else {
      const first = await carry(graphOf({ source: before }), program, world(), undefined, undefined, tools);
      earlier = first.batches.slice(0, first.result.status === "waiting" ? -1 : -2).flat();
      const edited = before === program.source ? {} : { edited: graph };
      part = await carry(graphOf({ source: before }), program, world(), { run: "r1", records: earlier, seed: 5 }, undefined, tools, {
        ...edited,
        ...recorded,
      });
    }
    const at =
      cut === undefined
        ? part.batches.length - 2
        : part.batches.findIndex((batch) => batch.some((r) => r.kind === "event" && cut(r.event)));
    if (at < 0) throw new Error(`${name} is never where it is to be cut off: ${part.result.status} ${part.result.failure?.message}`);
    const whole = await carry(graph, program, world(), undefined, undefined, tools);
    const records = [...earlier, ...part.batches.slice(0, at + 1).flat()];
    const value = part.result.status === "completed" ? part.result.value : whole.result.value;
    const kept: Recorded = { program: name, graph, records, value };
    writeFileSync(join(folder, `${name.replaceAll(/[ ,]+/g, "-")}.json`), `${JSON.stringify(kept)}\n`);
  }
});

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".json"));

test("there are journals", () => expect(files.length).toBeGreaterThan(0));

/** The journals of a version by its name; the newest last. */
const versions = [...new Set(files.map((file) => file.split(/[\\/]/)[0] ?? ""))].sort((a, b) =>
  a.localeCompare(b, "en", { numeric: true }),
);
const read = (file: string): Recorded => JSON.parse(readFileSync(join(root, file), "utf8")) as Recorded;

test("those of the newest version hold every kind of event", () => {
  const kinds = new Set<string>();
  for (const file of files.filter((each) => each.startsWith(versions.at(-1) ?? "")))
    for (const record of read(file).records) if (record.kind === "event") kinds.add(record.event.kind);
  const all = runEvent.options.map(({ shape }) => shape.kind.value);
  expect(all.filter((each) => !kinds.has(each) && !neverCarriedOn.has(each))).toEqual([]);
});

test.each(files)("%s is carried on", async (file) => {
  const { program: name, graph, records, value } = read(file);
  for (const record of records) if (record.kind === "event") runEvent.parse(record.event);
  const program = journalPrograms.get(name) ?? { source: "" };
  const { tools = {}, later = {}, fails } = program;
  const seen = world();
  const { result } = await carry(graph, program, seen, { run: "r1", records, seed: 5 }, undefined, tools, later);
  if (fails === undefined) expect(result).toMatchObject({ status: "completed", value });
  else expect(result.failure?.kind).toBe(fails);
  const done = new Set(
    records.flatMap((r) => (r.kind === "event" && r.event.kind === "call.completed" && r.event.of === "tool" ? [r.event.path] : [])),
  );
  const failed = records.some((r) => r.kind === "event" && r.event.kind === "run.failed");
  if (!failed) expect(seen.calls.filter((path) => done.has(path))).toEqual([]);
});
