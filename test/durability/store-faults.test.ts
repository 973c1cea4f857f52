/** What holds when the disk under a store fails: nothing that was safe is lost, nothing wrong is read, no effect is repeated. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logOf } from "../../src/host/store/log.js";
import { MIGRATIONS } from "../../src/host/store/migrations.js";
import { readOnlyStore } from "../../src/host/store/open.js";
import { salvage } from "../../src/host/store/salvage.js";
import { sqliteStore } from "../../src/host/store/sqlite.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { randomFor } from "../../src/runtime/hash.js";
import { type Store, StoreError, type StoreRecord } from "../../src/runtime/store.js";
import { carry, graphOf, world } from "../support/crashing.js";
import { type DurableProgram, durableHead, durablePrograms } from "../support/durable-programs.js";
import { cutShort, diskFaults, failing, failingOnce, snapshot, tear } from "../support/faulty-disk.js";
import { broken } from "../support/invariants.js";

const WALL = Date.UTC(2026, 0, 1);
const NOW = { now: () => WALL };
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weave-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program: DurableProgram = {
  source: `${durableHead}flow main() -> int {\n  let a = t(put(t(1)))\n  let xs = @parallel(2) map x in range(4) { slow(x) }\n  let g = Guess(a).n\n  put(a + len(xs)) + g - g\n}\n`,
};
const before = { run: "r1", records: [], seed: 5 };
const finishedIn = (events: readonly RunEvent[]): ReadonlySet<string> =>
  new Set(events.flatMap((e) => (e.kind === "call.completed" && e.of === "tool" ? [e.path] : [])));

describe.each(diskFaults)("a disk with %s", (fault) => {
  test("stops the run at any commit, loses nothing that was safe, and the run goes on when the disk is well again", async () => {
    const graph = graphOf(program);
    const whole = await carry(graph, program, world());
    for (let n = 3; n < 60; n++) {
      const file = join(folder, `${n}`, "weave.db");
      const bad = sqliteStore(file, { ...NOW, ...failing(fault, n) });
      const seen = world();
      const { result } = await carry(graph, program, seen, undefined, undefined, {}, { store: bad });
      bad.close();
      if (result.problems.length === 0) {
        expect(n).toBeGreaterThan(8);
        return;
      }
      expect(result).toMatchObject({ status: "failed", problems: [{ code: "W0910" }] });
      const good = sqliteStore(file, NOW);
      const left = good.load("r1");
      expect(left?.damaged).toBeUndefined();
      const intents = new Set(left?.events.flatMap((e) => (e.kind === "call.attempted" && e.effect ? [e.path] : [])));
      expect(seen.calls.filter((path) => /put/.test(path) && !intents.has(path))).toEqual([]);
      const again = world();
      // A person says what the world saw.
      const ask = ({ path }: { path: string }) =>
        Promise.resolve({ happened: seen.calls.includes(path), value: path === "main/put" ? 2 : 7 });
      const second = await carry(graph, program, again, before, undefined, {}, { store: good, options: { ask } });
      expect([second.result.status, second.result.value], `commit ${n}`).toEqual([whole.result.status, whole.result.value]);
      const done = finishedIn(left?.events ?? []);
      expect(again.calls.filter((path) => done.has(path))).toEqual([]);
      expect([...seen.calls, ...again.calls].filter((path) => path === "main/put")).toHaveLength(1);
      expect(broken(second.stored.events)).toEqual([]);
      good.close();
    }
    expect.unreachable("the run never got past the faults");
  });
});

describe("a log of which one sync failed", () => {
  const log = () => {
    const file = join(folder, "db");
    writeFileSync(`${file}-wal`, "");
    return logOf(file, failingOnce(1));
  };
  const soon = (of: ReturnType<typeof log>) => new Promise((then) => of.syncSoon(then));

  test("says so to whoever waits or comes later: the system tells of it once, and what was not written is lost", async () => {
    const bad = log();
    expect(await Promise.all([soon(bad), soon(bad)])).toMatchObject([{ code: "EIO" }, { code: "EIO" }]);
    expect(await soon(bad)).toMatchObject({ code: "EIO" });
    expect(() => bad.sync()).toThrow("EIO");
    bad.close();
  });

  test("says so too when the failed one was waited for", async () => {
    const bad = log();
    expect(() => bad.sync()).toThrow("EIO");
    expect(() => bad.sync()).toThrow("EIO");
    expect(await soon(bad)).toMatchObject({ code: "EIO" });
    bad.close();
  });
});

describe("a power cut", () => {
  test("leaves a beginning of the journal wherever the log ends or is torn, and the run goes on from there", async () => {
    const file = join(folder, "whole", "weave.db");
    const store = sqliteStore(file, NOW);
    const graph = graphOf(program);
    const whole = await carry(graph, program, world(), undefined, undefined, {}, { store });
    const size = statSync(`${file}-wal`).size;
    const random = randomFor(1, "power cut");
    let carried = 0;
    for (let i = 0; i < 60; i++) {
      const at = join(folder, `cut-${i}`, "weave.db");
      snapshot(file, at);
      const where = Math.floor(random() * size);
      if (i % 2 === 0) cutShort(`${at}-wal`, where);
      else tear(`${at}-wal`, where, 1 + Math.floor(random() * 600));
      const cut = sqliteStore(at, NOW);
      const left = cut.load("r1");
      if (left !== undefined) {
        expect(left.damaged).toBeUndefined();
        expect(left.events).toEqual(whole.stored.events.slice(0, left.events.length));
        if (left.status !== "completed" && i % 4 < 2) {
          carried++;
          const again = world();
          const second = await carry(graph, program, again, before, undefined, {}, { store: cut });
          expect(second.result).toMatchObject({ status: "completed", value: whole.result.value });
          const done = finishedIn(left.events);
          expect(again.calls.filter((path) => done.has(path))).toEqual([]);
        }
      }
      expect(cut.check()).toEqual([]);
      cut.close();
    }
    expect(carried).toBeGreaterThan(5);
    store.close();
  });
});

describe("pages that were torn", () => {
  /** A store with several finished runs, closed, so that all is in one file. */
  async function manyRuns(): Promise<{ file: string; events: ReadonlyMap<string, readonly RunEvent[]> }> {
    const file = join(folder, "many", "weave.db");
    const store = sqliteStore(file, NOW);
    const events = new Map<string, readonly RunEvent[]>();
    let i = 0;
    for (const name of ["chain", "agents", "map with a limit", "saga", "vote"]) {
      const of = durablePrograms.get(name);
      if (of === undefined) throw new Error(name);
      const { batches, result } = await carry(graphOf(of), of, world());
      const run = `r${++i}`;
      const start = { run, file: "a.weave", flow: "main", graph: graphOf(of), inputs: {}, seed: 5, options: {}, startedAt: WALL + i };
      const fence = store.begin(start, "dead", 0);
      store.append(run, fence, batches.flat());
      store.settle(run, fence, result.status, { costUsd: 0, calls: 0 });
      events.set(run, store.load(run)?.events ?? []);
    }
    store.close();
    return { file, events };
  }

  test("are never read as something else, and what is whole is saved into a new file", async () => {
    const { file, events } = await manyRuns();
    const pages = Math.floor(statSync(file).size / 4096);
    const random = randomFor(2, "pages");
    const saved = { whole: 0, cut: 0, lost: 0, damaged: 0 };
    for (let i = 0; i < 50; i++) {
      const at = join(folder, `torn-${i}`, "weave.db");
      snapshot(file, at);
      const page = Math.floor(random() * pages);
      tear(at, page * 4096 + Math.floor(random() * 3000), 16 + Math.floor(random() * 1200));
      let problems: readonly string[] = [];
      try {
        const store = sqliteStore(at, NOW);
        problems = store.check();
        for (const [run, told] of events) {
          let found: readonly RunEvent[] = [];
          try {
            found = store.load(run)?.events ?? [];
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(StoreError);
          }
          expect(found).toEqual(told.slice(0, found.length));
        }
        store.close();
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(StoreError);
        problems = [String(thrown)];
      }
      if (problems.length === 0) continue;
      saved.damaged++;
      const { cut, lost, aside } = salvage(at, () => false, WALL);
      expect(statSync(aside).size).toBe(statSync(file).size);
      const mended = sqliteStore(at, NOW);
      expect(mended.check()).toEqual([]);
      for (const [run, told] of events) {
        const found = mended.load(run);
        if (found === undefined) saved.lost++;
        else if (cut.includes(run)) {
          saved.cut++;
          expect(found.events.at(-1)?.kind).toBe("run.mended");
          expect(found.events.slice(0, -1)).toEqual(told.slice(0, found.events.length - 1));
        } else {
          saved.whole++;
          expect(found.events).toEqual(told);
        }
      }
      expect(lost.length).toBeLessThanOrEqual(5);
      mended.close();
    }
    expect(saved.damaged).toBeGreaterThan(20);
    // A torn page costs the runs that stand in it and no others, but for the page that says where everything is.
    expect(saved.whole).toBeGreaterThan(2 * (saved.cut + saved.lost));
  });

  test("of which nothing can be read leave an empty store and the file as it was", () => {
    const file = join(folder, "bad", "weave.db");
    sqliteStore(file).close();
    tear(file, 0, 4096);
    const { runs, aside } = salvage(file, () => false, WALL);
    expect(runs).toBe(0);
    expect(readdirSync(join(folder, "bad"))).toContain(aside.split("/").at(-1));
    const store = sqliteStore(file);
    expect([store.list(), store.check()]).toEqual([[], []]);
    store.close();
  });

  test("are not touched while a process writes, nor in a store of a newer version", async () => {
    const { file } = await manyRuns();
    const store = sqliteStore(file, NOW);
    expect(store.acquire("r1", "process 1 on here", 60_000).kind).toBe("held");
    expect(() => salvage(file, () => true, WALL)).toThrow("the run r1 is being carried out by process 1 on here: stop it first");
    store.close();
    const db = new DatabaseSync(file);
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(() => salvage(file, () => false, WALL)).toThrow("newer Weave");
  });
});

describe("a damaged record", () => {
  test("is set aside when the run goes on, with all behind it, and what is written then can be read", async () => {
    const file = join(folder, "one", "weave.db");
    const store = sqliteStore(file, NOW);
    const graph = graphOf(program);
    const whole = await carry(graph, program, world(), undefined, undefined, {}, { store });
    const n = whole.stored.events.findIndex((e) => e.kind === "call.completed" && e.path === "main/put") + 3;
    store.close();
    const db = new DatabaseSync(file);
    db.exec(`UPDATE records SET body = replace(body, '"', ' ') WHERE n = ${n}`);
    db.exec("UPDATE runs SET status = 'running', owner = NULL");
    db.close();
    const again = sqliteStore(file, NOW);
    expect(again.load("r1")?.damaged).toContain(`record ${n} of the run r1`);
    const seen = world();
    const ask = ({ path }: { path: string }) => Promise.resolve({ happened: path === "main/put#2", value: 7 });
    const second = await carry(graph, program, seen, before, undefined, {}, { store: again, options: { ask } });
    expect(second.result).toMatchObject({ status: "completed", value: whole.result.value });
    expect(seen.calls.filter((path) => path.startsWith("main/put"))).toEqual([]);
    expect(again.load("r1")?.damaged).toBeUndefined();
    expect(again.load("r1")?.events.at(-1)?.kind).toBe("run.completed");
    expect(again.check()).toEqual([]);
    again.close();
  });
});

describe("a damaged program", () => {
  test("is written again with the next run of it", () => {
    const file = join(folder, "program", "weave.db");
    const store = sqliteStore(file, NOW);
    const start = { run: "r1", file: "a.weave", flow: "main", graph: graphOf(program), inputs: {}, seed: 5, options: {}, startedAt: WALL };
    store.begin(start, "me", 0);
    const db = new DatabaseSync(file);
    expect(db.prepare("UPDATE contents SET body = substr(body, 2)").run().changes).toBe(1);
    db.close();
    store.begin({ ...start, run: "r2" }, "me", 0);
    expect(store.load("r2")?.start.graph).toEqual(graphOf(program));
    expect(store.check()).toEqual([]);
    store.close();
  });
});

describe("a damaged large result", () => {
  const large = { kind: "result", path: "main/t", guard: "g", outcome: { kind: "value", value: "y".repeat(9000) } } satisfies StoreRecord;
  const value = (store: Store, run: string): unknown => store.load(run)?.results.get("main/t")?.outcome;
  const begin = (store: Store, run: string, inputs: Readonly<Record<string, unknown>> = {}): number =>
    store.begin({ run, file: "a.weave", flow: "main", graph: graphOf(program), inputs, seed: 5, options: {}, startedAt: WALL }, "me", 0);
  const damage = (file: string, run: string): void => {
    const db = new DatabaseSync(file);
    db.prepare(
      "UPDATE contents SET body = substr(body, 1, 500) || 'AAAA' || substr(body, 505) WHERE hash IN (SELECT hash FROM large_results WHERE run = ?)",
    ).run(run);
    db.close();
  };

  test.each([
    ["in clear", false],
    ["sealed", true],
  ])("is written again when it is given again (%s), by the run that is mended or by another", (_, sealed) => {
    const file = join(folder, "again", "weave.db");
    const open = (): Store => sqliteStore(file, { ...NOW, sensitive: () => sealed });
    const first = open();
    const fence = begin(first, "r1");
    first.append("r1", fence, [large]);
    first.append("r1", fence, [large]);
    damage(file, "r1");
    expect(first.load("r1")?.damaged).toContain("a large result in record 1");
    first.mend("r1", fence);
    first.append("r1", fence, [large]);
    expect(first.load("r1")?.damaged).toBeUndefined();
    expect(value(first, "r1")).toEqual(large.outcome);
    first.close();
    damage(file, "r1");
    const second = open();
    second.append("r2", begin(second, "r2"), [large]);
    expect(value(second, "r2")).toEqual(large.outcome);
    // The same one stands for every run that gave it.
    expect(value(second, "r1")).toEqual(large.outcome);
    expect(second.check()).toEqual([]);
    second.close();
  });

  test.each([
    ["in clear", false],
    ["sealed", true],
  ])("is not carried into a repaired store (%s), and a whole one is", (_, sealed) => {
    const file = join(folder, "repaired", "weave.db");
    const open = (): Store => sqliteStore(file, { ...NOW, sensitive: () => sealed });
    const store = open();
    const inputs = { a: "i".repeat(9000) };
    store.append("r1", begin(store, "r1", inputs), [large]);
    const other: StoreRecord = { ...large, outcome: { kind: "value", value: "z".repeat(9000) } };
    store.append("r2", begin(store, "r2"), [other]);
    store.close();
    damage(file, "r2");
    expect(salvage(file, () => false, WALL)).toMatchObject({ runs: 2, lost: [] });
    const again = open();
    expect(again.check()).toEqual([]);
    expect(again.load("r1")?.start.inputs).toEqual(inputs);
    expect([value(again, "r1"), value(again, "r2")]).toEqual([large.outcome, undefined]);
    again.close();
  });
});

describe("a store", () => {
  test("that may only be read, with a log beside it, can be looked at as well, and is not written to a copy", async () => {
    const file = join(folder, "ro-log", "weave.db");
    const store = sqliteStore(file, NOW);
    await carry(graphOf(program), program, world(), undefined, undefined, {}, { store });
    // As a process that died left it.
    const left = join(folder, "ro-left", "weave.db");
    mkdirSync(dirname(left));
    for (const end of ["", "-wal"]) copyFileSync(`${file}${end}`, `${left}${end}`);
    copyFileSync(join(dirname(file), "key"), join(dirname(left), "key"));
    store.close();
    const looked = readOnlyStore(left);
    expect(looked.load("r1")?.events.length).toBeGreaterThan(10);
    expect(() => looked.acquire("r1", "me", 1000)).toThrow("it may only be read");
    looked.close();
  });

  test("that may only be read can be looked at, and says so when it is written", async () => {
    const file = join(folder, "ro", "weave.db");
    const store = sqliteStore(file, NOW);
    await carry(graphOf(program), program, world(), undefined, undefined, {}, { store });
    store.close();
    const looked = readOnlyStore(file);
    expect(looked.load("r1")?.events.length).toBeGreaterThan(10);
    expect(looked.list()).toHaveLength(1);
    expect(() => looked.acquire("r1", "me", 1000)).toThrow("it may only be read");
    looked.close();
  });

  test.each(MIGRATIONS.map((_, i) => i + 1))("of schema %i is migrated and its runs go on", async (version) => {
    const file = join(folder, "old", "weave.db");
    sqliteStore(join(folder, "key-maker", "weave.db")).close();
    const graph = graphOf(program);
    const whole = await carry(graph, program, world());
    const db = new DatabaseSync(join(folder, "old.db"));
    for (const migration of MIGRATIONS.slice(0, version)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${version}`);
    db.close();
    snapshot(join(folder, "old.db"), file);
    const store = sqliteStore(file, NOW);
    const records = whole.batches.slice(0, 4).flat();
    const start = { run: "r1", file: "a.weave", flow: "main", graph, inputs: {}, seed: 5, options: {}, startedAt: WALL };
    store.append("r1", store.begin(start, "dead", 0), records);
    const second = await carry(graph, program, world(), before, undefined, {}, { store });
    expect(second.result).toMatchObject({ status: "completed", value: whole.result.value });
    store.close();
  });

  test("has one owner, also when the clock was set back by a day", () => {
    let now = WALL;
    const store = sqliteStore(join(folder, "clock", "weave.db"), { now: () => now });
    const start = { run: "r1", file: "a.weave", flow: "main", graph: graphOf(program), inputs: {}, seed: 5, options: {}, startedAt: WALL };
    store.begin(start, "dead", 15_000);
    now -= 86_400_000;
    expect(store.acquire("r1", "me", 15_000)).toEqual({ kind: "taken", owner: "dead", until: now + 15_000 });
    now += 15_001;
    expect(store.acquire("r1", "me", 15_000).kind).toBe("held");
    store.close();
  });
});
