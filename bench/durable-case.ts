/**
 * One measurement of runs that are kept, in a process of its own, with the library as it is published: `durable-case CASE
 * SIZE` prints figures as JSON. `chain` and `fan-out` give the milliseconds of the run, the milliseconds of inserting the
 * same records bare into a file beside it with the same settings, the bytes of a record and the bytes on disk of a call.
 * `kept` is the fan-out alone, for its memory; `resume` gives the milliseconds from opening the store to the result, for a run whose calls are all finished.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type * as Library from "../src/index.ts";
import type { ToolFunction } from "../src/index.ts";

const { compile, openStore, resume, run } = (await import(join(import.meta.dirname, "..", "dist", "index.js"))) as typeof Library;

const [name = "", size = "0"] = process.argv.slice(2);
const n = Number(size);
const folder = mkdtempSync(join(tmpdir(), "weave-durable-"));
const file = join(folder, ".weave", "weave.db");
const step: ToolFunction = ({ n: value }) => value;
const tools = { step };
const TOOL = 'tool step(n: int) -> int = module("./step.ts")\n';
const FAN_OUT = `${TOOL}flow main(size: int) -> int { @parallel(100) map n in range(size) { step(n) } |> sum }\n`;
const CHAIN = `${TOOL}flow main(size: int) -> int {\n${Array.from({ length: n }, (_, i) => `  let v${i} = step(${i === 0 ? "size" : `v${i - 1}`})\n`).join("")}  v${n - 1}\n}\n`;

/** Milliseconds of a run that is kept. */
async function kept(source: string, input: number): Promise<number> {
  const flow = (await compile("bench.weave", { sources: { "bench.weave": source } })).flow("main");
  const store = openStore(file);
  const start = performance.now();
  await run(flow, { size: input }, { tools, store, onEvent: () => undefined }).result;
  const ms = performance.now() - start;
  store.close();
  return ms;
}

/** Texts of the records of the run, a list for each commit. */
function commits(): string[][] {
  const db = new DatabaseSync(file);
  const rows = db.prepare("SELECT body FROM records ORDER BY n").all();
  db.close();
  return rows.map((row) => (JSON.parse(String(row["body"])) as unknown[]).map((record) => JSON.stringify(record)));
}

function onDisk(): number {
  const inside = join(folder, ".weave");
  return readdirSync(inside).reduce((bytes, each) => bytes + statSync(join(inside, each)).size, 0);
}

/** Milliseconds of writing texts bare, a full sync for each group, and the bytes of the file. */
function bare(groups: readonly (readonly string[])[]): number {
  const db = new DatabaseSync(join(folder, "bare.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE r (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT");
  const insert = db.prepare("INSERT INTO r (body) VALUES (?)");
  const start = performance.now();
  for (const group of groups) {
    if (group.length > 1) db.exec("BEGIN IMMEDIATE");
    for (const text of group) insert.run(text);
    if (group.length > 1) db.exec("COMMIT");
  }
  const ms = performance.now() - start;
  db.close();
  return ms;
}

async function writing(source: string, input: number, grouped: (commits: string[][]) => string[][]): Promise<object> {
  const ms = await kept(source, input);
  const written = commits();
  const records = written.flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return { ms, bareMs: bare(grouped(written)), recordBytes: records / n, diskBytes: onDisk() / n };
}

/** Records in batches of as many calls as go on at once, whatever the run committed together. */
function batches(records: readonly string[]): string[][] {
  const size = Math.ceil((records.length / n) * 100);
  return Array.from({ length: Math.ceil(records.length / size) }, (_, i) => records.slice(i * size, (i + 1) * size));
}

async function resumed(): Promise<object> {
  await kept(FAN_OUT, n);
  const db = new DatabaseSync(file);
  // As if the process had died when the last call had ended.
  const last = db.prepare(`SELECT n FROM records WHERE body LIKE '%"kind":"region.completed"%'`).get();
  db.prepare("DELETE FROM records WHERE n >= ?").run(Number(last?.["n"] ?? 0));
  const id = String(db.prepare("UPDATE runs SET status = 'running', ended_at = NULL RETURNING id").get()?.["id"]);
  db.close();
  const start = performance.now();
  const store = openStore(file);
  const { spend } = await resume(id, { tools, store, onEvent: () => undefined }).result;
  const ms = performance.now() - start;
  store.close();
  if (spend.reused < n) throw new Error(`${spend.reused} reused`);
  return { ms };
}

try {
  const cases: Readonly<Record<string, () => Promise<object>>> = {
    // The records of a call stand in one insert, since each of them waits for its own sync.
    chain: () => writing(CHAIN, 1, (written) => written.map((records) => [records.join("\n")])),
    "fan-out": () => writing(FAN_OUT, n, (written) => batches(written.flat())),
    kept: async () => ({ ms: await kept(FAN_OUT, n) }),
    resume: resumed,
  };
  const found = cases[name];
  if (found === undefined) throw new Error(`there is no case ${name}`);
  console.log(JSON.stringify({ ...(await found()), mb: process.resourceUsage().maxRSS / 1024 }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
