/** What every store must do, asked of each of them; and what only a file can suffer. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Log, logOf } from "../../src/host/store/log.js";
import { memoryStore } from "../../src/host/store/memory.js";
import type { Database } from "../../src/host/store/migrations.js";
import { sqliteStore } from "../../src/host/store/sqlite.js";
import type { Graph } from "../../src/plan/ir.js";
import { hash53 } from "../../src/runtime/hash.js";
import type { LockTurn, RunStart, Store, StoreRecord } from "../../src/runtime/store.js";

const graph: Graph = {
  version: 1,
  file: "main.weave",
  entries: {},
  flows: {},
  agents: {},
  tools: {},
  capabilities: {},
  models: {},
  mcps: {},
  states: {},
  channels: {},
  handlers: [],
  tests: [],
  types: {},
  globals: [],
};
const startOf = (run: string, startedAt = 1000): RunStart => ({
  run,
  file: "main.weave",
  flow: "main",
  graph,
  inputs: { a: 1 },
  seed: 7,
  options: { sim: true },
  startedAt,
});
const event = (seq: number): StoreRecord => ({
  kind: "event",
  event: { kind: "tool.log", seq, at: seq, path: "main/t", message: `m${seq}` },
});
const result = (path: string, value: unknown): StoreRecord => ({ kind: "result", path, guard: "g", outcome: { kind: "value", value } });

let folder = "";
let time = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weave-store-"));
  time = 10_000;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const makers: readonly (readonly [string, () => Store])[] = [
  ["memory", () => memoryStore(() => time)],
  ["sqlite", () => sqliteStore(join(folder, ".weave", "weave.db"), { now: () => time })],
];

describe.each(makers)("a store in %s", (_name, make) => {
  test("adds up what runs learned, real and simulated ones apart, and forgets what is old", () => {
    const store = make();
    const tally = (hash: string, calls: number, simulated = false) => ({
      hash,
      simulated,
      calls,
      succeeded: calls - 1,
      attempts: calls + 0.5,
      toolAttempts: 0,
      requests: calls,
      inputTokens: 10 * calls,
      outputTokens: calls,
      costUsd: 0.25 * calls,
      latencyMs: 100 * calls,
    });
    const figures = { costUsd: 0, calls: 0 };
    const fence = store.begin(startOf("r1"), "one", 5000);
    store.settle("r1", fence, "paused", { ...figures, learned: [tally("a", 2), tally("b", 3)] });
    time += 1000;
    store.settle("r1", fence, "completed", { ...figures, learned: [tally("a", 4), tally("a", 1, true)] });
    const sorted = [...store.history()].sort((x, y) => x.hash.localeCompare(y.hash) || x.calls - y.calls);
    expect(sorted).toEqual([tally("a", 1, true), { ...tally("a", 6), succeeded: 4, attempts: 7 }, tally("b", 3)]);
    store.prune(time);
    expect(store.history().map(({ hash }) => hash)).toEqual(["a", "a"]);
  });

  test("gives back what a run was started with, its events in order, its results by path", () => {
    const store = make();
    const fence = store.begin(startOf("r1"), "me", 1000);
    store.append("r1", fence, [event(1), result("main/a", { x: [1, 2] }), event(2)]);
    store.append("r1", fence, [result("main/a", "again"), event(3)]);
    const loaded = store.load("r1");
    expect(loaded?.start).toMatchObject({ run: "r1", inputs: { a: 1 }, seed: 7, graph });
    expect(loaded?.events.map((e) => e.seq)).toEqual([1, 2, 3]);
    expect(loaded?.results.get("main/a")?.outcome).toEqual({ kind: "value", value: "again" });
    expect(loaded?.damaged).toBeUndefined();
    expect(store.load("other")).toBeUndefined();
    store.close();
  });

  test("has one owner at a time, and refuses the writes of one that was replaced", () => {
    const store = make();
    const first = store.begin(startOf("r1"), "me", 1000);
    expect(store.acquire("r1", "you", 1000)).toEqual({ kind: "taken", owner: "me", until: 11_000 });
    time += 500;
    expect(store.renew("r1", first, 1000)).toBe(true);
    time += 1001;
    const second = store.acquire("r1", "you", 1000);
    expect(second).toEqual({ kind: "held", fence: first + 1 });
    expect(() => store.append("r1", first, [event(1)])).toThrow("taken over");
    expect(store.renew("r1", first, 1000)).toBe(false);
    store.append("r1", first + 1, [event(1)]);
    store.release("r1", first + 1);
    expect(store.acquire("r1", "me", 1000).kind).toBe("held");
    store.close();
  });

  test("lists runs newest first, with how they stand, and prunes what ended", () => {
    const store = make();
    const one = store.begin(startOf("r1", 1), "me", 1000);
    store.begin(startOf("r2", 2), "me", 1000);
    store.settle("r1", one, "completed", { costUsd: 0.25, calls: 3 });
    expect(store.list().map((r) => [r.run, r.status, r.costUsd, r.calls, r.endedAt])).toEqual([
      ["r2", "running", 0, 0, undefined],
      ["r1", "completed", 0.25, 3, 10_000],
    ]);
    expect(store.prune(10_000)).toBe(0);
    expect(store.prune(10_001)).toBe(1);
    expect(store.list().map((r) => r.run)).toEqual(["r2"]);
    store.close();
  });

  test("passes on requests to the owner and answers to questions", () => {
    const store = make();
    const fence = store.begin(startOf("r1"), "me", 1000);
    expect(store.requested("r1")).toBeUndefined();
    expect(store.request("r1", "pause")).toBe(true);
    expect(store.requested("r1")).toBe("pause");
    store.answer("r1", "main/ask", true);
    store.answer("r1", "main/ask", false);
    expect([...store.answers("r1")]).toEqual([["main/ask", false]]);
    store.settle("r1", fence, "completed", { costUsd: 0, calls: 0 });
    expect(store.request("r1", "cancel")).toBe(false);
    store.close();
  });

  describe("has locks that its runs share", () => {
    const figures = { costUsd: 0, calls: 0 };
    /** A store with two runs, each of which takes turns at the lock `deploy` unless it says another. */
    const two = () => {
      const store = make();
      for (const run of ["a", "b"]) store.begin(startOf(run), run, 1000);
      const turn = (run: string, waiting: string | readonly string[], more: Partial<LockTurn> & { fence?: number } = {}) => {
        const { fence = 1, ...rest } = more;
        const paths = typeof waiting === "string" ? [waiting] : waiting;
        return store.lock(run, fence, { name: "deploy", back: undefined, waiting: paths, dead: undefined, ...rest });
      };
      return { store, turn };
    };
    const held = (path: string, from?: string) => ({ kind: "held", path, from });
    const taken = (run: string, path: string, until?: number) => ({ kind: "taken", run, path, until });

    test("one call at a time, in the order of asking, whichever run it is of", () => {
      const { store, turn } = two();
      expect(turn("a", "a/1")).toEqual(held("a/1"));
      expect(turn("b", "b/1")).toEqual(taken("a", "a/1", 11_000));
      expect(turn("a", ["a/2", "a/3"])).toEqual(taken("a", "a/1"));
      expect(turn("b", "b/1")).toEqual(taken("a", "a/1", 11_000));
      // Given back: the other run asked before the second call of this one.
      expect(turn("a", ["a/2", "a/3"], { back: "a/1" })).toEqual(taken("b", "b/1", 11_000));
      expect(turn("b", "b/1")).toEqual(held("b/1"));
      expect(turn("b", [], { back: "b/1" })).toEqual({ kind: "free" });
      expect(turn("a", ["a/2", "a/3"])).toEqual(held("a/2"));
      // Who does not wait any more is not waited for.
      expect(turn("b", "b/2")).toEqual(taken("a", "a/2", 11_000));
      expect(turn("a", [])).toEqual({ kind: "free" });
      expect(turn("a", [], { back: "a/2" })).toEqual({ kind: "free" });
      expect(turn("b", "b/2")).toEqual(held("b/2"));
      expect(turn("a", "a/4", { name: "other" })).toEqual(held("a/4"));
      store.close();
    });

    test("lets go of them when a run ends or stops, not while it waits for a person", () => {
      const { store, turn } = two();
      expect(turn("a", "a/1")).toEqual(held("a/1"));
      expect(turn("b", "b/1")).toEqual(taken("a", "a/1", 11_000));
      store.settle("a", 1, "waiting", figures);
      time += 100_000;
      store.renew("b", 1, 1000);
      expect(turn("b", "b/1", { dead: { run: "a", until: 0 } })).toEqual(taken("a", "a/1", 0));
      expect(store.acquire("a", "again", 1000)).toEqual({ kind: "held", fence: 2 });
      // The resumed run has it still, for whichever call asks, and gives it back.
      expect(turn("a", ["a/0", "a/1"], { fence: 2 })).toEqual(held("a/1"));
      store.settle("a", 2, "paused", figures);
      expect(turn("b", "b/1")).toEqual(held("b/1"));
      store.settle("b", 1, "completed", figures);
      store.acquire("a", "again", 1000);
      expect(turn("a", "a/1", { fence: 3 })).toEqual(held("a/1"));
      store.release("a", 3);
      store.begin(startOf("c"), "c", 1000);
      expect(turn("c", "c/1")).toEqual(held("c/1", "a"));
      store.close();
    });

    test("takes one over from a run that gave no sign of life, and refuses what that one writes", () => {
      const { store, turn } = two();
      turn("a", "a/1");
      const wait = turn("b", "b/1");
      expect(wait).toEqual(taken("a", "a/1", 11_000));
      time += 5000;
      store.renew("b", 1, 1000);
      // A sign of life since is one.
      store.renew("a", 1, 1000);
      expect(turn("b", "b/1", { dead: { run: "a", until: 11_000 } })).toEqual(taken("a", "a/1", 16_000));
      store.append("a", 1, [event(1)]);
      time += 5000;
      store.renew("b", 1, 1000);
      expect(turn("b", "b/1")).toEqual(taken("a", "a/1", 16_000));
      expect(turn("b", "b/1", { dead: { run: "a", until: 16_000 } })).toEqual(held("b/1", "a"));
      expect(() => store.append("a", 1, [event(2)])).toThrow("another run took a lock");
      expect(() => turn("a", "a/1")).toThrow("another run took a lock");
      expect(store.renew("a", 1, 1000)).toBe(false);
      const again = store.acquire("a", "a", 1000);
      if (again.kind !== "held") throw new Error("the run is taken");
      expect(turn("a", "a/1", { fence: again.fence })).toEqual(taken("b", "b/1", 21_000));
      store.close();
    });

    test("tells a cycle that goes through locks of a run alone, as long as it says that it does", () => {
      const { store, turn } = two();
      expect(turn("a", "a/1", { name: "G" })).toEqual(held("a/1"));
      expect(turn("b", "b/1", { name: "H" })).toEqual(held("b/1"));
      expect(turn("b", "b/1/x", { name: "G" })).toEqual(taken("a", "a/1", 11_000));
      // Another call of the run waits for H, and for it waits, at the lock l of the run, who has G.
      expect(turn("a", "a/2/x", { name: "H" })).toEqual(taken("b", "b/1", 11_000));
      const behind = [{ path: "a/2/x", lock: "G", through: ["l"] }];
      expect(turn("a", "a/2/x", { name: "H", behind })).toEqual({ kind: "cycle", path: "a/2/x", names: ["H", "G", "l", "H"] });
      // It waits no longer, and so what it said holds no longer.
      expect(turn("b", "b/1/x", { name: "G" })).toEqual(taken("a", "a/1", 11_000));
      expect(turn("a", "a/3", { name: "H" })).toEqual(taken("b", "b/1", 11_000));
      store.close();
    });

    test("is not held up by somebody who died while waiting, or by a program that was edited", () => {
      const { store, turn } = two();
      store.begin(startOf("c"), "c", 50_000);
      turn("c", "c/1");
      turn("a", "a/1");
      time += 2000;
      store.renew("b", 1, 1000);
      expect(turn("b", "b/1")).toEqual(taken("c", "c/1", 60_000));
      turn("c", [], { back: "c/1" });
      expect(turn("b", "b/1")).toEqual(held("b/1"));
      time += 2000;
      const { fence } = store.acquire("b", "again", 1000) as { fence: number };
      store.edit("b", fence, graph);
      expect(turn("c", "c/2")).toEqual(held("c/2"));
      store.close();
    });

    test("names a cycle to the one that closes it, and the others go on", () => {
      const { store, turn } = two();
      turn("a", "main/x", { name: "X" });
      turn("b", "main/y", { name: "Y" });
      // Beside, not inside of what is held: no cycle.
      expect(turn("a", "main/other", { name: "Y" }).kind).toBe("taken");
      expect(turn("b", "main/y/F/x", { name: "X" }).kind).toBe("taken");
      expect(turn("a", ["main/other", "main/x/G/y"], { name: "Y" })).toEqual({
        kind: "cycle",
        path: "main/x/G/y",
        names: ["Y", "X", "Y"],
      });
      expect(turn("a", ["main/other"], { name: "Y" }).kind).toBe("taken");
      expect(turn("a", [], { name: "X", back: "main/x" })).toEqual({ kind: "free" });
      expect(turn("b", "main/y/F/x", { name: "X" })).toEqual(held("main/y/F/x"));
      store.close();
    });
  });

  test("keeps large texts", () => {
    const store = make();
    const fence = store.begin(startOf("r1"), "me", 1000);
    const large = "x".repeat(100_000);
    store.append("r1", fence, [result("a", large), result("b", large), result("c", "@small")]);
    const found = store.load("r1")?.results;
    expect(found?.get("a")?.outcome).toEqual({ kind: "value", value: large });
    expect(found?.get("b")?.outcome).toEqual({ kind: "value", value: large });
    expect(found?.get("c")?.outcome).toEqual({ kind: "value", value: "@small" });
    expect(store.check()).toEqual([]);
    store.close();
  });
});

describe("a store in a file", () => {
  const file = () => join(folder, ".weave", "weave.db");

  test("is the same after it was closed, and keeps one copy of equal large programs", () => {
    const first = sqliteStore(file());
    const large = { ...graph, file: "x".repeat(5000) };
    const fence = first.begin({ ...startOf("r1"), graph: large }, "me", 1000);
    first.append("r1", fence, [event(1), result("a", "y".repeat(50_000)), result("b", "y".repeat(50_000))]);
    first.begin({ ...startOf("r2"), graph: large }, "me", 1000);
    first.close();
    const again = sqliteStore(file());
    expect(again.load("r1")?.events).toHaveLength(1);
    expect(again.load("r1")?.start.graph).toEqual(large);
    expect(again.load("r1")?.results.size).toBe(2);
    again.close();
    const db = new DatabaseSync(file());
    expect(db.prepare("SELECT count(*) AS n FROM contents").get()?.["n"]).toBe(2);
    db.close();
  });

  test.each([
    ["in clear", false],
    ["sealed", true],
  ])("keeps one copy of equal large results, sealed ones too (%s), until no run has it any more", (_, sealed) => {
    const store = sqliteStore(file(), { sensitive: () => sealed, now: () => 10 });
    const text = "secret words ".repeat(1000);
    for (const run of ["r1", "r2"]) {
      const fence = store.begin(startOf(run), "me", 1000);
      store.append(run, fence, [result("a", text), event(1), result("b", text), result("small", "x")]);
      store.append(run, fence, [result("c", { of: [text] })]);
      store.settle(run, fence, "completed", { costUsd: 0, calls: 1 });
    }
    expect([...(store.load("r2")?.results ?? [])].map(([path, { outcome }]) => [path, outcome])).toEqual(
      expect.arrayContaining([
        ["a", { kind: "value", value: text }],
        ["b", { kind: "value", value: text }],
        ["c", { kind: "value", value: { of: [text] } }],
        ["small", { kind: "value", value: "x" }],
      ]),
    );
    const db = new DatabaseSync(file());
    const kept = (): unknown[] =>
      db
        .prepare("SELECT body FROM contents")
        .all()
        .map((row) => row["body"]);
    expect(kept()).toHaveLength(2);
    expect(kept().some((body) => String(body).includes("secret"))).toBe(!sealed);
    store.prune(5);
    expect(kept()).toHaveLength(2);
    store.prune(11, 1);
    expect(kept()).toHaveLength(2);
    expect(store.load("r2")?.results.size).toBe(4);
    db.exec("UPDATE contents SET body = substr(body, 1, 60) || 'AAAA' || substr(body, 65)");
    expect(store.load("r2")?.damaged).toContain("a large result in record 1 of the run r2 cannot be read");
    store.prune(11);
    expect(kept()).toHaveLength(0);
    db.close();
    store.close();
  });

  test("deletes what nothing names any more, looking through the records at most once", () => {
    const told: string[] = [];
    const database = (at: string): Database => {
      const real = new DatabaseSync(at);
      return {
        exec: (text) => real.exec(text),
        close: () => real.close(),
        prepare: (text) => {
          told.push(text);
          return real.prepare(text);
        },
      };
    };
    const store = sqliteStore(file(), { database, now: () => 10 });
    store.begin({ ...startOf("r1"), graph: { ...graph, file: "g".repeat(5000) }, inputs: { a: "i".repeat(5000) } }, "me", 1000);
    const beside = new DatabaseSync(file());
    // As earlier versions kept them.
    beside.exec(`
      INSERT INTO contents (hash, body) VALUES ('of-record', ''), ('of-cache', ''), ('of-set-aside', ''), ('of-nothing', '');
      INSERT INTO records (run, n, kind, body, sum) VALUES ('r1', 1, 'result', '@of-record', 0);
      INSERT INTO set_aside (run, n, kind, body, sum, at) VALUES ('r1', 2, 'result', '@of-set-aside', 0, 0);
      INSERT INTO cache (key, run, path, body, at, until, sum) VALUES ('k', 'r1', 'a', '@of-cache', 0, 99, 0);`);
    store.prune(5);
    const hashes = beside
      .prepare("SELECT hash FROM contents ORDER BY hash DESC")
      .all()
      .map((row) => String(row["hash"]));
    expect(hashes.filter((hash) => hash.startsWith("of-"))).toEqual(["of-set-aside", "of-record", "of-cache"]);
    expect(hashes).toHaveLength(5);
    expect(store.load("r1")?.start.inputs).toEqual({ a: "i".repeat(5000) });
    const [sweep] = told.filter((text) => text.startsWith("DELETE FROM contents"));
    const plan = beside.prepare(`EXPLAIN QUERY PLAN ${sweep}`).all();
    // What is done for each of the contents anew.
    const again = new Set<unknown>();
    for (const { id, parent, detail } of plan) if (String(detail).startsWith("CORRELATED") || again.has(parent)) again.add(id);
    expect(plan.filter(({ id, detail }) => again.has(id) && String(detail).startsWith("SCAN"))).toEqual([]);
    expect(again.size).toBeGreaterThan(0);
    beside.close();
    store.close();
  });

  test("stops reading at a record that was changed", () => {
    const store = sqliteStore(file());
    const fence = store.begin(startOf("r1"), "me", 1000);
    for (const each of [event(1), event(2), event(3)]) store.append("r1", fence, [each]);
    store.close();
    const db = new DatabaseSync(file());
    db.exec("UPDATE records SET body = replace(body, 'm2', 'mX') WHERE n = 2");
    db.close();
    const again = sqliteStore(file());
    const loaded = again.load("r1");
    expect(loaded?.events.map((e) => e.seq)).toEqual([1]);
    expect(loaded?.damaged).toBe("record 2 of the run r1 does not fit its checksum");
    expect(again.check()).toEqual([loaded?.damaged]);
    again.close();
  });

  test("gives nothing of a record of which a part cannot be read, since mending sets all of it aside", () => {
    const store = sqliteStore(file());
    const fence = store.begin(startOf("r1"), "me", 1000);
    store.append("r1", fence, [event(1)]);
    store.append("r1", fence, [event(2), result("a", "x"), result("large", "y".repeat(50_000)), event(3)]);
    const db = new DatabaseSync(file());
    db.exec("UPDATE contents SET body = replace(body, 'yyyyyyyyyy', 'z')");
    db.close();
    const seen = () => [store.load("r1")?.events.map((e) => e.seq), [...(store.load("r1")?.results.keys() ?? [])]];
    expect(seen()).toEqual([[1], []]);
    store.mend("r1", fence);
    expect(seen()).toEqual([[1], []]);
    store.close();
  });

  test("keeps what is committed together in one row, in order", () => {
    const store = sqliteStore(file(), { sensitive: (path) => path === "sealed" });
    const fence = store.begin(startOf("r1"), "me", 1000);
    const records = [event(1), result("a", "x\ny\u2028z"), event(2), result("large", "y".repeat(50_000)), result("sealed", "s"), event(3)];
    store.append("r1", fence, records);
    store.append("r1", fence, [event(4)]);
    store.append("r1", fence, []);
    expect(store.load("r1")?.events.map((e) => e.seq)).toEqual([1, 2, 3, 4]);
    const results = [...(store.load("r1")?.results.values() ?? [])].map((each) => ({ kind: "result", ...each }));
    expect(results.sort((a, b) => a.path.localeCompare(b.path))).toEqual(records.filter((each) => each.kind === "result"));
    store.close();
    const db = new DatabaseSync(file());
    const rows = db.prepare("SELECT n, kind FROM records ORDER BY n").all();
    db.close();
    expect(rows.map((row) => `${row["n"]} ${row["kind"]}`)).toEqual(["1 list", "2 list"]);
  });

  test("keeps what is committed together in several rows where it is very large or very much", () => {
    const store = sqliteStore(file());
    const fence = store.begin(startOf("r1"), "me", 1000);
    const many = Array.from({ length: 1300 }, (_, i) => event(i));
    store.append("r1", fence, many);
    store.append("r1", fence, [event(1300), ...Array.from({ length: 400 }, (_, i) => result(`a${i}`, "y".repeat(3900)))]);
    expect(store.load("r1")?.events.map((e) => e.seq)).toEqual(Array.from({ length: 1301 }, (_, i) => i));
    expect(store.load("r1")?.results.size).toBe(400);
    store.close();
    const db = new DatabaseSync(file());
    const rows = db.prepare("SELECT json_array_length(body) AS entries FROM records ORDER BY n").all();
    db.close();
    expect(rows.map((row) => row["entries"])).toEqual([512, 394, 394, 201, 200]);
  });

  test("reads what earlier versions kept, a row for every record or a line, and goes on after it", () => {
    const first = sqliteStore(file(), { sensitive: (path) => path === "sealed" });
    const fence = first.begin(startOf("r1"), "me", 1000);
    first.append("r1", fence, [result("sealed", "s")]);
    const db = new DatabaseSync(file());
    const [sealed] = JSON.parse(String(db.prepare("SELECT body FROM records").get()?.["body"])) as [string];
    db.exec("DELETE FROM records");
    const text = (record: StoreRecord): string => JSON.stringify(record.kind === "event" ? record.event : { ...record, kind: undefined });
    const large = text(result("large", "y".repeat(5000)));
    const hash = createHash("sha256").update(large).digest("hex");
    db.prepare("INSERT INTO contents (hash, body) VALUES (?, ?)").run(hash, large);
    const rows = [
      ["event", text(event(1))],
      ["result", text(result("a", 1))],
      ["result", `@${hash}`],
      ["batch", [text(event(2)), `>${text(result("b", "x\ny"))}`, `>${sealed}`, text(event(3))].join("\n")],
    ] as const;
    for (const [i, [kind, body]] of rows.entries())
      db.prepare("INSERT INTO records (run, n, kind, body, sum) VALUES ('r1', ?, ?, ?, ?)").run(
        i + 1,
        kind,
        body,
        kind === "batch" ? crc32(body, i + 1) : hash53(`${i + 1} ${body}`, 7),
      );
    db.close();
    first.close();
    const again = sqliteStore(file());
    again.append("r1", fence, [event(4)]);
    const loaded = again.load("r1");
    expect(loaded).toMatchObject({ damaged: undefined, events: [{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }] });
    const value = (path: string): unknown => loaded?.results.get(path)?.outcome;
    expect(["a", "b", "large", "sealed"].map(value)).toMatchObject([
      { value: 1 },
      { value: "x\ny" },
      { value: "y".repeat(5000) },
      { value: "s" },
    ]);
    again.close();
  });

  test("takes records from nobody but the owner, also when there are none", () => {
    const store = sqliteStore(file());
    const other = sqliteStore(file());
    const fence = store.begin(startOf("r1"), "me", 1000);
    store.append("r1", fence, [event(1)]);
    const taken = other.acquire("r1", "me", 1000);
    if (taken.kind !== "held") throw new Error("the run was not taken over");
    other.append("r1", taken.fence, [event(2)]);
    expect(() => store.append("r1", fence, [event(3)])).toThrow("taken over");
    expect(() => store.append("r1", fence, [])).toThrow("taken over");
    other.append("r1", taken.fence, [event(4)]);
    expect(other.load("r1")?.events.map((e) => e.seq)).toEqual([1, 2, 4]);
    store.close();
    other.close();
  });

  test("seals what is sensitive: the file does not hold it", () => {
    const store = sqliteStore(file(), { sensitive: (path) => path === "main/login" });
    const fence = store.begin(startOf("r1"), "me", 1000);
    store.append("r1", fence, [result("main/login", "hunter2-token"), result("main/open", "plain-token")]);
    expect(store.load("r1")?.results.get("main/login")?.outcome).toEqual({ kind: "value", value: "hunter2-token" });
    store.close();
    const bytes = readFileSync(file()).toString("latin1");
    expect(bytes).toContain("plain-token");
    expect(bytes).not.toContain("hunter2");
    expect(statSync(join(folder, ".weave", "key")).mode & 0o077).toBe(0);
  });

  test("does not hold the name of a lock in clear, and takes one at once from a process that has ended", () => {
    const ended = new Set<string>();
    const store = sqliteStore(file(), { hasEnded: (owner) => ended.has(owner) });
    for (const run of ["a", "b"]) store.begin(startOf(run), run, 60_000);
    const turn = (run: string) => store.lock(run, 1, { name: "user-hunter2", back: undefined, waiting: [`${run}/1`], dead: undefined });
    expect([turn("a").kind, turn("b").kind]).toEqual(["held", "taken"]);
    ended.add("a");
    expect(turn("b")).toEqual({ kind: "held", path: "b/1", from: "a" });
    store.close();
    expect(readFileSync(file()).toString("latin1")).not.toContain("hunter2");
  });

  test("of a newer version is refused, and so is a file that is no store", () => {
    sqliteStore(file()).close();
    const db = new DatabaseSync(file());
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(() => sqliteStore(file())).toThrow("newer Weave");
    const other = join(folder, "other.db");
    writeFileSync(other, "this is not a database, it is a text of some length".repeat(40));
    expect(() => sqliteStore(other)).toThrow("damaged");
  });

  test("makes what a person asked of a run durable before it says that it is done", () => {
    let syncs = 0;
    const log = (database: string): Log => {
      const real = logOf(database);
      return {
        ...real,
        sync: () => {
          syncs++;
          real.sync();
        },
      };
    };
    const store = sqliteStore(file(), { log });
    store.begin(startOf("r1"), "me", 1000);
    expect([store.request("r1", "cancel"), syncs]).toEqual([true, 1]);
    store.answer("r1", "main/ask", 1);
    expect(syncs).toBe(2);
    store.close();
  });

  test("named by a link or from the current folder has its log where SQLite keeps it, wherever one goes then", () => {
    sqliteStore(file()).close();
    const link = join(folder, "link.db");
    symlinkSync(file(), link);
    for (const [run, name] of [
      ["r1", link],
      ["r2", relative(process.cwd(), file())],
    ] as const) {
      const logs: string[] = [];
      const log = (database: string): Log => {
        logs.push(database);
        return logOf(database);
      };
      const store = sqliteStore(name, { log });
      store.append(run, store.begin(startOf(run), "me", 1000), [event(1)]);
      store.sync();
      store.close();
      expect(logs).toEqual([realpathSync(file())]);
    }
  });

  test("keeps no more of a log than is needed, however many processes come and go", () => {
    const used = (run: string): void => {
      const store = sqliteStore(file());
      const fence = store.begin(startOf(run), "me", 1000);
      store.append(run, fence, [event(1)]);
      store.settle(run, fence, "completed", { costUsd: 0, calls: 0 });
      store.close();
    };
    // As long as one has it open, the log is not deleted.
    const first = sqliteStore(file());
    const fence = first.begin(startOf("first"), "me", 1000);
    first.append("first", fence, [result("a", "y".repeat(1 << 20))]);
    const size = (): number => statSync(`${file()}-wal`).size;
    used("r0");
    const before = size();
    for (let i = 1; i <= 40; i++) used(`r${i}`);
    // Each writes some pages, and what is kept free behind them is a megabyte at most.
    expect(size()).toBeLessThan(before + 40 * (1 << 15) + (1 << 20));
    // And one that goes on finds room before it, so that the file does not grow with each commit.
    const sizes = new Set<number>();
    for (let i = 1; i <= 40; i++) {
      first.append("first", fence, [event(i)]);
      sizes.add(size());
    }
    expect(sizes.size).toBeLessThanOrEqual(2);
    first.close();
  });

  test("a second process that wants the run is told who has it", () => {
    const one = sqliteStore(file());
    const two = sqliteStore(file());
    one.begin(startOf("r1"), "one", 60_000);
    expect(two.acquire("r1", "two", 1000)).toMatchObject({ kind: "taken", owner: "one" });
    one.close();
    two.close();
  });
});
