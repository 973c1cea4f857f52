/**
 * Runs that are kept in a store: a new one, or one that is carried on. The process that carries a run out owns it for a
 * while at a time and keeps renewing that; at each renewal it looks for what other processes ask of the run.
 */

import type { Graph } from "../plan/ir.js";
import type { Clock } from "./clock.js";
import { runId } from "./hash.js";
import { type Journal, journal } from "./journal.js";
import type { RunOptions } from "./options.js";
import { type Past, pastOf } from "./past.js";
import { earlierOf, orphansOf } from "./reuse.js";
import { type RunHandle, run } from "./run.js";
import type { RunStart, Store, StoredRun } from "./store.js";
import type { Fields } from "./values.js";

export interface Keeping {
  readonly store: Store;
  /** Who carries the run out, in words that say where. */
  readonly owner: string;
  /** Calls back on the next turn of the event loop. */
  readonly soon: (then: () => void) => void;
  /** How long the run is owned without a sign of life; 15 s. */
  readonly leaseMs?: number;
  /** How often signs of life are given and requests looked for; 1 s. */
  readonly beatMs?: number;
}

/** Starts a flow whose run is kept. */
export function runKept(
  graph: Graph,
  flow: string,
  inputs: Fields,
  options: RunOptions,
  keeping: Keeping,
  about: Pick<RunStart, "file" | "options">,
): RunHandle {
  const { clock } = options;
  const id = options.id ?? runId(clock, options.seed ?? 0);
  const seed = options.seed ?? 1;
  const start: RunStart = { ...about, run: id, flow, graph, inputs, seed, startedAt: clock.wall() };
  return attended(
    keeping,
    clock,
    id,
    () => keeping.store.begin(start, keeping.owner, leaseOf(keeping)),
    options.answers,
    (journalOf, answers) =>
      run(graph, flow, inputs, { ...options, id, seed, answers, journal: journalOf, shared: sharedIn(keeping, start) }),
  );
}

/** Results under `@cache` of the other runs in a store. */
function sharedIn({ store }: Keeping, { options }: Pick<RunStart, "options">): NonNullable<RunOptions["shared"]> {
  return { find: (key) => store.cached(key), place: String(options["directory"] ?? "") };
}

export interface Carrying {
  /** The program as it is now: the run is of that program from now on. */
  readonly graph?: Graph | undefined;
  readonly fence: number;
}

/** What a stored run left behind. */
export function pastOfRun(stored: StoredRun): Past {
  const past = pastOf(stored.events, stored.results, stored.start.startedAt);
  return stored.damaged === undefined ? past : { ...past, doubtful: true };
}

/**
 * Carries a run on; the caller has acquired it. One that was being cancelled is cancelled. What is damaged in its journal
 * is set aside first, with all that stands behind it.
 */
export function resumeKept(stored: StoredRun, options: RunOptions, keeping: Keeping, { graph, fence }: Carrying): RunHandle {
  const { start, damaged } = stored;
  const { store } = keeping;
  const given = store.answers(start.run);
  const { clock } = options;
  const past = options.past ?? pastOfRun(stored);
  if (damaged !== undefined) store.mend(start.run, fence);
  if (graph !== undefined) store.edit(start.run, fence, graph);
  const edited = graph === undefined ? {} : { earlier: earlierOf(stored), orphans: orphansOf(past, graph, start.flow, undefined) };
  return attended(
    keeping,
    clock,
    start.run,
    () => fence,
    given,
    (journalOf, answers) =>
      run(graph ?? start.graph, start.flow, start.inputs, {
        ...edited,
        ...(past.cancelling === undefined ? {} : { replayOnly: past.cancelling }),
        ...options,
        ...(damaged === undefined ? {} : { damaged }),
        id: start.run,
        seed: start.seed,
        past,
        answers,
        journal: journalOf,
        shared: sharedIn(keeping, start),
      }),
  );
}

const leaseOf = (keeping: Keeping): number => keeping.leaseMs ?? 15_000;

function attended(
  keeping: Keeping,
  clock: Clock,
  id: string,
  open: () => number,
  given: ReadonlyMap<string, unknown> | undefined,
  start: (journalOf: NonNullable<RunOptions["journal"]>, answers: ReadonlyMap<string, unknown>) => RunHandle,
): RunHandle {
  const { store, soon } = keeping;
  let over = false;
  let letGo: () => void = () => undefined;
  let cancelBeat: (() => void) | undefined;
  let handle: RunHandle | undefined;
  const answers = new Map(given);
  const beat = (fence: number): void => {
    cancelBeat = clock.after(keeping.beatMs ?? 1000, () => {
      if (over) return;
      try {
        if (!store.renew(id, fence, leaseOf(keeping))) handle?.interrupt("another process has taken the run over");
        const asked = store.requested(id);
        if (asked === "pause") handle?.pause();
        if (asked === "cancel") handle?.cancel("cancelled from elsewhere");
        for (const [path, value] of store.answers(id)) {
          if (answers.has(path)) continue;
          answers.set(path, value);
          handle?.answer(path, value);
        }
      } catch {
        // The journal finds out at its next write, and stops the run.
      }
      beat(fence);
    });
  };
  const journalOf: NonNullable<RunOptions["journal"]> = (watched, onFailure): Journal =>
    journal({
      store,
      run: id,
      open: () => {
        const fence = open();
        letGo = () => store.release(id, fence);
        beat(fence);
        return fence;
      },
      soon,
      leaseMs: leaseOf(keeping),
      clock: watched,
      onFailure,
    });
  const started = start(journalOf, answers);
  handle = started;
  const end = (): void => {
    over = true;
    cancelBeat?.();
  };
  const leave = (): void => {
    end();
    letGo();
  };
  return { ...started, letGo: leave, result: started.result.finally(end) };
}
