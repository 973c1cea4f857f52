/**
 * How events reach those who listen. A listener that throws or is slow does not disturb the run: a thrown error stops
 * only that listener, and a reader that falls far behind is told how many events it missed.
 */
import type { NewEvent, RunEvent } from "./events.js";

export interface Feed {
  readonly emit: (event: NewEvent) => void;
  /** Whether somebody reads `events`. */
  readonly isRead: () => boolean;
  readonly events: AsyncIterable<RunEvent>;
  readonly end: () => void;
}

const mostWaiting = 100_000;

/** `first` is the number of the first event; what a model says bit by bit shares the number of what comes next. */
export function eventFeed(listener: ((event: RunEvent) => void) | undefined, elapsed: () => number, first = 0): Feed {
  let seq = first;
  let ended = false;
  let listen = listener;
  const readers = new Set<Reader>();

  const emit = (event: NewEvent): void => {
    if (listen === undefined && readers.size === 0) {
      if (!isFleeting(event)) seq++;
      return;
    }
    // The event was made for this one use, so it is completed rather than copied.
    const stamped = event as RunEvent;
    stamped.seq = isFleeting(event) ? seq : seq++;
    stamped.at = elapsed();
    if (listen !== undefined) {
      try {
        listen(stamped);
      } catch {
        listen = undefined;
      }
    }
    if (readers.size > 0) for (const reader of readers) reader.push(stamped);
  };

  const iterate = (): AsyncIterator<RunEvent> => {
    const reader = newReader();
    if (ended) reader.end();
    readers.add(reader);
    return {
      next: () => reader.next(),
      return: () => {
        readers.delete(reader);
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  };

  return {
    emit,
    isRead: () => readers.size > 0,
    events: { [Symbol.asyncIterator]: iterate },
    end() {
      ended = true;
      for (const reader of readers) reader.end();
    },
  };
}

/** Told on the way and kept nowhere. */
export function isFleeting({ kind }: { readonly kind: NewEvent["kind"] }): boolean {
  return kind === "model.delta" || kind === "model.partial";
}

interface Reader {
  readonly push: (event: RunEvent) => void;
  readonly end: () => void;
  readonly next: () => Promise<IteratorResult<RunEvent>>;
}

function newReader(): Reader {
  let waiting: RunEvent[] = [];
  let head = 0;
  let dropped = 0;
  let ended = false;
  let wake: (() => void) | undefined;
  const take = (): RunEvent | undefined => {
    if (head >= waiting.length) return undefined;
    const event = waiting[head++];
    if (head > 1024 && head * 2 > waiting.length) {
      waiting = waiting.slice(head);
      head = 0;
    }
    return event;
  };
  return {
    push(event) {
      if (waiting.length - head >= mostWaiting) dropped++;
      else {
        if (dropped > 0) {
          waiting.push({ kind: "events.dropped", seq: event.seq, at: event.at, count: dropped });
          dropped = 0;
        }
        waiting.push(event);
      }
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
    async next() {
      for (;;) {
        const event = take();
        if (event !== undefined) return { done: false, value: event };
        if (dropped > 0) {
          const count = dropped;
          dropped = 0;
          return { done: false, value: { kind: "events.dropped", seq: -1, at: 0, count } };
        }
        if (ended) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    },
  };
}
