/**
 * Where runs are kept. A store holds for each run what it was started with, its events in order without gaps, and the
 * results of its finished calls; nothing of it is ever changed afterwards. What `begin` and `append` were given is durable
 * after `sync`; what ends, edits or mends a run, answers it, or moves a lock is durable when the method returns. A run has
 * one owner at a time: `acquire` gives a fencing number, and an append under an older number is refused, so a process that
 * was stopped and comes back late cannot write over its successor.
 */
import type { Graph } from "../plan/ir.js";
import type { RunEvent } from "./events.js";
import type { KeptFailure } from "./failure.js";
import type { Tally } from "./tally.js";

/** What a run was started with; everything that resuming it needs, without the source. */
export interface RunStart {
  readonly run: string;
  /** The program's file, as written, and the flow. */
  readonly file: string;
  readonly flow: string;
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** What else shaped it: `--sim`, faults, overrides. */
  readonly options: Readonly<Record<string, string | boolean>>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export type StoredStatus = "running" | "waiting" | "paused" | "completed" | "failed" | "cancelled";

export interface RunSummary extends Omit<RunStart, "graph" | "inputs"> {
  readonly status: StoredStatus;
  readonly endedAt: number | undefined;
  readonly costUsd: number;
  readonly calls: number;
}

/** The outcome of a finished call, for its reuse. */
export interface StoredResult {
  readonly path: string;
  readonly guard: string;
  readonly outcome: { readonly kind: "value"; readonly value: unknown } | { readonly kind: "failure"; readonly failure: KeptFailure };
}

export type StoreRecord =
  | { readonly kind: "event"; readonly event: RunEvent }
  | ({ readonly kind: "result" } & StoredResult)
  | ({ readonly kind: "cached" } & Omit<CachedResult, "run">);

/** A result under `@cache` that other runs may use. */
export interface CachedResult {
  /** Hash of the definition and the inputs. */
  readonly key: string;
  readonly value: unknown;
  /** The call that gave it, and its run. */
  readonly path: string;
  readonly run: string;
  /** When it was found, and until when it is fresh, in milliseconds since 1970. */
  readonly at: number;
  readonly until: number;
}

/** What is deleted as time goes by: runs that ended longer ago than so many days, but never the newest so many. */
export interface Retention {
  readonly days: number;
  readonly keep: number;
}

/** What another process asked of a run's owner. */
export type StoredRequest = "pause" | "cancel";

export type Lease =
  | { readonly kind: "held"; readonly fence: number }
  | { readonly kind: "taken"; readonly owner: string; readonly until: number };

/**
 * A lock that runs share, whose holder waits for a call of the same run which waits for another one: over locks that the run
 * keeps by itself, so that only the run knows.
 */
export interface Behind {
  /** The call that waits at the end of the way. */
  readonly path: string;
  readonly lock: string;
  /** The locks on the way from there to the call. */
  readonly through: readonly string[];
}

/** What a run asks of a lock that runs share. */
export interface LockTurn {
  readonly name: string;
  /** The call that holds it and gives it back now. */
  readonly back: string | undefined;
  /** Paths of the calls of the run that wait for it, the next one first. */
  readonly waiting: readonly string[];
  /** What waits for those calls, over locks of the run alone. */
  readonly behind?: readonly Behind[];
  /** A run that has given no sign of life for long: it loses the lock if this is still the end of its lease. */
  readonly dead: Pick<LockTaken, "run" | "until"> | undefined;
}

/** A call of this run or another holds it or comes first; `until` is when the lease of that other run ends. */
export interface LockTaken {
  readonly kind: "taken";
  readonly run: string;
  readonly path: string;
  readonly until: number | undefined;
}

export type LockAnswer =
  | { readonly kind: "free" }
  /** The call of the run that has it now; `from` is the run that died with it. */
  | { readonly kind: "held"; readonly path: string; readonly from: string | undefined }
  | LockTaken
  /** The call can never have it, since these locks wait for each other; it waits no longer. */
  | { readonly kind: "cycle"; readonly path: string; readonly names: readonly string[] };

export interface StoredRun {
  readonly start: RunStart;
  readonly status: StoredStatus;
  readonly events: readonly RunEvent[];
  readonly results: ReadonlyMap<string, StoredResult>;
  /** Where a record could not be read: everything from there on was left out. */
  readonly damaged: string | undefined;
}

export type StoreFailure = "full" | "read_only" | "locked" | "corrupt" | "newer" | "fenced" | "io";

/** A store that cannot do what was asked; the message is for the user. */
export class StoreError extends Error {
  readonly reason: StoreFailure;
  constructor(reason: StoreFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.reason = reason;
  }
}

/** What a run used when it ended, and what it learned of what it called. */
export interface SettledFigures {
  readonly costUsd: number;
  readonly calls: number;
  readonly learned?: readonly Tally[];
}

/** Every method may throw a `StoreError`. */
export interface Store {
  /** Keeps what a run starts with; the caller owns it for `leaseMs`. */
  begin(start: RunStart, owner: string, leaseMs: number): number;
  /** Takes records, all or none. */
  append(run: string, fence: number, records: readonly StoreRecord[]): void;
  /** Makes what was appended durable: before it returns, or before it calls back where it is given a callback. */
  sync(then?: (failed: StoreError | undefined) => void): void;
  /** Sets how a run stands, and lets go of it. */
  settle(run: string, fence: number, status: StoredStatus, figures: SettledFigures): void;
  /** What all runs learned, added up. */
  history(): readonly Tally[];
  load(run: string): StoredRun | undefined;
  /** Newest first. */
  list(limit?: number): readonly RunSummary[];
  /** Takes a run over: succeeds when nobody holds it, its owner's time is over, or the caller holds it already. */
  acquire(run: string, owner: string, leaseMs: number): Lease;
  /** Holds on to a run; false when somebody else has it by now. */
  renew(run: string, fence: number, leaseMs: number): boolean;
  release(run: string, fence: number): void;
  /** Asks the owner of a run for something; it sees it at its next look. */
  request(run: string, what: StoredRequest): boolean;
  requested(run: string): StoredRequest | undefined;
  /** Answers given to questions of a run, by path; the newest counts. */
  answer(run: string, path: string, value: unknown): void;
  answers(run: string): ReadonlyMap<string, unknown>;
  /**
   * Gives back, asks for and waits for a lock that the runs of this store share, in the order of asking. It is held while
   * its run is carried out or waits for a person. One whose run stopped or died is free; a run that lost a lock cannot
   * write any more, so that no effect of it starts late.
   */
  lock(run: string, fence: number, turn: LockTurn): LockAnswer;
  /** Puts the program of a run in the place of the one it was started with. */
  edit(run: string, fence: number, graph: Graph): void;
  /** Sets aside what stands from the first damaged record of a run on, so that what is written from now on can be read. */
  mend(run: string, fence: number): void;
  /** A fresh result of any run; undefined where there is none. */
  cached(key: string): CachedResult | undefined;
  /** Deletes runs that ended before a time, but never the newest `keep`, and what was learned before it only; returns how many runs. */
  prune(before: number, keep?: number): number;
  /** Sets what is deleted when a run ends; undefined deletes nothing. */
  retain(policy: Retention | undefined): void;
  retention(): Retention | undefined;
  /** What is wrong with the store, in words; empty when all is well. */
  check(): readonly string[];
  close(): void;
}
