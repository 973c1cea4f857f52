/**
 * One measure of durability in a process of its own; prints milliseconds. `chain n` and `fan-out n` are kept in a store in
 * a file, `inserts n` and `batches n` are as many records written bare with the same settings, `resume n` is the time to
 * carry on a run whose n items are all done.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { realClock } from "../src/host/clock.js";
import { sqliteStore } from "../src/host/store/sqlite.js";
import { temporaryWorktrees } from "../src/host/worktree/temporary.js";
import type { Graph, NodeIR } from "../src/plan/ir.js";
import { type Keeping, resumeKept, runKept } from "../src/runtime/durable.js";
import type { RunOptions } from "../src/runtime/options.js";
import type { StoredRun } from "../src/runtime/store.js";
import * as f from "../test/support/flows.js";

const [name = "", size = "1000"] = process.argv.slice(2);
const n = Number(size);
const folder = mkdtempSync(join(tmpdir(), "weave-durable-"));
const options: RunOptions = {
  clock: realClock(),
  tools: {
    load: () => Promise.resolve(async ({ x }: Readonly<Record<string, unknown>>) => x),
    exec: () => Promise.reject(new Error("no programs here")),
    http: () => Promise.reject(new Error("no network here")),
    mcp: () => Promise.reject(new Error("no servers here")),
    close: () => Promise.resolve(),
    directory: process.cwd(),
    worktrees: temporaryWorktrees,
  },
  models: { provider: () => ({ missing: "provider", known: [] }) },
  environment: () => undefined,
};

function chain(): Graph {
  const nodes: NodeIR[] = [];
  for (let i = 0; i < n; i++) {
    const before = i === 0 ? f.k(0) : f.r(`c${i - 1}`);
    nodes.push(f.call(`c${i}`, "t", { x: before }, { segment: `c${i}`, deps: i === 0 ? [] : [`c${i - 1}`] }));
  }
  return f.graph({ tools: [f.tool("t")], flows: [f.flow("main", [], f.body(nodes, f.r(`c${n - 1}`)))] });
}

function fanOut(): Graph {
  const inner = f.body([f.call("c", "t", { x: f.r("x") })], f.r("c"));
  const node = f.map("xs", f.fn("range", f.k(n)), "x", inner, { policies: { parallel: { max: f.k(100) } } });
  return f.graph({ tools: [f.tool("t")], flows: [f.flow("main", [], f.body([node], f.r("xs")))] });
}

function bare(batch: number): number {
  const db = new DatabaseSync(join(folder, "bare.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE r (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
  const insert = db.prepare("INSERT INTO r (body) VALUES (?)");
  const body = "x".repeat(180);
  const start = performance.now();
  for (let i = 0; i < n; i += batch) {
    db.exec("BEGIN IMMEDIATE");
    // A call is told by two records: that it started and how it ended.
    for (let j = 0; j < batch * 2; j++) insert.run(body);
    db.exec("COMMIT");
  }
  const ms = performance.now() - start;
  db.close();
  return ms;
}

async function kept(graph: Graph): Promise<number> {
  const store = sqliteStore(join(folder, "weave.db"));
  const keeping: Keeping = { store, owner: "bench", soon: setImmediate };
  const start = performance.now();
  const result = await runKept(graph, "main", {}, { ...options, id: "r1" }, keeping, { file: "bench.weave", options: {} }).result;
  const ms = performance.now() - start;
  if (result.status !== "completed") throw new Error(result.failure?.message ?? result.status);
  store.close();
  return ms;
}

async function resumed(): Promise<number> {
  await kept(fanOut());
  const db = new DatabaseSync(join(folder, "weave.db"));
  // As if the process had died before the flow's own result was written.
  const last = db.prepare('SELECT n FROM records WHERE body LIKE \'%"kind":"region.completed"%\'').get();
  db.prepare("DELETE FROM records WHERE n >= ?").run(Number(last?.["n"] ?? 0));
  db.close();
  const start = performance.now();
  const store = sqliteStore(join(folder, "weave.db"));
  const stored: StoredRun | undefined = store.load("r1");
  const lease = store.acquire("r1", "bench", 60_000);
  if (stored === undefined || lease.kind !== "held") throw new Error("the run cannot be resumed");
  const result = await resumeKept(stored, options, { store, owner: "bench", soon: setImmediate }, { fence: lease.fence }).result;
  const ms = performance.now() - start;
  if (result.status !== "completed" || result.spend.reused < n) throw new Error(`${result.status}, ${result.spend.reused} reused`);
  store.close();
  return ms;
}

try {
  const cases: Readonly<Record<string, () => number | Promise<number>>> = {
    chain: () => kept(chain()),
    "fan-out": () => kept(fanOut()),
    inserts: () => bare(1),
    batches: () => bare(100),
    resume: resumed,
  };
  const found = cases[name];
  if (found === undefined) throw new Error(`there is no case ${name}`);
  console.log(await found());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
