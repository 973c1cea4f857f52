/**
 * `@lock`: one at a time for each name, in the order of asking. A lock is always given back when its holder ends. Two
 * that wait for each other are found when the second one asks, and the cycle is named.
 */
import { pump } from "./body.js";
import { failure } from "./failure.js";
import type { Attempt, Step } from "./machine.js";
import { advanceAll, inside } from "./merge-order.js";
import type { Read } from "./retry.js";
import { stopped } from "./step.js";

interface Wish {
  readonly step: Step;
  readonly granted: () => void;
}

interface Lock {
  holder: Step;
  readonly waiting: Wish[];
}

export type Locks = Map<string, Lock>;

export function withLock(name: Read, next: Attempt): Attempt {
  return (step, done) => {
    const { run } = step;
    const key = String(name(step));
    const hold = (): void => {
      next(step, (failed, value) => {
        release(run.locks, key);
        done(failed, value);
      });
    };
    const lock = run.locks.get(key);
    if (lock === undefined) {
      run.locks.set(key, { holder: step, waiting: [] });
      hold();
      return;
    }
    const cycle = cycleOf(run.locks, key, step);
    if (cycle !== undefined) {
      done(failure("assertion", `these locks wait for each other: ${cycle.join(" → ")}`, { path: step.path }), null);
      return;
    }
    run.emit({ kind: "call.queued", path: step.path, for: "lock" });
    const wish: Wish = {
      step,
      granted: () => {
        step.onStop = undefined;
        hold();
      },
    };
    lock.waiting.push(wish);
    step.onStop = () => {
      const at = lock.waiting.indexOf(wish);
      if (at >= 0) lock.waiting.splice(at, 1);
      step.onStop = undefined;
      done(stopped(step), null);
      pump(run);
    };
    advanceAll(run);
  };
}

function release(locks: Locks, key: string): void {
  const lock = locks.get(key);
  const next = lock?.waiting.shift();
  if (lock === undefined || next === undefined) {
    locks.delete(key);
    return;
  }
  lock.holder = next.step;
  next.granted();
}

/** The locks on the way from `key` back to a lock that the asking step is inside of. */
function cycleOf(locks: Locks, key: string, asking: Step): readonly string[] | undefined {
  const visit = (name: string, way: readonly string[]): readonly string[] | undefined => {
    const lock = locks.get(name);
    if (lock === undefined || way.includes(name)) return undefined;
    const longer = [...way, name];
    if (inside(asking, lock.holder)) return [...longer, key];
    for (const [other, { waiting }] of locks) {
      if (waiting.some((wish) => inside(wish.step, lock.holder))) {
        const found = visit(other, longer);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return visit(key, []);
}
