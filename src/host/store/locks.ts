/**
 * Locks that the runs of a store share, over rows that each kind of store keeps in its own way. Whoever asked first is
 * first, whichever run it is of. A lock belongs to a call of a run and is held as long as that run has an owner that gives
 * signs of life, or waits for a person. When a run loses a lock its fencing number goes up: it writes nothing more.
 */
import { cycleOf } from "../../runtime/lock-cycle.js";
import { type Behind, type LockAnswer, type LockTurn, type StoredStatus, StoreError } from "../../runtime/store.js";

/** A call that has a lock, or waits for one. */
export interface LockRow {
  readonly name: string;
  readonly run: string;
  readonly path: string;
}

/** A call that waits, with what waits for it in its run. */
export interface WaitRow extends LockRow {
  readonly behind: readonly Pick<Behind, "lock" | "through">[];
}

export interface HeldRow extends LockRow {
  /** The number under which its run wrote when it was given the lock. */
  readonly fence: number;
}

/** How a run stands that has or wants a lock. */
export interface Standing {
  readonly status: StoredStatus;
  readonly owner: string | undefined;
  /** Milliseconds since 1970. */
  readonly lease: number;
}

/** What a store keeps of its locks; everything in one turn is one transaction. */
export interface LockRows {
  readonly holder: (name: string) => HeldRow | undefined;
  /** In the order of asking. */
  readonly waits: (name: string) => readonly WaitRow[];
  readonly all: () => { readonly held: readonly LockRow[]; readonly waits: readonly WaitRow[] };
  /** In the place of who held it before. */
  readonly hold: (row: HeldRow) => void;
  readonly free: (name: string) => void;
  /** One that waits already keeps its place. */
  readonly wait: (row: WaitRow) => void;
  readonly leave: (row: LockRow) => void;
  /** Undefined of a run that is not in the store. */
  readonly standing: (run: string) => Standing | undefined;
  /** Takes a run from its owner: what that one writes from now on is refused. */
  readonly fenceOff: (run: string) => void;
}

export interface Around {
  readonly run: string;
  readonly fence: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether an owner is known to have ended. */
  readonly hasEnded: (owner: string) => boolean;
}

/** One turn of a run at a lock. */
export function takeTurn(
  rows: LockRows,
  { name, back, waiting, behind = [], dead }: LockTurn,
  { run, fence, now, hasEnded }: Around,
): LockAnswer {
  const before = rows.holder(name);
  if (back !== undefined && before?.run === run && before.path === back) rows.free(name);
  const wanted = new Set(waiting);
  const mine = rows.waits(name).filter((row) => row.run === run);
  for (const row of mine) if (!wanted.has(row.path)) rows.leave(row);
  const next = waiting[0];
  if (next === undefined) return { kind: "free" };

  const isLive = (of: string): boolean => {
    const standing = rows.standing(of);
    return standing?.owner !== undefined && standing.lease > now && !hasEnded(standing.owner);
  };
  const holds = (row: HeldRow): boolean => {
    // What this run held when an earlier process of it died is its own still, for any of its calls.
    if (row.run === run) return row.fence === fence;
    const standing = rows.standing(row.run);
    if (standing?.status === "waiting") return true;
    if (standing?.owner === undefined || hasEnded(standing.owner)) return false;
    return dead?.run !== row.run || dead.until !== standing.lease;
  };
  const held = rows.holder(name);
  const taken = held !== undefined && holds(held) ? held : undefined;
  const first = rows.waits(name).find((row) => row.run === run || isLive(row.run));
  const isNext = held?.run === run || first === undefined || first.run === run;
  const wait = (path: string): void => {
    const told = behind.flatMap((each) => (each.path === path ? [{ lock: each.lock, through: each.through }] : []));
    const known = mine.find((row) => row.path === path);
    // A turn that changes nothing writes nothing.
    if (known === undefined || JSON.stringify(known.behind) !== JSON.stringify(told)) rows.wait({ name, run, path, behind: told });
  };
  if (taken === undefined && isNext) {
    const path = held?.run === run && wanted.has(held.path) ? held.path : next;
    const lost = held !== undefined && held.run !== run ? held.run : undefined;
    if (lost !== undefined) rows.fenceOff(lost);
    rows.hold({ name, run, path, fence });
    rows.leave({ name, run, path });
    for (const other of waiting) if (other !== path) wait(other);
    return { kind: "held", path, from: lost };
  }
  for (const path of waiting) wait(path);
  const cycle = ownCycle(rows, run, name);
  if (cycle !== undefined) {
    rows.leave({ name, run, path: cycle.path });
    return { kind: "cycle", ...cycle };
  }
  const ahead = taken ?? first;
  const until = ahead === undefined || ahead.run === run ? undefined : rows.standing(ahead.run)?.lease;
  return { kind: "taken", run: ahead?.run ?? run, path: ahead?.path ?? next, until };
}

/** Whether a call is another one or is made inside of it: paths of what is inside begin with that of what is around. */
function within(inner: LockRow, outer: LockRow): boolean {
  if (inner.run !== outer.run || !inner.path.startsWith(outer.path)) return false;
  const next = inner.path[outer.path.length];
  return next === undefined || next === "/" || next === "~";
}

/** The locks of its run over which the holder of one waits for a call; undefined where it does not. */
function wayTo(call: WaitRow, holder: LockRow): readonly string[] | undefined {
  if (within(call, holder)) return [];
  return call.run === holder.run ? call.behind.find(({ lock }) => lock === holder.name)?.through : undefined;
}

/** A call of the run that waits for a lock whose holder waits for one that waits for the call, over any number of steps. */
function ownCycle(rows: LockRows, run: string, name: string): { readonly path: string; readonly names: readonly string[] } | undefined {
  const { held, waits } = rows.all();
  const holders = new Map(held.map((row) => [row.name, row]));
  for (const asking of waits) {
    if (asking.run !== run || asking.name !== name) continue;
    const names = cycleOf<string, LockRow>(asking, name, {
      holderOf: (lock) => holders.get(lock),
      wantedInside: (holder) => waits.filter((wait) => wayTo(wait, holder) !== undefined).map((wait) => wait.name),
      inside: (_, holder) => wayTo(asking, holder) !== undefined,
    });
    if (names === undefined) continue;
    // From each lock to the next that its holder waits for, over the locks of that run.
    const between = (from: string, to: string | undefined, last: boolean): readonly string[] => {
      const holder = holders.get(from);
      for (const wait of last ? [asking] : waits) {
        const way = holder === undefined || wait.name !== to ? undefined : wayTo(wait, holder);
        if (way !== undefined) return way;
      }
      return [];
    };
    return { path: asking.path, names: names.flatMap((lock, i) => [lock, ...between(lock, names[i + 1], i === names.length - 2)]) };
  }
  return undefined;
}

/** What a writer is told whose number is an old one. */
export function fenced(run: string, { owner, status }: Pick<Standing, "owner" | "status">): StoreError {
  const silent = owner === undefined && status === "running";
  const why = silent ? "gave no sign of life for so long that another run took a lock of it" : "was taken over by another process";
  return new StoreError("fenced", `the run ${run} ${why}`);
}
