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
    after: timers(),
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

interface Entry {
  readonly at: number;
  fire: (() => void) | undefined;
}

/** Timers of one duration, which fire in the order in which they were set. */
interface Lane {
  readonly ms: number;
  entries: Entry[];
  /** Entries that were not cancelled. */
  live: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Timers of the platform, one for each duration that is in use: nearly every timeout is cancelled long before it fires,
 * so setting and cancelling one must cost next to nothing. None fires early.
 */
function timers(): Clock["after"] {
  const lanes = new Map<number, Lane>();

  const tick = (lane: Lane): void => {
    const now = performance.now();
    const due: (() => void)[] = [];
    let kept = 0;
    while (kept < lane.entries.length) {
      const entry = lane.entries[kept];
      if (entry?.fire !== undefined && entry.at > now) break;
      if (entry?.fire !== undefined) {
        due.push(entry.fire);
        entry.fire = undefined;
      }
      kept++;
    }
    lane.entries = lane.entries.slice(kept);
    lane.live -= due.length;
    const first = lane.entries[0];
    lane.timer = undefined;
    if (lane.live === 0 || first === undefined) lanes.delete(lane.ms);
    else arm(lane, first.at - now);
    for (const fire of due) fire();
  };
  // A timer that nobody waits for must not keep the process alive. Nearly always the next one is set at once.
  let sweeping = false;
  const sweep = (): void => {
    sweeping = false;
    for (const lane of lanes.values()) if (lane.live === 0) lane.timer?.unref();
  };
  const arm = (lane: Lane, ms: number): void => {
    lane.timer = setTimeout(() => tick(lane), Math.min(Math.max(1, Math.ceil(ms)), longest));
  };

  return (wanted, fire) => {
    const ms = Math.max(0, wanted);
    let lane = lanes.get(ms);
    if (lane === undefined) {
      lane = { ms, entries: [], live: 0, timer: undefined };
      lanes.set(ms, lane);
    }
    const own = lane;
    const entry: Entry = { at: performance.now() + ms, fire };
    own.entries.push(entry);
    own.live++;
    if (own.timer === undefined) arm(own, ms);
    else if (own.live === 1 && !own.timer.hasRef()) own.timer.ref();
    return () => {
      if (entry.fire === undefined) return;
      entry.fire = undefined;
      own.live--;
      if (own.live === 0 && !sweeping) {
        sweeping = true;
        setImmediate(sweep);
      }
      if (own.entries.length > 1024 && own.live * 4 < own.entries.length)
        own.entries = own.entries.filter((each) => each.fire !== undefined);
    };
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
