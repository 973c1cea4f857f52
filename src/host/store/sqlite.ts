/**
 * Runs in SQLite (`node:sqlite`), one file and its write-ahead log. Every row of records carries a checksum; a run is read
 * up to the first row that does not fit it. Programs and results above a few kB are kept once, by the hash of their content.
 * The schema has a version; a newer one than this program knows is refused, an older one is migrated.
 */
import { mkdirSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { RunEvent } from "../../runtime/events.js";
import { hash53 } from "../../runtime/hash.js";
import {
  type CachedResult,
  type Lease,
  type Retention,
  type RunStart,
  type RunSummary,
  type Store,
  type StoredRequest,
  type StoredResult,
  type StoredRun,
  type StoredStatus,
  StoreError,
  type StoreRecord,
} from "../../runtime/store.js";
import { sha256 } from "../sha256.js";
import { damagedEvaluations } from "./evaluation-rows.js";
import { failureOf, guarded } from "./failures.js";
import { LARGE, largeResults } from "./large.js";
import { learn, tallyOf } from "./learned.js";
import { letGo, lockRows } from "./lock-rows.js";
import { fenced, takeTurn } from "./locks.js";
import { type Log, logOf, noLog } from "./log.js";
import { type Database, migrated } from "./migrations.js";
import { pruned } from "./pruned.js";
import { checksum, type Entry, entriesIn, isEvent, type LargeResult, type Row, rowsOf } from "./rows.js";
import { openText, SEALED, sealing } from "./sealing.js";

export interface SqliteOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Values of callables with redacted parts, by the path of the call, are sealed. */
  readonly sensitive?: (path: string) => boolean;
  /** Whether an owner is known to have ended, so that nobody waits for its time to pass. */
  readonly hasEnded?: (owner: string) => boolean;
  /** Opens the database, and its log: the seams where tests put in a disk that fails. */
  readonly database?: (file: string) => Database;
  readonly log?: (database: string) => Log;
}

/** Opens (or makes) the store in a file; its key stands beside it. */
export function sqliteStore(file: string, options: SqliteOptions = {}): Store {
  const { now = Date.now, hasEnded = () => false } = options;
  const { db, log } = guarded(() => open(file, options));
  // Read when it is needed first, and another folder may be the current one by then.
  const seals = sealing(file);
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    let found = statements.get(text);
    if (found === undefined) {
      found = db.prepare(text);
      statements.set(text, found);
    }
    return found;
  };

  /** All of it or nothing; durable when the log is synced next. */
  const committed = <T>(work: () => T): T =>
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
  const transaction = <T>(work: () => T): T => {
    const result = committed(work);
    guarded(log.sync);
    return result;
  };

  /** A text as it is, or the hash under which it is kept. */
  const put = (text: string): string => {
    if (text.length <= LARGE) return text;
    const hash = sha256(text);
    // What was damaged is written again.
    sql(
      "INSERT INTO contents (hash, body) VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
    ).run(hash, text);
    return `@${hash}`;
  };
  const get = (text: string): string | undefined => {
    if (!text.startsWith("@")) return text;
    const row = sql("SELECT body FROM contents WHERE hash = ?").get(text.slice(1));
    const body = row === undefined ? undefined : String(row["body"]);
    return body !== undefined && sha256(body) === text.slice(1) ? body : undefined;
  };

  const locks = lockRows(sql, seals);
  const large = largeResults(sql, seals);
  const own = (run: string, fence: number): void => {
    const row = sql("SELECT fence FROM runs WHERE id = ?").get(run);
    if (row?.["fence"] === fence) return;
    const standing = locks.standing(run);
    throw standing === undefined ? new StoreError("io", `the run ${run} is not in the store`) : fenced(run, standing);
  };

  /** The last row that was written; nobody else writes to a run under the same fencing number. */
  let written: { readonly run: string; readonly fence: number; readonly n: number } | undefined;
  const lastRow = (run: string, fence: number): number => {
    if (written?.run === run && written.fence === fence) return written.n;
    own(run, fence);
    return Number(sql("SELECT coalesce(max(n), 0) AS n FROM records WHERE run = ?").get(run)?.["n"] ?? 0);
  };

  return {
    begin: (start, owner, leaseMs) =>
      committed(() => {
        sql(
          "INSERT INTO runs (id, file, flow, graph, inputs, seed, options, started_at, status, owner, lease, fence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, 1)",
        ).run(
          start.run,
          start.file,
          start.flow,
          put(JSON.stringify(start.graph)),
          put(SEALED + seals.seal(JSON.stringify(start.inputs))),
          start.seed,
          JSON.stringify(start.options),
          start.startedAt,
          owner,
          now() + leaseMs,
        );
        return 1;
      }),
    append: (run, fence, records) =>
      committed(() => {
        const entries = entriesOf(run, records);
        if (entries.length === 0) own(run, fence);
        let n = lastRow(run, fence);
        // Parameters without numbers: Node 22.13 takes a numbered one for one with a name.
        const insert = sql(
          "INSERT INTO records (run, n, kind, body, sum) SELECT ?, ?, ?, ?, ? WHERE (SELECT fence FROM runs WHERE id = ?) = ?",
        );
        for (const { kind, body } of rowsOf(entries)) {
          n++;
          log.reserve(body.length);
          if (insert.run(run, n, kind, body, checksum(n, kind, body), run, fence).changes !== 1) own(run, fence);
        }
        written = { run, fence, n };
      }),
    sync: (then) => {
      if (then === undefined) guarded(log.sync);
      else log.syncSoon((failed) => then(failed === undefined ? undefined : failureOf(failed)));
    },
    settle: (run, fence, status, figures) =>
      transaction(() => {
        own(run, fence);
        letGo(sql, run, status === "waiting");
        const over = status === "completed" || status === "failed" || status === "cancelled";
        sql("UPDATE runs SET status = ?, cost = ?, calls = ?, ended_at = ?, owner = NULL, lease = 0 WHERE id = ?").run(
          status,
          figures.costUsd,
          figures.calls,
          over ? now() : null,
          run,
        );
        for (const tally of figures.learned ?? []) learn(sql, tally, now());
      }),
    history: () => guarded(() => sql("SELECT * FROM history").all().map(tallyOf)),
    load: (run) => guarded(() => load(run)),
    list: (limit = 100) => guarded(() => sql("SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?").all(limit).map(summary)),
    acquire: (run, owner, leaseMs) =>
      transaction((): Lease => {
        const row = sql("SELECT owner, lease, fence FROM runs WHERE id = ?").get(run);
        if (row === undefined) throw new StoreError("io", `the run ${run} is not in the store`);
        const holder = row["owner"] === null ? undefined : String(row["owner"]);
        const until = Number(row["lease"]);
        if (holder !== undefined && holder !== owner && until > now()) {
          // The clock was set back: nobody may hold a run for longer than a lease from now.
          const latest = Math.min(until, now() + leaseMs);
          if (latest < until) sql("UPDATE runs SET lease = ? WHERE id = ?").run(latest, run);
          return { kind: "taken", owner: holder, until: latest };
        }
        letGo(sql, run, true);
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
      transaction(() => sql("UPDATE runs SET request = ? WHERE id = ? AND status IN ('running', 'waiting')").run(what, run).changes === 1),
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
    lock: (run, fence, turn) =>
      transaction(() => {
        own(run, fence);
        return takeTurn(locks, turn, { run, fence, now: now(), hasEnded });
      }),
    edit: (run, fence, graph) => {
      transaction(() => {
        own(run, fence);
        letGo(sql, run, false);
        sql("UPDATE runs SET graph = ? WHERE id = ?").run(put(JSON.stringify(graph)), run);
      });
    },
    mend: (run, fence) => {
      transaction(() => {
        own(run, fence);
        written = undefined;
        const { whole } = read(run, () => undefined);
        sql("INSERT INTO set_aside SELECT run, n, kind, body, sum, ? FROM records WHERE run = ? AND n > ?").run(now(), run, whole);
        sql("DELETE FROM records WHERE run = ? AND n > ?").run(run, whole);
      });
    },
    cached: (key) =>
      guarded(() => {
        const row = sql("SELECT * FROM cache WHERE key = ? AND until > ?").get(key, now());
        const body = row === undefined ? undefined : get(String(row["body"]));
        if (row === undefined || body === undefined || hash53(`${key} ${String(row["body"])}`, 7) !== row["sum"]) return undefined;
        const plain = openText(body, seals);
        if (plain === undefined) return undefined;
        const found: CachedResult = {
          key,
          value: parsed(plain),
          run: String(row["run"]),
          path: String(row["path"]),
          at: Number(row["at"]),
          until: Number(row["until"]),
        };
        return found;
      }),
    prune: (before, keep = 0) => transaction(() => pruned(sql, before, keep, now())),
    retain: (policy) => {
      transaction(() => {
        sql("DELETE FROM settings WHERE name = 'retention'").run();
        if (policy !== undefined) sql("INSERT INTO settings (name, value) VALUES ('retention', ?)").run(JSON.stringify(policy));
      });
    },
    retention: () =>
      guarded(() => {
        const row = sql("SELECT value FROM settings WHERE name = 'retention'").get();
        return row === undefined ? undefined : (parsed(String(row["value"])) as Retention);
      }),
    check: () => check(),
    close: () => {
      statements.clear();
      log.close();
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
    const { damaged } = read(run, (entry) => {
      if (isEvent(entry)) events.push(entry);
      else results.set(entry.path, entry);
    });
    // A repaired run says by itself that it lost its end.
    const ended = row["ended_at"] !== null && ![`run.${String(row["status"])}`, "run.mended"].includes(events.at(-1)?.kind ?? "");
    const damage = damaged ?? (ended ? `the end of the run ${run} is lost` : undefined);
    const start: RunStart = { ...summary(row), graph: parsed(graph) as RunStart["graph"], inputs: parsed(opened) as RunStart["inputs"] };
    return { start, status: String(row["status"]) as StoredStatus, events, results, damaged: damage };
  }

  /** What is kept of records; results that are sensitive are sealed together, before the events that tell of them. */
  function entriesOf(run: string, records: readonly StoreRecord[]): readonly Entry[] {
    const entries: Entry[] = [];
    const sealed: StoredResult[] = [];
    for (const record of records) {
      if (record.kind === "event") entries.push(record.event);
      else if (record.kind === "cached") keepCached(run, record);
      else {
        const { path, guard, outcome } = record;
        const isSensitive = options.sensitive?.(path) === true;
        const name = large.keep(run, outcome, isSensitive);
        if (name !== undefined) entries.push({ path, guard, large: name });
        else if (isSensitive) sealed.push({ path, guard, outcome });
        else entries.push({ path, guard, outcome });
      }
    }
    if (sealed.length > 0) entries.unshift(SEALED + seals.seal(JSON.stringify(sealed)));
    return entries;
  }

  /** Reads the records of a run up to the first row that is damaged; `whole` is the number of the last one before it. */
  function read(run: string, take: (entry: RunEvent | StoredResult) => void): { whole: number; damaged: string | undefined } {
    let whole = 0;
    for (const row of sql("SELECT n, kind, body, sum FROM records WHERE run = ? ORDER BY n").iterate(run)) {
      const expected = whole + 1;
      const kept = String(row["body"]);
      const kind = row["kind"] as Row["kind"];
      const body = get(kept);
      if (Number(row["n"]) !== expected || checksum(expected, kind, kept) !== row["sum"] || body === undefined)
        return { whole, damaged: `record ${expected} of the run ${run} does not fit its checksum` };
      // A row is given as a whole or not at all: mending sets all of it aside.
      const given: (RunEvent | StoredResult)[] = [];
      for (const entry of entriesIn({ kind, body })) {
        if (typeof entry !== "string") {
          const found = "large" in entry ? wholeOf(entry) : entry;
          if (found === undefined) return { whole, damaged: `a large result in record ${expected} of the run ${run} cannot be read` };
          given.push(found);
          continue;
        }
        const plain = openText(entry, seals);
        if (plain === undefined)
          return { whole, damaged: `record ${expected} of the run ${run} cannot be opened with the key of the store` };
        // Earlier versions sealed each result by itself.
        given.push(...([parsed(plain)].flat() as StoredResult[]));
      }
      for (const each of given) take(each);
      whole = expected;
    }
    return { whole, damaged: undefined };
  }

  function wholeOf({ path, guard, large: name }: LargeResult): StoredResult | undefined {
    const outcome = large.find(name);
    return outcome === undefined ? undefined : { path, guard, outcome };
  }

  function keepCached(run: string, { key, path, value, at, until }: Omit<CachedResult, "run">): void {
    const body = put(SEALED + seals.seal(JSON.stringify(value)));
    sql("INSERT OR REPLACE INTO cache (key, run, path, body, at, until, sum) VALUES (?, ?, ?, ?, ?, ?, ?)").run(
      key,
      run,
      path,
      body,
      at,
      until,
      hash53(`${key} ${body}`, 7),
    );
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
      found.push(...damagedEvaluations(sql("SELECT * FROM evaluation_rows").iterate()));
    } catch (thrown) {
      found.push(thrown instanceof Error ? thrown.message : String(thrown));
    }
    return found;
  }
}

function open(file: string, { database = (at) => new DatabaseSync(at), log = logOf }: SqliteOptions): { db: Database; log: Log } {
  mkdirSync(dirname(file), { recursive: true });
  const db = database(file);
  try {
    db.exec("PRAGMA busy_timeout = 5000");
    const logged = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"] === "wal";
    db.exec(`PRAGMA synchronous = ${logged ? "NORMAL" : "FULL"}`);
    // Moving the log into the database holds everybody up: done a quarter as often as by default, it takes less in all.
    db.exec("PRAGMA wal_autocheckpoint = 4000");
    db.exec("PRAGMA foreign_keys = ON");
    // SQLite keeps the log beside the file that a link leads to, wherever the current folder is later.
    return { db: migrated(file, db), log: logged ? log(realpathSync(file)) : noLog };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
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
