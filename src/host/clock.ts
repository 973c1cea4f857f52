/**
 * The real clock, and a virtual one. Virtual time stands still while anything outside the clock is going on (a tool's
 * promise, a file being read); then it jumps to the next timer. Durations come from a clock that only grows.
 */
import type { Clock } from "../runtime/clock.js";

/** The longest time that a timer of the platform can wait at once. */
const longest = 2 ** 31 - 1;

export function realClock(): Clock {
  // A tool that never answers must not end the process as if nothing were left to do.
  let held = 0;
  let alive: NodeJS.Timeout | undefined;
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms, fire) {
      let timer: NodeJS.Timeout;
      const wait = (left: number): void => {
        timer = setTimeout(() => (left > longest ? wait(left - longest) : fire()), Math.min(left, longest));
      };
      wait(Math.max(0, ms));
      return () => clearTimeout(timer);
    },
    hold() {
      if (held++ > 0) return;
      if (alive === undefined) alive = setInterval(() => undefined, longest);
      else alive.ref();
    },
    release() {
      if (--held === 0) alive?.unref();
    },
  };
}

export interface VirtualClock extends Clock {
  /** Timers that have not fired. */
  readonly pending: () => number;
}

interface Timer {
  readonly at: number;
  readonly sequence: number;
  readonly fire: () => void;
  gone: boolean;
}

export function virtualClock(startWall = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = 0;
  let held = 0;
  let sequence = 0;
  let scheduled = false;
  const timers: Timer[] = [];

  const schedule = (): void => {
    if (scheduled || held > 0 || timers.length === 0) return;
    scheduled = true;
    // Everything that promises still have to do comes before time goes on.
    setImmediate(() => {
      scheduled = false;
      if (held > 0) return;
      const next = take(timers);
      if (next === undefined) return;
      now = Math.max(now, next.at);
      next.fire();
      schedule();
    });
  };
  return {
    now: () => now,
    wall: () => startWall + now,
    after(ms, fire) {
      const timer: Timer = { at: now + Math.max(0, ms), sequence: sequence++, fire, gone: false };
      put(timers, timer);
      schedule();
      return () => {
        timer.gone = true;
      };
    },
    hold() {
      held++;
    },
    release() {
      held--;
      schedule();
    },
    pending: () => timers.filter((timer) => !timer.gone).length,
  };
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

/** Keeps a binary heap by time. */
function put(heap: Timer[], timer: Timer): void {
  heap.push(timer);
  for (let i = heap.length - 1; i > 0; ) {
    const parent = (i - 1) >> 1;
    const [child, above] = [heap[i], heap[parent]];
    if (child === undefined || above === undefined || !before(child, above)) return;
    heap[i] = above;
    heap[parent] = child;
    i = parent;
  }
}

/** The next timer that was not cancelled. */
function take(heap: Timer[]): Timer | undefined {
  for (;;) {
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return undefined;
    if (heap.length > 0) {
      heap[0] = last;
      sink(heap);
    }
    if (!top.gone) return top;
  }
}

function sink(heap: Timer[]): void {
  for (let i = 0; ; ) {
    let least = i;
    for (const child of [2 * i + 1, 2 * i + 2]) {
      const [a, b] = [heap[child], heap[least]];
      if (a !== undefined && b !== undefined && before(a, b)) least = child;
    }
    if (least === i) return;
    const [a, b] = [heap[i], heap[least]];
    if (a === undefined || b === undefined) return;
    heap[i] = b;
    heap[least] = a;
    i = least;
  }
}
