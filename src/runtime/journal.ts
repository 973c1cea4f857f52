/**
 * Connects a run to a store. What concurrent calls tell in one turn of the event loop is written with one commit, and
 * only then do they go on: nothing that depends on a finished call starts before the call is safe. When the store fails
 * nobody goes on any more, so no call is made whose intent is not durable.
 */
import type { Clock } from "./clock.js";
import type { RunEvent } from "./events.js";
import { isFleeting } from "./feed.js";
import type { KnownResult } from "./machine.js";
import { type CachedResult, type SettledFigures, type Store, type StoredStatus, StoreError, type StoreRecord } from "./store.js";

export interface Journal {
  readonly record: (event: RunEvent) => void;
  /** Keeps a result that its event does not show in full. */
  readonly remember: (path: string, result: KnownResult) => void;
  /** Keeps a result under `@cache` for other runs. */
  readonly cache: (result: Omit<CachedResult, "run">) => void;
  /** Goes on when everything recorded so far is durable. */
  readonly commit: (then: () => void) => void;
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
  readonly clock: Clock;
  /** Told once, when the store fails. */
  readonly onFailure: (error: StoreError) => void;
}

export function journal(options: JournalOptions): Journal {
  const { store, run, soon, clock } = options;
  let fence: number | undefined;
  let records: StoreRecord[] = [];
  let waiting: (() => void)[] = [];
  let scheduled = false;
  let broken: StoreError | undefined;

  const write = (): boolean => {
    if (broken !== undefined) return false;
    if (records.length === 0) return true;
    const batch = records;
    records = [];
    try {
      fence ??= options.open();
      store.append(run, fence, batch);
      return true;
    } catch (thrown) {
      broken = asStoreError(thrown);
      waiting = [];
      options.onFailure(broken);
      return false;
    }
  };
  const flush = (): void => {
    scheduled = false;
    const ready = waiting;
    waiting = [];
    if (write()) for (const then of ready) then();
    clock.release();
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
      waiting.push(then);
      if (scheduled) return;
      scheduled = true;
      clock.hold();
      soon(flush);
    },
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
