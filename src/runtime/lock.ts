/**
 * `@lock`: one at a time for each name, in the order of asking, in a run or across the runs of a store. A lock is always
 * given back when its holder ends. Those that wait for each other are found, and the cycle is named.
 */
import { inTurn, pump } from "./body.js";
import { failure } from "./failure.js";
import type { Journal } from "./journal.js";
import { cycleOf, type Holding } from "./lock-cycle.js";
import type { Attempt, Done, Run, Step } from "./machine.js";
import { advanceAll, inside } from "./merge-order.js";
import type { Read } from "./retry.js";
import { running, type Scope } from "./scope.js";
import { stopped } from "./step.js";
import type { Behind, LockTaken } from "./store.js";

interface Wish {
  readonly step: Step;
  readonly done: Done;
  readonly granted: () => void;
  /** Whether it was told that the call waits. */
  queued: boolean;
}

interface Lock {
  readonly key: string;
  readonly scope: "run" | "global";
  readonly name: string;
  /** Undefined while no call of the run has it. */
  holder: Step | undefined;
  readonly waiting: Wish[];
  /** Of a lock that runs share: how the run waits for its turn. */
  watch: Watch | undefined;
}

interface Watch {
  readonly cancel: () => void;
  /** Milliseconds until the next look. */
  readonly pause: number;
  /** Who has it, and since when that run gave no sign of life. */
  readonly taken: LockTaken | undefined;
  readonly since: number;
}

export type Locks = Map<string, Lock>;
/** Where locks are that runs share. */
export type SharedLocks = Pick<Journal, "lock" | "leaseMs">;

/** The first and the longest time between two looks at a lock that another run has, in milliseconds. */
const LOOKS = { first: 50, longest: 500 } as const;

/** Without a store a run is alone, and a lock across runs is one of the run. */
export function withLock(name: Read, scope: "run" | "global", next: Attempt): Attempt {
  return (step, done) => {
    const { run } = step;
    // What is only looked at again starts nothing.
    if (step.context.replay) {
      next(step, done);
      return;
    }
    // Who had it before a crash has it again before anybody else.
    if (run.arrivals !== undefined) {
      const had = run.past?.begun().get(step.path)?.inside !== undefined;
      inTurn(run, step.path, () => (step.halt === running ? take(step, done) : done(stopped(step), null)), had ? "had" : undefined);
    } else take(step, done);
  };

  function take(step: Step, done: Done): void {
    const { run } = step;
    const shared = scope === "global" && run.sharedLocks !== undefined;
    const lock = lockOf(run.locks, scope, String(name(step)));
    const hold = (): void => {
      lock.holder = step;
      next(step, (failed, value) => {
        lock.holder = undefined;
        if (shared) turn(run, lock, step.path);
        else pass(run.locks, lock);
        done(failed, value);
      });
    };
    if (!shared && lock.holder === undefined) {
      hold();
      return;
    }
    const cycle = cycleOf<Lock, Scope>(step, lock, holding(run.locks));
    if (cycle !== undefined) {
      done(
        waitsForItself(
          cycle.map((each) => each.name),
          step,
        ),
        null,
      );
      return;
    }
    const wish: Wish = {
      step,
      done,
      granted: () => {
        step.onStop = undefined;
        hold();
      },
      queued: false,
    };
    lock.waiting.push(wish);
    step.onStop = () => {
      const at = lock.waiting.indexOf(wish);
      if (at >= 0) lock.waiting.splice(at, 1);
      step.onStop = undefined;
      if (shared) look(run, lock, 0);
      else retell(run, lock);
      done(stopped(step), null);
      pump(run);
    };
    if (shared && lock.holder === undefined && lock.waiting.length === 1) turn(run, lock, undefined);
    else {
      queue(run, wish, undefined);
      if (shared && lock.watch === undefined) look(run, lock, LOOKS.first);
      retell(run, lock);
    }
    advanceAll(run);
  }
}

function lockOf(locks: Locks, scope: "run" | "global", name: string): Lock {
  const key = `${scope} ${name}`;
  const known = locks.get(key);
  if (known !== undefined) return known;
  const made: Lock = { key, scope, name, holder: undefined, waiting: [], watch: undefined };
  locks.set(key, made);
  return made;
}

const waitsForItself = (names: readonly string[], step: Step) =>
  failure("assertion", `these locks wait for each other: ${names.join(" → ")}`, { path: step.path });

function queue(run: Run, wish: Wish, holder: string | undefined): void {
  if (wish.queued) return;
  wish.queued = true;
  run.emit({ kind: "call.queued", path: wish.step.path, for: "lock", ...(holder === undefined ? {} : { run: holder }) });
  // It may take long: whoever looks at the run from elsewhere is to see what it waits for.
  if (holder !== undefined) run.commit?.(() => undefined);
}

/** A lock of the run goes to who waits next. */
function pass(locks: Locks, lock: Lock): void {
  const next = lock.waiting.shift();
  if (next === undefined) locks.delete(lock.key);
  else next.granted();
}

/** Looks at a lock that runs share after a while. What waits for calls of its own run does not keep the run going. */
function look(run: Run, lock: Lock, pause: number): void {
  const { watch } = lock;
  watch?.cancel();
  const own = lock.holder !== undefined || watch?.taken?.run === run.id;
  const after = own ? (run.suspense?.deadline ?? run.clock.after) : run.clock.after;
  const cancel = after(pause, () => {
    if (run.dead || run.suspense?.pausing() === true) return;
    turn(run, lock, undefined);
    pump(run);
  });
  lock.watch = { cancel, pause, taken: watch?.taken, since: watch?.since ?? run.clock.now() };
}

/** A turn at a lock that runs share: gives it back, asks for it, or sees who has it. */
function turn(run: Run, lock: Lock, back: string | undefined): void {
  const { watch, waiting } = lock;
  if (run.dead) return;
  watch?.cancel();
  const paths = waiting.map((wish) => wish.step.path);
  const behind = waiting.flatMap(({ step }) => behindOf(run.locks, step));
  const answer = run.sharedLocks?.lock({ name: lock.name, back, waiting: paths, behind, dead: silent(run, watch) });
  // The store failed, and the run with it.
  if (answer === undefined) return;
  if (answer.kind === "taken") {
    for (const wish of waiting) queue(run, wish, answer.run === run.id ? undefined : answer.run);
    const same = watch?.taken?.run === answer.run && watch.taken.until === answer.until;
    const pause = watch === undefined ? LOOKS.first : Math.min(LOOKS.longest, Math.max(LOOKS.first, watch.pause * 1.5));
    lock.watch = { cancel: () => undefined, pause, taken: answer, since: same ? watch.since : run.clock.now() };
    look(run, lock, pause);
    return;
  }
  lock.watch = undefined;
  if (answer.kind === "free") {
    if (lock.holder === undefined) run.locks.delete(lock.key);
    return;
  }
  const at = waiting.findIndex((wish) => wish.step.path === answer.path);
  const [wish] = waiting.splice(at, 1);
  if (wish === undefined) return;
  if (answer.kind === "held") {
    if (answer.from !== undefined) run.emit({ kind: "lock.taken_over", path: answer.path, run: answer.from });
    wish.granted();
    if (waiting.length > 0 && lock.holder !== undefined && lock.watch === undefined) look(run, lock, LOOKS.first);
    return;
  }
  wish.step.onStop = undefined;
  if (lock.watch === undefined) turn(run, lock, undefined);
  wish.done(waitsForItself(answer.names, wish.step), null);
}

/**
 * A holder whose time is over and who was not heard of for a while, seen by a clock that only grows: a calendar that jumps
 * takes no lock from anybody, and one that was set back lets nobody hold one for long.
 */
function silent(run: Run, watch: Watch | undefined): LockTaken | undefined {
  const { taken } = watch ?? {};
  if (watch === undefined || taken?.until === undefined) return undefined;
  const leaseMs = run.sharedLocks?.leaseMs ?? 0;
  const enough = taken.until <= run.clock.wall() ? leaseMs / 6 : leaseMs * 1.2;
  return run.clock.now() - watch.since >= enough ? taken : undefined;
}

/** The locks that runs share whose holders wait for a call, over locks of the run alone. */
function behindOf(locks: Locks, step: Step): readonly Behind[] {
  const found: Behind[] = [];
  const seen = new Set<Lock>();
  const visit = (call: Scope, through: readonly string[]): void => {
    for (const lock of locks.values()) {
      if (lock.scope !== "run" || lock.holder === undefined || seen.has(lock) || !inside(call, lock.holder)) continue;
      seen.add(lock);
      const way = [lock.name, ...through];
      for (const wish of lock.waiting) {
        for (const { scope, holder, name } of locks.values())
          if (scope === "global" && holder !== undefined && inside(wish.step, holder))
            found.push({ path: step.path, lock: name, through: way });
        visit(wish.step, way);
      }
    }
  };
  if (locks.size > 1) visit(step, []);
  return found;
}

/** Tells the store at once that another call waits at a lock of the run, or does not any more, where it matters. */
function retell(run: Run, { scope }: Lock): void {
  if (scope !== "run" || run.sharedLocks === undefined) return;
  for (const lock of run.locks.values())
    if (lock.scope === "global" && lock.waiting.length > 0 && lock.watch !== undefined) look(run, lock, 0);
}

/** How the locks of a run stand. */
const holding = (locks: Locks): Holding<Lock, Scope> => ({
  holderOf: ({ holder }) => holder,
  wantedInside: (holder) => [...locks.values()].filter(({ waiting }) => waiting.some((wish) => inside(wish.step, holder))),
  inside,
});
