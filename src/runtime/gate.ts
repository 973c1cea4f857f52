/**
 * A limit on how many things go on at once. p-limit keeps the count; who goes next is the most urgent that waits:
 * higher priority first, but whoever has waited for long overtakes it, then what has the longest way still to go.
 */
import pLimit from "p-limit";

export interface Waiting {
  /** Smaller goes first. */
  readonly order: number;
  readonly sequence: number;
  /** Goes in; must call `leave` once. */
  readonly enter: (leave: () => void) => void;
  gone: boolean;
}

export interface Gate {
  readonly max: number;
  /** Asks to go in; `waiting.gone = true` takes the wish back. */
  readonly ask: (waiting: Waiting) => void;
  /** Whether one more could go in at once. */
  readonly free: () => boolean;
}

/** How much longer (in ms) somebody one priority below has to wait to be served first. */
const ageing = 30_000;
const perRank = 1_000;

export function orderOf(now: number, priority: number, rank: number): number {
  return now - priority * ageing - rank * perRank;
}

export function gate(max: number): Gate {
  const limit = pLimit(Math.max(1, max));
  const waiting = heap();
  const run = (): Promise<void> | void => {
    const next = waiting.pop();
    if (next === undefined) return;
    return new Promise<void>((leave) => next.enter(leave));
  };
  return {
    max,
    ask(wish) {
      waiting.push(wish);
      void limit(run);
    },
    free: () => limit.activeCount < max && limit.pendingCount === 0,
  };
}

export interface Heap {
  push(wish: Waiting): void;
  /** The first that is not gone. */
  pop(): Waiting | undefined;
  peek(): Waiting | undefined;
  size(): number;
}

/** A binary heap of those who wait; wishes that were taken back are dropped when they come up. */
export function heap(): Heap {
  const items: Waiting[] = [];
  const before = (a: Waiting, b: Waiting): boolean => a.order < b.order || (a.order === b.order && a.sequence < b.sequence);
  const swap = (i: number, j: number): void => {
    const [a, b] = [items[i], items[j]];
    if (a === undefined || b === undefined) return;
    items[i] = b;
    items[j] = a;
  };
  const less = (i: number, j: number): boolean => {
    const [a, b] = [items[i], items[j]];
    return a !== undefined && b !== undefined && before(a, b);
  };
  const sift = (): void => {
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      let least = i;
      if (less(left, least)) least = left;
      if (less(left + 1, least)) least = left + 1;
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  const take = (): Waiting | undefined => {
    const top = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) {
      items[0] = last;
      sift();
    }
    return top;
  };
  const clean = (): void => {
    while (items[0]?.gone === true) take();
  };
  return {
    push(wish) {
      items.push(wish);
      for (let i = items.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!less(i, parent)) break;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      clean();
      return take();
    },
    peek() {
      clean();
      return items[0];
    },
    size: () => items.length,
  };
}
