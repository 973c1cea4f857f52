/** Time as the runtime sees it. The real clock and the virtual one of tests are in `host/clock.ts`. */

export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds that only grow; its zero means nothing. */
  now(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  /** Calls back once after so many milliseconds. */
  after(ms: number, fire: () => void): CancelTimer;
  /** Something outside the clock is going on: virtual time stands still until it is released. */
  hold(): void;
  release(): void;
}

/** Milliseconds in whole microseconds: what is written down of a time is no longer than it is exact. */
export const inMicros = (ms: number): number => Math.round(ms * 1000) / 1000;
