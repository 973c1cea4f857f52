/** A store in memory: for tests, and for programs that embed Weave and want resumption only while they live. */
import {
  type Lease,
  type RunStart,
  type RunSummary,
  type Store,
  type StoredRequest,
  type StoredResult,
  type StoredStatus,
  StoreError,
  type StoreRecord,
} from "../../runtime/store.js";

interface Kept {
  readonly start: RunStart;
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
  const find = (run: string): Kept => {
    const found = runs.get(run);
    if (found === undefined) throw new StoreError("io", `the run ${run} is not in the store`);
    return found;
  };
  const owned = (run: string, fence: number): Kept => {
    const found = find(run);
    if (found.fence !== fence) throw new StoreError("fenced", `the run ${run} was taken over by another process`);
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
      owned(run, fence).records.push(...structuredClone(records));
    },
    settle(run, fence, status, figures) {
      const kept = owned(run, fence);
      Object.assign(kept, { status, ...figures });
      kept.endedAt = status === "completed" || status === "failed" || status === "cancelled" ? now() : undefined;
    },
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
      if (kept.owner !== undefined && kept.owner !== owner && kept.lease > now())
        return { kind: "taken", owner: kept.owner, until: kept.lease };
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
    prune(before) {
      const old = [...runs].filter(([, kept]) => kept.endedAt !== undefined && kept.endedAt < before);
      for (const [run] of old) runs.delete(run);
      return old.length;
    },
    check: () => [],
    close: () => undefined,
  };
}
