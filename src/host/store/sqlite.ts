/**
 * Runs in SQLite (`node:sqlite`): write-ahead log, a full sync for each commit, one file. Every record carries a checksum
 * of its text; a run is read up to the first record that does not fit it. Texts above a few kB are kept once, by the hash
 * of their content. The schema has a version; a newer one than this program knows is refused, an older one is migrated.
 */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RunEvent } from "../../runtime/events.js";
import { hash53 } from "../../runtime/hash.js";
import {
  type Lease,
  type RunStart,
  type RunSummary,
  type Store,
  type StoredRequest,
  type StoredResult,
  type StoredRun,
  type StoredStatus,
  StoreError,
  type StoreFailure,
  type StoreRecord,
} from "../../runtime/store.js";
import { type Sealing, sealing } from "./sealing.js";

/** Texts longer than this many characters are kept by content hash. */
const LARGE = 4096;

/** Each entry brings a store from the version of its index to the next. Never changed once released. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE runs (
     id TEXT PRIMARY KEY, file TEXT NOT NULL, flow TEXT NOT NULL, graph TEXT NOT NULL, inputs TEXT NOT NULL, seed REAL NOT NULL,
     options TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, status TEXT NOT NULL, cost REAL NOT NULL DEFAULT 0,
     calls INTEGER NOT NULL DEFAULT 0, owner TEXT, lease REAL NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, request TEXT
   ) STRICT;
   CREATE INDEX runs_by_time ON runs (started_at);
   CREATE TABLE records (
     run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, n INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, sum REAL NOT NULL,
     PRIMARY KEY (run, n)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE contents (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE answers (
     run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE, path TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, path)
   ) STRICT, WITHOUT ROWID;`,
];

export interface SqliteOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Values of callables with redacted parts, by the path of the call, are sealed. */
  readonly sensitive?: (path: string) => boolean;
}

/** Opens (or makes) the store in a file; its key stands beside it. */
export function sqliteStore(file: string, options: SqliteOptions = {}): Store {
  const now = options.now ?? Date.now;
  const db = guarded(() => open(file));
  const seals = sealing(join(dirname(file), "key"));
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    let found = statements.get(text);
    if (found === undefined) {
      found = db.prepare(text);
      statements.set(text, found);
    }
    return found;
  };

  const transaction = <T>(work: () => T): T =>
    guarded(() => {
      db.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        db.exec("COMMIT");
        return result;
      } catch (thrown) {
        try {
          db.exec("ROLLBACK");
        } catch {
          // A failed commit has rolled back by itself.
        }
        throw thrown;
      }
    });

  /** A text as it is, or the hash under which it is kept. */
  const put = (text: string): string => {
    if (text.length <= LARGE) return text;
    const hash = createHash("sha256").update(text).digest("hex");
    sql("INSERT OR IGNORE INTO contents (hash, body) VALUES (?, ?)").run(hash, text);
    return `@${hash}`;
  };
  const get = (text: string): string | undefined => {
    if (!text.startsWith("@")) return text;
    const row = sql("SELECT body FROM contents WHERE hash = ?").get(text.slice(1));
    const body = row === undefined ? undefined : String(row["body"]);
    return body !== undefined && createHash("sha256").update(body).digest("hex") === text.slice(1) ? body : undefined;
  };

  const own = (run: string, fence: number): void => {
    const row = sql("SELECT fence FROM runs WHERE id = ?").get(run);
    if (row === undefined) throw new StoreError("io", `the run ${run} is not in the store`);
    if (row["fence"] !== fence) throw new StoreError("fenced", `the run ${run} was taken over by another process`);
  };

  return {
    begin: (start, owner, leaseMs) =>
      transaction(() => {
        sql(
          "INSERT INTO runs (id, file, flow, graph, inputs, seed, options, started_at, status, owner, lease, fence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, 1)",
        ).run(
          start.run,
          start.file,
          start.flow,
          put(JSON.stringify(start.graph)),
          put(inputsText(start, seals)),
          start.seed,
          JSON.stringify(start.options),
          start.startedAt,
          owner,
          now() + leaseMs,
        );
        return 1;
      }),
    append: (run, fence, records) =>
      transaction(() => {
        own(run, fence);
        const last = sql("SELECT coalesce(max(n), 0) AS n FROM records WHERE run = ?").get(run);
        let n = Number(last?.["n"] ?? 0);
        const insert = sql("INSERT INTO records (run, n, kind, body, sum) VALUES (?, ?, ?, ?, ?)");
        for (const record of records) {
          const body = put(recordText(record, seals, options.sensitive));
          n++;
          insert.run(run, n, record.kind, body, hash53(`${n} ${body}`, 7));
        }
      }),
    settle: (run, fence, status, figures) =>
      transaction(() => {
        own(run, fence);
        const over = status === "completed" || status === "failed" || status === "cancelled";
        sql("UPDATE runs SET status = ?, cost = ?, calls = ?, ended_at = ? WHERE id = ?").run(
          status,
          figures.costUsd,
          figures.calls,
          over ? now() : null,
          run,
        );
      }),
    load: (run) => guarded(() => load(run)),
    list: (limit = 100) => guarded(() => sql("SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?").all(limit).map(summary)),
    acquire: (run, owner, leaseMs) =>
      transaction((): Lease => {
        const row = sql("SELECT owner, lease, fence FROM runs WHERE id = ?").get(run);
        if (row === undefined) throw new StoreError("io", `the run ${run} is not in the store`);
        const holder = row["owner"] === null ? undefined : String(row["owner"]);
        const until = Number(row["lease"]);
        if (holder !== undefined && holder !== owner && until > now()) return { kind: "taken", owner: holder, until };
        const fence = Number(row["fence"]) + 1;
        sql("UPDATE runs SET owner = ?, lease = ?, fence = ?, status = 'running', ended_at = NULL, request = NULL WHERE id = ?").run(
          owner,
          now() + leaseMs,
          fence,
          run,
        );
        return { kind: "held", fence };
      }),
    renew: (run, fence, leaseMs) =>
      guarded(() => sql("UPDATE runs SET lease = ? WHERE id = ? AND fence = ?").run(now() + leaseMs, run, fence).changes === 1),
    release: (run, fence) => {
      guarded(() => sql("UPDATE runs SET owner = NULL, lease = 0 WHERE id = ? AND fence = ?").run(run, fence));
    },
    request: (run, what) =>
      guarded(() => sql("UPDATE runs SET request = ? WHERE id = ? AND status IN ('running', 'waiting')").run(what, run).changes === 1),
    requested: (run) =>
      guarded(() => {
        const row = sql("SELECT request FROM runs WHERE id = ?").get(run);
        const found = row?.["request"];
        return found === "pause" || found === "cancel" ? (found satisfies StoredRequest) : undefined;
      }),
    answer: (run, path, value) => {
      transaction(() => sql("INSERT OR REPLACE INTO answers (run, path, value) VALUES (?, ?, ?)").run(run, path, JSON.stringify(value)));
    },
    answers: (run) =>
      guarded(
        () =>
          new Map(
            sql("SELECT path, value FROM answers WHERE run = ?")
              .all(run)
              .map((row) => [String(row["path"]), parsed(String(row["value"]))]),
          ),
      ),
    prune: (before) =>
      transaction(() => {
        const { changes } = sql("DELETE FROM runs WHERE ended_at IS NOT NULL AND ended_at < ?").run(before);
        sql(
          "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM records WHERE body = '@' || hash) AND NOT EXISTS (SELECT 1 FROM runs WHERE graph = '@' || hash OR inputs = '@' || hash)",
        ).run();
        return Number(changes);
      }),
    check: () => check(),
    close: () => {
      statements.clear();
      guarded(() => db.close());
    },
  };

  function load(run: string): StoredRun | undefined {
    const row = sql("SELECT * FROM runs WHERE id = ?").get(run);
    if (row === undefined) return undefined;
    const graph = get(String(row["graph"]));
    const inputs = get(String(row["inputs"]));
    const opened = inputs === undefined ? undefined : openText(inputs, seals);
    if (graph === undefined || opened === undefined) {
      throw new StoreError("corrupt", `what the run ${run} was started with cannot be read; \`weave doctor\` tells more`);
    }
    const events: RunEvent[] = [];
    const results = new Map<string, StoredResult>();
    let damaged: string | undefined;
    let expected = 0;
    for (const record of sql("SELECT n, kind, body, sum FROM records WHERE run = ? ORDER BY n").iterate(run)) {
      expected++;
      const body = String(record["body"]);
      const text = get(body);
      if (Number(record["n"]) !== expected || hash53(`${expected} ${body}`, 7) !== record["sum"] || text === undefined) {
        damaged = `record ${expected} of the run ${run} does not fit its checksum`;
        break;
      }
      if (record["kind"] === "event") events.push(parsed(text) as RunEvent);
      else {
        const plain = openText(text, seals);
        if (plain === undefined) {
          damaged = `record ${expected} of the run ${run} cannot be opened with the key of the store`;
          break;
        }
        const result = parsed(plain) as StoredResult;
        results.set(result.path, result);
      }
    }
    const start: RunStart = { ...summary(row), graph: parsed(graph) as RunStart["graph"], inputs: parsed(opened) as RunStart["inputs"] };
    return { start, status: String(row["status"]) as StoredStatus, events, results, damaged };
  }

  function check(): readonly string[] {
    const found: string[] = [];
    try {
      for (const row of db.prepare("PRAGMA integrity_check").all()) {
        const text = String(Object.values(row)[0]);
        if (text !== "ok") found.push(text);
      }
      for (const row of sql("SELECT id FROM runs").all()) {
        const id = String(row["id"]);
        try {
          const damaged = load(id)?.damaged;
          if (damaged !== undefined) found.push(damaged);
        } catch (thrown) {
          found.push(thrown instanceof Error ? thrown.message : String(thrown));
        }
      }
    } catch (thrown) {
      found.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
    return found;
  }
}

function open(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  const db = new DatabaseSync(file);
  db.exec("PRAGMA busy_timeout = 5000");
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > MIGRATIONS.length) {
    db.close();
    throw new StoreError(
      "newer",
      `the store ${file} was made by a newer Weave (schema ${version}, this one knows ${MIGRATIONS.length}); update Weave, or use another store with --store`,
    );
  }
  if (version < MIGRATIONS.length) {
    db.exec("BEGIN IMMEDIATE");
    // Another process may have migrated while this one waited for the lock.
    const current = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
    for (const migration of MIGRATIONS.slice(current)) db.exec(migration);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    db.exec("COMMIT");
  }
  return db;
}

const SEALED = "sealed:";

function inputsText(start: RunStart, seals: Sealing): string {
  const flow = start.graph.flows[start.graph.entries[start.flow] ?? start.flow];
  const text = JSON.stringify(start.inputs);
  return flow?.params.some((p) => p.redact === true || p.type.kind === "secret") === true ? SEALED + seals.seal(text) : text;
}

function recordText(record: StoreRecord, seals: Sealing, sensitive: ((path: string) => boolean) | undefined): string {
  if (record.kind === "event") return JSON.stringify(record.event);
  const { path, guard, outcome } = record;
  const text = JSON.stringify({ path, guard, outcome });
  return sensitive?.(path) === true ? SEALED + seals.seal(text) : text;
}

function openText(text: string, seals: Sealing): string | undefined {
  return text.startsWith(SEALED) ? seals.open(text.slice(SEALED.length)) : text;
}

function parsed(text: string): unknown {
  return JSON.parse(text) as unknown;
}

function summary(row: Record<string, unknown>): RunSummary {
  return {
    run: String(row["id"]),
    file: String(row["file"]),
    flow: String(row["flow"]),
    seed: Number(row["seed"]),
    options: parsed(String(row["options"])) as RunSummary["options"],
    startedAt: Number(row["started_at"]),
    endedAt: row["ended_at"] === null ? undefined : Number(row["ended_at"]),
    status: String(row["status"]) as StoredStatus,
    costUsd: Number(row["cost"]),
    calls: Number(row["calls"]),
  };
}

/** SQLite's result codes, as reasons. */
const REASONS: Readonly<Record<number, StoreFailure>> = {
  5: "locked",
  6: "locked",
  8: "read_only",
  10: "io",
  11: "corrupt",
  13: "full",
  14: "io",
  26: "corrupt",
};

const SENTENCES: Readonly<Record<StoreFailure, string>> = {
  full: "the disk is full",
  read_only: "it may only be read",
  locked: "another process keeps it locked",
  corrupt: "the file is damaged; `weave doctor` tells what can be read",
  newer: "it was made by a newer version",
  fenced: "another process has taken the run over",
  io: "the disk gave an error",
};

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof StoreError) throw thrown;
    const code = typeof thrown === "object" && thrown !== null && "errcode" in thrown ? Number(thrown.errcode) & 0xff : 0;
    const system = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
    const reason = REASONS[code] ?? (system === "ENOSPC" ? "full" : system === "EROFS" || system === "EACCES" ? "read_only" : "io");
    throw new StoreError(reason, `the store cannot be used: ${SENTENCES[reason]}`, { cause: thrown });
  }
}
