/**
 * `@rate`: no window of time ever sees more starts than allowed. Each token comes back a window after it was taken;
 * who waits is served by priority, with ageing. Shared by all calls of a callable or model in a run.
 */
import { beginWork, endWork } from "./admission.js";
import { pump } from "./body.js";
import type { CallFailure } from "./failure.js";
import { type Line, line, orderOf, type Waiting } from "./gate.js";
import type { Attempt, Run, Step } from "./machine.js";
import { stopped } from "./step.js";

interface Rate {
  readonly tokens: number;
  readonly windowMs: number;
  /** Times of the last starts, oldest first. */
  readonly starts: number[];
  readonly waiting: Line;
  timer: boolean;
  sequence: number;
}

export type Rates = Map<string, Rate>;

/** `shared` names what has the rate, where that is not the callable itself. */
export function withRate(perSecond: number, next: Attempt, shared?: string): Attempt {
  return (step, done) => {
    const working = beginWork(step.run, step.context.account);
    takeToken(step, shared ?? step.site?.callee.ref.id ?? step.path, perSecond, (failed) => {
      if (failed === undefined) next(step, done);
      else done(failed, null);
      endWork(step.run, working);
    });
  };
}

/** Goes on when the rate allows one more start, or with a failure when the step is stopped before. */
export function takeToken(step: Step, key: string, perSecond: number, then: (failed: CallFailure | undefined) => void): void {
  const { run } = step;
  let rate = run.rates.get(key);
  if (rate === undefined) {
    const tokens = Math.max(1, Math.floor(perSecond));
    // What an earlier part of the run started counts as well, wherever the clock stood then.
    const offset = run.clock.now() - run.clock.wall();
    const starts = (run.past?.starts.get(key) ?? []).slice(-tokens).map((at) => Math.min(at + offset, run.clock.now()));
    rate = { tokens, windowMs: (tokens / perSecond) * 1000, starts, waiting: line(), timer: false, sequence: 0 };
    run.rates.set(key, rate);
  }
  const shared = rate;
  if (shared.waiting.peek() === undefined && mayStart(run, shared)) {
    shared.starts.push(run.clock.now());
    started(step, key, () => then(undefined));
    return;
  }
  run.emit({ kind: "call.queued", path: step.path, for: "rate" });
  const wish: Waiting = {
    order: orderOf(run.clock.now(), step.context.priority, step.rank),
    sequence: shared.sequence++,
    gone: false,
    enter: () => {
      step.onStop = undefined;
      started(step, key, () => then(undefined));
    },
  };
  shared.waiting.push(wish);
  step.onStop = () => {
    wish.gone = true;
    step.onStop = undefined;
    then(stopped(step));
    pump(run);
  };
  schedule(run, shared);
}

/** A start is written down before it is made, so that a process that dies cannot forget it. */
function started({ run, path }: Step, key: string, then: () => void): void {
  if (run.commit === undefined) {
    then();
    return;
  }
  run.emit({ kind: "rate.taken", path, key });
  run.commit(() => {
    then();
    pump(run);
  });
}

function mayStart(run: Run, rate: Rate): boolean {
  const now = run.clock.now();
  while (rate.starts.length > 0 && (rate.starts[0] ?? 0) + rate.windowMs <= now) rate.starts.shift();
  return rate.starts.length < rate.tokens;
}

function schedule(run: Run, rate: Rate): void {
  if (rate.timer || rate.waiting.peek() === undefined) return;
  rate.timer = true;
  const wait = Math.max(0, (rate.starts[0] ?? 0) + rate.windowMs - run.clock.now());
  run.clock.after(wait, () => {
    rate.timer = false;
    while (rate.waiting.peek() !== undefined && mayStart(run, rate)) {
      rate.starts.push(run.clock.now());
      rate.waiting.pop()?.enter(() => undefined);
    }
    schedule(run, rate);
    pump(run);
  });
}
