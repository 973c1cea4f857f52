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
  const waiting = line();
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

export interface Line<W extends Waiting = Waiting> {
  push(wish: W): void;
  /** The first that is not gone. */
  pop(): W | undefined;
  peek(): W | undefined;
}

/** Those who wait, in order; nearly everybody joins at the end. Wishes that were taken back are dropped on the way. */
export function line<W extends Waiting = Waiting>(): Line<W> {
  let items: W[] = [];
  let head = 0;
  const after = (a: Waiting, b: Waiting): boolean => a.order > b.order || (a.order === b.order && a.sequence > b.sequence);
  const clean = (): void => {
    while (items[head]?.gone === true) head++;
    if (head > 1024 && head * 2 > items.length) {
      items = items.slice(head);
      head = 0;
    }
  };
  return {
    push(wish) {
      const last = items[items.length - 1];
      if (last === undefined || head >= items.length || !after(last, wish)) {
        items.push(wish);
        return;
      }
      let low = head;
      let high = items.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        const at = items[middle];
        if (at !== undefined && after(at, wish)) high = middle;
        else low = middle + 1;
      }
      items.splice(low, 0, wish);
    },
    pop() {
      clean();
      return items[head] === undefined ? undefined : items[head++];
    },
    peek() {
      clean();
      return items[head];
    },
  };
}
