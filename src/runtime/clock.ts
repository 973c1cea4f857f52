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
