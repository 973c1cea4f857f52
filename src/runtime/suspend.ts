/**
 * A run that cannot go on by itself: questions that nobody has answered yet, or a pause that was asked for. What runs is
 * let to its end; when only what waits is left the run ends as `waiting` or `paused`, to be resumed. Whether something
 * still runs is seen at the clock: timers that are set and things outside that are held; deadlines do not count.
 */
import type { Clock } from "./clock.js";

export type Suspension =
  | { readonly kind: "waiting"; readonly questions: readonly string[] }
  | { readonly kind: "paused"; readonly reason: string };

export interface Suspense {
  /** The clock of the run, watched. */
  readonly clock: Clock;
  /** A timer that only ends something that takes too long. */
  readonly deadline: Clock["after"];
  /** Questions without an answer by path, and how each is answered. */
  readonly waiting: Map<string, (value: unknown) => void>;
  /** Requests whose time is the clock's and that must be awaited in a pause. */
  flights: number;
  readonly pausing: () => boolean;
  /** Lets nothing more start; what runs is awaited. */
  readonly pause: (reason: string) => void;
  /** Looks, when all that happens now has happened, whether only what waits is left. */
  readonly look: () => void;
}

export function suspense(clock: Clock, onIdle: (how: Suspension) => void): Suspense {
  let timers = 0;
  let held = 0;
  let looking = false;
  let reason: string | undefined;
  const waiting = new Map<string, (value: unknown) => void>();

  const look = (): void => {
    if (looking || (reason === undefined && waiting.size === 0)) return;
    looking = true;
    clock.after(0, () => {
      looking = false;
      if (held > 0) return;
      // Backoffs need not be waited for in a pause; what was sent must be.
      if (reason !== undefined && made.flights === 0) onIdle({ kind: "paused", reason });
      else if (timers === 0 && waiting.size > 0) onIdle({ kind: "waiting", questions: [...waiting.keys()] });
    });
  };
  const made: Suspense = {
    clock: {
      now: clock.now,
      wall: clock.wall,
      after: (ms, fire) => {
        let over = false;
        const end = (): void => {
          if (over) return;
          over = true;
          timers--;
          look();
        };
        timers++;
        const cancel = clock.after(ms, () => {
          end();
          fire();
        });
        return () => {
          end();
          cancel();
        };
      },
      hold: () => {
        held++;
        clock.hold();
      },
      release: () => {
        held--;
        clock.release();
        look();
      },
    },
    deadline: clock.after,
    waiting,
    flights: 0,
    pausing: () => reason !== undefined,
    pause: (why) => {
      reason ??= why;
      look();
    },
    look,
  };
  return made;
}
