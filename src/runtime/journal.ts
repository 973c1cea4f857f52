/**
 * Connects a run to a store. What concurrent calls tell in one turn of the event loop is written with one commit, and
 * they go on when the disk has it: nothing that depends on a finished call starts before the call is safe. Meanwhile
 * others work, and what they tell is written next. When the store fails nobody goes on any more, so no call is made whose
 * intent is not durable.
 */
import type { Clock } from "./clock.js";
import type { RunEvent } from "./events.js";
import { isFleeting } from "./feed.js";
import type { KnownResult } from "./machine.js";
import {
  type CachedResult,
  type LockAnswer,
  type LockTurn,
  type SettledFigures,
  type Store,
  type StoredStatus,
  StoreError,
  type StoreRecord,
} from "./store.js";

export interface Journal {
  readonly record: (event: RunEvent) => void;
  /** Keeps a result that its event does not show in full. */
  readonly remember: (path: string, result: KnownResult) => void;
  /** Keeps a result under `@cache` for other runs. */
  readonly cache: (result: Omit<CachedResult, "run">) => void;
  /** Goes on when everything recorded so far is durable. */
  readonly commit: (then: () => void) => void;
  /** A turn at a lock that runs share; undefined when the store failed. */
  readonly lock: (turn: LockTurn) => LockAnswer | undefined;
  /** How long the run is owned without a sign of life, in milliseconds. */
  readonly leaseMs: number;
  /** Writes what is left and says how the run stands; undefined, or why it could not be kept. */
  readonly settle: (status: StoredStatus, figures: SettledFigures) => StoreError | undefined;
  readonly failed: () => StoreError | undefined;
}

export interface JournalOptions {
  readonly store: Store;
  readonly run: string;
  /** Begins to own the run, at the first write; gives the number that every write is made under. */
  readonly open: () => number;
  /** Calls back on the next turn of the event loop. */
  readonly soon: (then: () => void) => void;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Told once, when the store fails. */
  readonly onFailure: (error: StoreError) => void;
}

/** So many calls are written before their turn of the event loop is over, for the disk to work while the others of it do. */
const MANY = 32;

export function journal(options: JournalOptions): Journal {
  const { store, run, soon, clock } = options;
  let fence: number | undefined;
  let records: StoreRecord[] = [];
  let waiting: (() => void)[] = [];
  let scheduled = false;
  /** The disk is at work; what is told meanwhile is written when it has done. */
  let syncing = false;
  let broken: StoreError | undefined;

  const fail = (thrown: unknown): void => {
    broken = asStoreError(thrown);
    options.onFailure(broken);
  };
  /** Does something with the run in the store; a store that fails stops the run. */
  const owning = <T>(work: (fence: number) => T): T | undefined => {
    try {
      fence ??= options.open();
      return work(fence);
    } catch (thrown) {
      fail(thrown);
      return undefined;
    }
  };
  const write = (): boolean => {
    if (broken !== undefined) return false;
    if (records.length === 0) return true;
    const batch = records;
    records = [];
    owning((under) => store.append(run, under, batch));
    return broken === undefined;
  };
  const goOn = (ready: readonly (() => void)[]): void => {
    if (broken === undefined) for (const then of ready) then();
    clock.release();
  };
  /** Writes what is there; those who wait go on when it is safe. */
  const flush = (othersWork: boolean): void => {
    const ready = waiting;
    waiting = [];
    if (!write()) goOn(ready);
    else if (ready.length === 1 && !othersWork) {
      // One alone is served soonest when nothing stands between it and the disk.
      owning(() => store.sync());
      goOn(ready);
    } else {
      syncing = true;
      store.sync((failed) => {
        syncing = false;
        if (failed !== undefined && broken === undefined) fail(failed);
        if (waiting.length > 0) flush(true);
        goOn(ready);
      });
    }
  };

  return {
    record: (event) => {
      if (!isFleeting(event) && broken === undefined) records.push({ kind: "event", event });
    },
    remember: (path, { guard, value, failed }) => {
      if (broken !== undefined) return;
      const outcome = failed === undefined ? ({ kind: "value", value } as const) : ({ kind: "failure", failure: failed } as const);
      records.push({ kind: "result", path, guard, outcome });
    },
    cache: (result) => {
      if (broken === undefined) records.push({ kind: "cached", ...result });
    },
    commit: (then) => {
      if (broken !== undefined) return;
      if (waiting.length === 0) clock.hold();
      waiting.push(then);
      if (waiting.length >= MANY && !syncing) flush(true);
      else if (!scheduled) {
        scheduled = true;
        soon(() => {
          scheduled = false;
          if (!syncing && waiting.length > 0) flush(false);
          // Written while the disk is at work, so that it need not wait for that when it has done.
          else if (waiting.length >= MANY) write();
        });
      }
    },
    lock: (turn) => (broken === undefined ? owning((under) => store.lock(run, under, turn)) : undefined),
    leaseMs: options.leaseMs,
    settle: (status, figures) => {
      if (!write() || fence === undefined) return broken;
      try {
        store.settle(run, fence, status, figures);
        return undefined;
      } catch (thrown) {
        broken = asStoreError(thrown);
        return broken;
      }
    },
    failed: () => broken,
  };
}

export function asStoreError(thrown: unknown): StoreError {
  return thrown instanceof StoreError ? thrown : new StoreError("io", thrown instanceof Error ? thrown.message : String(thrown));
}
