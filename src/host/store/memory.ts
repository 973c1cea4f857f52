/** A store in memory: for tests, and for programs that embed Weave and want resumption only while they live. */
import {
  type CachedResult,
  type Lease,
  type Retention,
  type RunStart,
  type RunSummary,
  type Store,
  type StoredRequest,
  type StoredResult,
  type StoredStatus,
  StoreError,
  type StoreRecord,
} from "../../runtime/store.js";
import { type Tally, together } from "../../runtime/tally.js";
import { fenced, type HeldRow, type LockRow, type LockRows, takeTurn, type WaitRow } from "./locks.js";

interface Kept {
  start: RunStart;
  readonly records: StoreRecord[];
  readonly answers: Map<string, unknown>;
  status: StoredStatus;
  endedAt: number | undefined;
  costUsd: number;
  calls: number;
  owner: string | undefined;
  lease: number;
  fence: number;
  request: StoredRequest | undefined;
}

export function memoryStore(now: () => number = Date.now): Store {
  const runs = new Map<string, Kept>();
  const cache = new Map<string, CachedResult>();
  let retention: Retention | undefined;
  const held = new Map<string, HeldRow>();
  let waits: readonly WaitRow[] = [];
  const letGo = (run: string, keepsHeld: boolean): void => {
    waits = waits.filter((row) => row.run !== run);
    if (!keepsHeld) for (const [name, row] of held) if (row.run === run) held.delete(name);
  };
  const locks: LockRows = {
    holder: (name) => held.get(name),
    waits: (name) => waits.filter((row) => row.name === name),
    all: () => ({ held: [...held.values()], waits }),
    hold: (row) => held.set(row.name, row),
    free: (name) => held.delete(name),
    wait: (row) => {
      const same = (other: LockRow): boolean => other.name === row.name && other.run === row.run && other.path === row.path;
      waits = waits.some(same) ? waits.map((other) => (same(other) ? row : other)) : [...waits, row];
    },
    leave: ({ name, run, path }) => {
      waits = waits.filter((row) => row.name !== name || row.run !== run || row.path !== path);
    },
    standing: (run) => runs.get(run),
    fenceOff: (run) => {
      const kept = runs.get(run);
      if (kept !== undefined) Object.assign(kept, { fence: kept.fence + 1, owner: undefined, lease: 0 });
    },
  };
  const learned = new Map<string, { tally: Tally; at: number }>();
  const find = (run: string): Kept => {
    const found = runs.get(run);
    if (found === undefined) throw new StoreError("io", `the run ${run} is not in the store`);
    return found;
  };
  const owned = (run: string, fence: number): Kept => {
    const found = find(run);
    if (found.fence !== fence) throw fenced(run, found);
    return found;
  };
  return {
    begin(start, owner, leaseMs) {
      if (runs.has(start.run)) throw new StoreError("io", `the run ${start.run} is in the store already`);
      runs.set(start.run, {
        start: structuredClone(start),
        records: [],
        answers: new Map(),
        status: "running",
        endedAt: undefined,
        costUsd: 0,
        calls: 0,
        owner,
        lease: now() + leaseMs,
        fence: 1,
        request: undefined,
      });
      return 1;
    },
    append: (run, fence, records) => {
      const kept = owned(run, fence);
      for (const record of structuredClone(records)) {
        if (record.kind === "cached") cache.set(record.key, { ...record, run });
        else kept.records.push(record);
      }
    },
    sync: (then) => {
      if (then !== undefined) queueMicrotask(() => then(undefined));
    },
    settle(run, fence, status, figures) {
      const kept = owned(run, fence);
      Object.assign(kept, { status, costUsd: figures.costUsd, calls: figures.calls, owner: undefined, lease: 0 });
      for (const tally of figures.learned ?? []) {
        const key = `${tally.hash} ${tally.simulated}`;
        const before = learned.get(key)?.tally;
        learned.set(key, { tally: before === undefined ? { ...tally } : together(before, tally), at: now() });
      }
      letGo(run, status === "waiting");
      kept.endedAt = status === "completed" || status === "failed" || status === "cancelled" ? now() : undefined;
    },
    history: () => [...learned.values()].map(({ tally }) => ({ ...tally })),
    load(run) {
      const kept = runs.get(run);
      if (kept === undefined) return undefined;
      const results = new Map<string, StoredResult>();
      for (const record of kept.records)
        if (record.kind === "result") results.set(record.path, { path: record.path, guard: record.guard, outcome: record.outcome });
      return {
        start: kept.start,
        status: kept.status,
        events: kept.records.flatMap((r) => (r.kind === "event" ? [r.event] : [])),
        results,
        damaged: undefined,
      };
    },
    list: (limit = 100) =>
      [...runs.values()]
        .sort((a, b) => b.start.startedAt - a.start.startedAt || (a.start.run < b.start.run ? 1 : -1))
        .slice(0, limit)
        .map(({ start, status, endedAt, costUsd, calls }): RunSummary => {
          const { run, file, flow, seed, options, startedAt } = start;
          return { run, file, flow, seed, options, startedAt, status, endedAt, costUsd, calls };
        }),
    acquire(run, owner, leaseMs): Lease {
      const kept = find(run);
      if (kept.owner !== undefined && kept.owner !== owner && kept.lease > now()) {
        // The clock was set back: nobody may hold a run for longer than a lease from now.
        kept.lease = Math.min(kept.lease, now() + leaseMs);
        return { kind: "taken", owner: kept.owner, until: kept.lease };
      }
      letGo(run, true);
      kept.owner = owner;
      kept.lease = now() + leaseMs;
      kept.fence++;
      kept.status = "running";
      kept.endedAt = undefined;
      kept.request = undefined;
      return { kind: "held", fence: kept.fence };
    },
    renew(run, fence, leaseMs) {
      const kept = runs.get(run);
      if (kept === undefined || kept.fence !== fence) return false;
      kept.lease = now() + leaseMs;
      return true;
    },
    release(run, fence) {
      const kept = runs.get(run);
      if (kept === undefined || kept.fence !== fence) return;
      kept.owner = undefined;
      kept.lease = 0;
    },
    request(run, what) {
      const kept = runs.get(run);
      if (kept === undefined || (kept.status !== "running" && kept.status !== "waiting")) return false;
      kept.request = what;
      return true;
    },
    requested: (run) => runs.get(run)?.request,
    answer: (run, path, value) => {
      find(run).answers.set(path, structuredClone(value));
    },
    answers: (run) => new Map(runs.get(run)?.answers),
    lock: (run, fence, turn) => {
      owned(run, fence);
      return takeTurn(locks, turn, { run, fence, now: now(), hasEnded: () => false });
    },
    edit: (run, fence, graph) => {
      const kept = owned(run, fence);
      letGo(run, false);
      kept.start = { ...kept.start, graph: structuredClone(graph) };
    },
    mend: (run, fence) => {
      owned(run, fence);
    },
    cached: (key) => {
      const found = cache.get(key);
      return found !== undefined && found.until > now() ? found : undefined;
    },
    prune(before, keep = 0) {
      const newest = new Set([...runs.keys()].sort((a, b) => find(b).start.startedAt - find(a).start.startedAt).slice(0, keep));
      const old = [...runs].filter(([run, kept]) => kept.endedAt !== undefined && kept.endedAt < before && !newest.has(run));
      for (const [key, { until }] of cache) if (until <= now()) cache.delete(key);
      for (const [run] of old) {
        letGo(run, false);
        runs.delete(run);
      }
      for (const [key, { at }] of [...learned]) if (at < before) learned.delete(key);
      return old.length;
    },
    retain: (policy) => {
      retention = policy;
    },
    retention: () => retention,
    check: () => [],
    close: () => undefined,
  };
}
