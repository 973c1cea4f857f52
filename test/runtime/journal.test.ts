/** When a journal lets calls go on: not before the disk has what they told, and not one after the other where that can be helped. */
import { expect, test } from "vitest";
import { virtualClock } from "../../src/host/clock.js";
import { memoryStore } from "../../src/host/store/memory.js";
import type { RunEvent } from "../../src/runtime/events.js";
import { type Journal, journal } from "../../src/runtime/journal.js";
import { StoreError } from "../../src/runtime/store.js";

interface Disk {
  readonly kept: Journal;
  /** Events that were written, a list for each commit. */
  readonly commits: number[][];
  /** Syncs that were waited for, and ends the one that goes on. */
  readonly inPlace: () => number;
  readonly synced: (failed?: StoreError) => void;
  readonly turn: () => Promise<void>;
  readonly failures: StoreError[];
  readonly pending: () => number;
}

function disk(): Disk {
  const clock = virtualClock();
  const commits: number[][] = [];
  const failures: StoreError[] = [];
  let inPlace = 0;
  let going: ((failed: StoreError | undefined) => void) | undefined;
  let held = 0;
  const kept = journal({
    store: {
      ...memoryStore(),
      append: (_run, _fence, records) => {
        commits.push(records.flatMap((record) => (record.kind === "event" ? [record.event.seq] : [])));
      },
      sync: (then) => {
        if (then === undefined) inPlace++;
        else if (going === undefined) going = then;
        else throw new Error("two syncs at once");
      },
    },
    run: "r",
    open: () => 1,
    soon: setImmediate,
    leaseMs: 1000,
    clock: { ...clock, hold: () => held++, release: () => held-- },
    onFailure: (error) => failures.push(error),
  });
  return {
    kept,
    commits,
    inPlace: () => inPlace,
    synced: (failed) => {
      const then = going;
      going = undefined;
      then?.(failed);
    },
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    failures,
    pending: () => held,
  };
}

const event = (seq: number): RunEvent => ({ kind: "tool.log", seq, at: 0, path: "main/t", message: "" });

/** Calls that tell something and wait until it is safe. */
function tell({ kept }: Disk, seqs: readonly number[], went: number[]): void {
  for (const seq of seqs) {
    kept.record(event(seq));
    kept.commit(() => went.push(seq));
  }
}

test("one call alone is synced in place", async () => {
  const of = disk();
  const went: number[] = [];
  tell(of, [1], went);
  expect([of.commits, went, of.pending()]).toEqual([[], [], 1]);
  await of.turn();
  expect([of.commits, of.inPlace(), went, of.pending()]).toEqual([[[1]], 1, [1], 0]);
});

test("those of one turn share a commit, and go on when it is safe; what others tell meanwhile is next", async () => {
  const of = disk();
  const went: number[] = [];
  tell(of, [1, 2], went);
  await of.turn();
  expect([of.commits, went]).toEqual([[[1, 2]], []]);
  tell(of, [3], went);
  await of.turn();
  tell(of, [4], went);
  await of.turn();
  expect([of.commits, went]).toEqual([[[1, 2]], []]);
  of.synced();
  expect([of.commits, went]).toEqual([
    [
      [1, 2],
      [3, 4],
    ],
    [1, 2],
  ]);
  of.synced();
  expect([went, of.inPlace(), of.pending()]).toEqual([[1, 2, 3, 4], 0, 0]);
});

test("many calls in one turn do not wait for its end", async () => {
  const of = disk();
  const went: number[] = [];
  const many = Array.from({ length: 100 }, (_, i) => i);
  tell(of, many, went);
  expect(of.commits).toEqual([many.slice(0, 32)]);
  await of.turn();
  of.synced();
  expect([of.commits, went]).toEqual([[many.slice(0, 32), many.slice(32)], many.slice(0, 32)]);
  of.synced();
  expect([went, of.pending()]).toEqual([many, 0]);
});

test("what many tell while the disk is at work is written meanwhile, and waits for its own sync", async () => {
  const of = disk();
  const went: number[] = [];
  tell(of, [1, 2], went);
  await of.turn();
  const many = Array.from({ length: 40 }, (_, i) => i + 3);
  tell(of, many, went);
  await of.turn();
  expect([of.commits, went]).toEqual([[[1, 2], many], []]);
  of.synced();
  expect(went).toEqual([1, 2]);
  of.synced();
  expect([of.commits, went, of.pending()]).toEqual([[[1, 2], many], [1, 2, ...many], 0]);
});

test("when a sync fails nobody goes on, also not who waits for the next one", async () => {
  const of = disk();
  const went: number[] = [];
  tell(of, [1, 2], went);
  await of.turn();
  tell(of, [3], went);
  const full = new StoreError("full", "the disk is full");
  of.synced(full);
  tell(of, [4], went);
  await of.turn();
  expect([of.commits, went, of.failures, of.kept.failed(), of.pending()]).toEqual([[[1, 2]], [], [full], full, 0]);
  expect(of.kept.settle("failed", { costUsd: 0, calls: 0 })).toBe(full);
});
