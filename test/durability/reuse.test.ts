/** What is used again after an edit, by another run and under `@cache`, and what is said of it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { overrideModels } from "../../src/cli/override.js";
import { problems } from "../../src/diagnostics/problems.js";
import { virtualClock } from "../../src/host/clock.js";
import { sqliteStore } from "../../src/host/store/sqlite.js";
import type { Graph } from "../../src/plan/ir.js";
import { type Keeping, runKept } from "../../src/runtime/durable.js";
import { vanished } from "../../src/runtime/edited.js";
import { reusing } from "../../src/runtime/reuse.js";
import type { RunResult } from "../../src/runtime/run.js";
import type { Store, StoredRun } from "../../src/runtime/store.js";
import { why } from "../../src/runtime/why.js";
import { carry, graphOf, optionsIn, type World, world } from "../support/crashing.js";
import { durableHead } from "../support/durable-programs.js";

const START = Date.UTC(2026, 0, 1);
let folder = "";
let wall = START;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weave-reuse-"));
  wall = START;
  store = sqliteStore(join(folder, "weave.db"), { now: () => wall });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const graphFor = (source: string): Graph => graphOf({ source: `${durableHead}${source}\n` });
let runs = 0;

/** Runs a program, with the results of another run where one is named. */
async function kept(graph: Graph, seen: World, reuse?: StoredRun, directory = "here"): Promise<{ result: RunResult; stored: StoredRun }> {
  const keeping: Keeping = { store, owner: "test", soon: setImmediate, beatMs: 1e9 };
  const options = { ...optionsIn({ source: "" }, seen, virtualClock(wall)), ...(reuse === undefined ? {} : reusing(reuse, graph)) };
  const id = `r${++runs}`;
  const result = await runKept(graph, "main", {}, { ...options, id, seed: 5 }, keeping, { file: "a.weave", options: { directory } }).result;
  const stored = store.load(id);
  if (stored === undefined) throw new Error("it was not kept");
  return { result, stored };
}

describe("another run's results", () => {
  const source = (prompt: string, more = ""): string =>
    `agent Ask(x: int) -> int(0..9) { model: m, prompt: "${prompt} {{x}}"${more} }\nflow one(x: int) -> int { Ask(x) }\nflow main() -> int {\n  let a = one(1)\n  let b = t(2)\n  let c = put(b)\n  a - a + b + c\n}`;

  test("are used where nothing changed, and effects are carried out", async () => {
    const graph = graphFor(source("Ask"));
    const first = await kept(graph, world());
    const seen = world();
    const second = await kept(graph, seen, first.stored);
    expect(second.result.value).toBe(first.result.value);
    expect(seen.calls).toEqual(["main/put"]);
    expect(seen.requests).toEqual([]);
    expect(why(second.stored.events, "main/t")).toEqual([
      `Its result was taken from the run ${first.stored.start.run}: definition and inputs are the same.`,
    ]);
  });

  test.each<[string, string, (graph: Graph) => Graph, string]>([
    ["a prompt", source("Guess"), (g) => g, "the prompt of Ask"],
    ["an option of an agent", source("Ask", ", temperature: 0.5"), (g) => g, "the temperature of Ask"],
    [
      "another model",
      source("Ask")
        .replace("model: m,", "model: n,")
        .replace(
          "agent Ask",
          'model n { provider: "sim", name: "m", price: { input: $1.00, output: $5.00 }, context: 20k, max_output: 500 }\nagent Ask',
        ),
      (g) => g,
      "the model of Ask: m before, n now",
    ],
    [
      "a model put in its place",
      source("Ask"),
      (g) => overrideModels(g, ["m=sim/other"], problems()),
      "the model m: sim/m before, sim/other now",
    ],
    ["the result type", source("Ask").replace("int(0..9)", "int(0..8)"), (g) => g, "the result type of Ask"],
  ])("are not used after %s was changed, also below a flow, and what it was is said", async (_what, edited, override, because) => {
    const first = await kept(graphFor(source("Ask")), world());
    const seen = world();
    const second = await kept(override(graphFor(edited)), seen, first.stored);
    expect(seen.calls).toEqual(["main/put"]);
    expect(seen.requests).toEqual(
      ["main/a/one/Ask 1 1"].map((each) => expect.stringContaining(each.split(" ")[0]?.split("/").at(-1) ?? "")),
    );
    const path = seen.requests[0]?.split(" ")[0] ?? "";
    expect(why(second.stored.events, path)[0]).toBe(
      `It ran although the run ${first.stored.start.run} has a result for it, because of ${because}.`,
    );
  });

  test("do not change with what only prices or limits requests", async () => {
    const first = await kept(graphFor(source("Ask")), world());
    const dearer = `${durableHead}${source("Ask")}\n`.replace("input: $1.00", "input: $2.00").replace("context: 20k", "context: 30k");
    const seen = world();
    await kept(graphOf({ source: dearer }), seen, first.stored);
    expect(seen.requests).toEqual([]);
  });

  test("are adopted where a name changed, each once, and only where one call is meant", async () => {
    const first = await kept(graphFor("flow main() -> int[] {\n  let before = map x in [1, 2, 2] { t(x) }\n  before\n}"), world());
    const seen = world();
    const second = await kept(
      graphFor("flow main() -> int[] {\n  let after = map x in [1, 2, 2] { t(x) }\n  after\n}"),
      seen,
      first.stored,
    );
    expect(second.result.value).toEqual([2, 3, 3]);
    // Of the two that are alike neither is taken.
    expect(seen.calls).toEqual(["main/after[2]/t", "main/after[2#2]/t"]);
    expect(why(second.stored.events, "main/after[1]/t")[0]).toBe(
      `Its result was taken from main/before[1]/t of the run ${first.stored.start.run}: definition and inputs are the same.`,
    );
  });
});

describe("a run that goes on as an edited program", () => {
  const before = "flow main() -> int {\n  let a = t(1)\n  let b = put(a)\n  let c = t(b)\n  refuse(c)\n}";

  test("says what changed, adopts what was renamed, and is one of that program from then on", async () => {
    const program = { source: `${durableHead}${before}\n`, fails: "tool_error" };
    const graph = graphOf(program);
    await carry(graph, program, world(), undefined, undefined, {}, { store });
    const edited = graphFor("flow main() -> int {\n  let first = t(1)\n  let b = put(first)\n  let c = t(b + 10)\n  c\n}");
    const seen = world();
    const { result, stored } = await carry(graph, program, seen, { run: "r1", records: [], seed: 5 }, undefined, {}, { store, edited });
    expect(result).toMatchObject({ status: "completed", value: 13 });
    expect(seen.calls).toEqual(["main/t#2"].map(() => expect.stringContaining("/t")));
    const told = stored.events.flatMap((e) => (e.kind === "call.changed" || e.kind === "call.reused" ? [{ ...e, seq: 0, at: 0 }] : []));
    expect(told.map((e) => (e.kind === "call.changed" ? [e.path, e.because] : [e.path, e.from]))).toContainEqual([
      expect.stringContaining("/t"),
      ["its input x"],
    ]);
    expect(store.load("r1")?.start.graph.flows).toEqual(JSON.parse(JSON.stringify(edited.flows)));
  });
});

describe("@cache", () => {
  const graph = (): Graph => graphFor("@cache(1h) flow asked(x: int) -> int { t(x) }\nflow main() -> int { asked(1) }");

  test("is shared by the runs of a store while it is fresh, and says from where", async () => {
    const first = await kept(graph(), world());
    wall += 3_599_000;
    const seen = world();
    const second = await kept(graph(), seen);
    expect(second.result.value).toBe(2);
    expect(seen.calls).toEqual([]);
    expect(why(second.stored.events, "main/asked")).toContain(
      `Its result was taken from main/asked of the run ${first.stored.start.run}: same definition and inputs, still fresh.`,
    );
    wall += 2000;
    const third = world();
    await kept(graph(), third);
    expect(third.calls).toEqual(["main/asked/t"]);
  });

  test("is fresh for its time to live and no longer when the clock was set back", async () => {
    await kept(graph(), world());
    wall -= 86_400_000;
    const seen = world();
    const of = graphFor(
      "@cache(1h) flow asked(x: int) -> int { t(x) }\nflow main() -> int {\n  let a = asked(1)\n  let b = slow(a)\n  a + b\n}",
    );
    await kept(of, seen);
    expect(seen.calls).toEqual(["main/slow"].map((path) => expect.stringContaining(path.slice(4))));
  });

  test("is sealed in the file, and not shared with programs that stand elsewhere", async () => {
    const secret = graphFor('@cache(1h) tool keep(x: int) -> string = module("./tools.ts")\nflow main() -> int { len(keep(1)) }');
    const told: World = world();
    const options = { ...optionsIn({ source: "" }, told, virtualClock(wall), { keep: () => "hunter2-hunter2" }), id: "s1", seed: 5 };
    const keeping: Keeping = { store, owner: "test", soon: setImmediate, beatMs: 1e9 };
    await runKept(secret, "main", {}, options, keeping, { file: "a.weave", options: { directory: "here" } }).result;
    const there = world();
    await kept(graph(), world());
    await kept(graph(), there, undefined, "elsewhere");
    expect(there.calls).toEqual(["main/asked/t"]);
    store.close();
    const cache = readFileSync(join(folder, "weave.db")).toString("latin1");
    // The event of the call shows its value, the shared copy does not.
    expect(cache.split("hunter2-hunter2").length - 1).toBeLessThanOrEqual(2);
    store = sqliteStore(join(folder, "weave.db"), { now: () => wall });
  });
});

describe("retention", () => {
  test("is kept in the store; what is not over is never deleted", async () => {
    await kept(graphFor("flow main() -> int { t(1) }"), world());
    store.begin(
      {
        run: "going",
        file: "a",
        flow: "main",
        graph: graphFor("flow main() -> int { 1 }"),
        inputs: {},
        seed: 1,
        options: {},
        startedAt: 0,
      },
      "me",
      1,
    );
    expect(store.retention()).toBeUndefined();
    store.retain({ days: 1, keep: 1 });
    expect(store.retention()).toEqual({ days: 1, keep: 1 });
    expect(store.prune(wall + 1, 1)).toBe(0);
    expect(store.prune(wall + 1)).toBe(1);
    expect(store.list().map((run) => run.run)).toEqual(["going"]);
  });
});

describe("effects that were carried out, after an edit", () => {
  const withImplementations = (...names: readonly string[]) => ({
    source: `${durableHead}capability Store(x: int) -> int
${names.map((name, i) => `@quality(${90 - i}%) effect tool ${name}(x: int) -> int implements Store = module("./tools.ts", export: "put")\n`).join("")}flow main() -> int {
  let a = Store(1)
  let b = map x in range(2) { if x > 0 { put(x) } else { 0 } }
  let c = try { put(7) } recover err { post(8) }
  a + sum(b) + c
}
`,
  });

  test("have a place in the same program, behind capabilities too, and lose it with their implementation", async () => {
    const of = withImplementations("fast", "safe");
    const tools = { fast: ({ x }: { readonly x?: unknown }) => x, safe: ({ x }: { readonly x?: unknown }) => x };
    const { result, stored } = await carry(graphOf(of), of, world(), undefined, undefined, tools);
    expect(result).toMatchObject({ status: "completed", value: 9 });
    expect(vanished(stored, graphOf(of))).toEqual([]);
    expect(vanished(stored, graphOf(withImplementations("fast")))).toEqual([]);
    expect(vanished(stored, graphOf(withImplementations("safe")))).toEqual(["main/Store/fast"]);
  });
});
