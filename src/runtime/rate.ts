/**
 * `@rate`, and what the provider of a model allows: no window of time ever sees more starts, or more tokens, than that.
 * What is taken comes back a window after it was used. Tokens count at their worst until the answer tells how many they
 * were; what is more than a whole window goes alone. Who waits is served by priority, with ageing. Shared by all calls of
 * a callable or model in a run, and kept when the run is carried on.
 */
import type { ModelIR } from "../plan/ir.js";
import { beginWork, endWork, settleRequest } from "./admission.js";
import { pump } from "./body.js";
import type { CallFailure } from "./failure.js";
import { type Line, line, orderOf, type Waiting } from "./gate.js";
import { type Amount, nothing } from "./ledger.js";
import type { Attempt, Run, Step } from "./machine.js";
import { cancelled } from "./scope.js";
import { stopped } from "./step.js";

/** What may be taken. */
export interface Allowance {
  readonly perSecond: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** What was taken. */
export interface Use {
  /** Says that it is used now: until then it counts, and does not come back. */
  readonly use: () => void;
  /** Says how many tokens they were in the end. */
  readonly correct: (tokens: number) => void;
}

interface Taken {
  /** When it was used; `Infinity` until then. */
  at: number;
  tokens: number;
  /** Its place among all that was ever taken. */
  readonly place: number;
}

interface Window {
  readonly most: number;
  readonly ms: number;
  readonly weigh: (tokens: number) => number;
  /** Place of the first that still counts, and what counts together. */
  head: number;
  sum: number;
}

interface Wish extends Waiting {
  readonly tokens: number;
}

interface Rate {
  readonly windows: readonly Window[];
  readonly taken: Taken[];
  /** How many were taken before the first in `taken`. */
  dropped: number;
  readonly waiting: Line<Wish>;
  timer: boolean;
  sequence: number;
}

export type Rates = Map<string, Rate>;

const MINUTE = 60_000;

/** `shared` names what has the rate, where that is not the callable itself. */
export function withRate(perSecond: number, next: Attempt, shared?: string): Attempt {
  const allowance: Allowance = { perSecond, tokensPerMinute: undefined };
  return (step, done) => {
    const working = beginWork(step.run, step.context.account);
    take(step, shared ?? step.site?.callee.ref.id ?? step.path, allowance, 0, (taken) => {
      const { run } = step;
      const start = (): void => {
        if ("use" in taken) {
          taken.use();
          next(step, done);
        } else done(taken, null);
        endWork(run, working);
      };
      if (run.commit === undefined || !("use" in taken)) start();
      else {
        // It is written down before it is used, so that a process that dies cannot forget it.
        run.commit(() => {
          start();
          pump(run);
        });
      }
    });
  };
}

/**
 * Goes on when one more start with so many tokens is allowed, or with a failure when the step is stopped before. In a
 * journaled run what was taken is told; the caller makes that safe before it uses it.
 */
export function take(step: Step, key: string, allowance: Allowance, tokens: number, then: (taken: Use | CallFailure) => void): void {
  const { run } = step;
  const rate = rateOf(run, key, allowance);
  const enter = (): void => {
    const entry: Taken = { at: Number.POSITIVE_INFINITY, tokens, place: rate.dropped + rate.taken.length };
    rate.taken.push(entry);
    for (const window of rate.windows) window.sum += window.weigh(tokens);
    if (run.commit !== undefined)
      run.emit({ kind: "rate.taken", path: step.path, key, ...(allowance.tokensPerMinute === undefined ? {} : { tokens }) });
    then({
      use: () => {
        entry.at = run.clock.now();
        serve(run, rate);
      },
      correct: (used) => correct(run, rate, entry, used),
    });
  };
  if (rate.waiting.peek() === undefined && blocking(run, rate, tokens) === undefined) {
    enter();
    return;
  }
  run.emit({ kind: "call.queued", path: step.path, for: "rate" });
  const wish: Wish = {
    order: orderOf(run.clock.now(), step.context.priority, step.rank),
    sequence: rate.sequence++,
    tokens,
    gone: false,
    enter: () => {
      step.onStop = undefined;
      enter();
    },
  };
  rate.waiting.push(wish);
  step.onStop = () => {
    wish.gone = true;
    step.onStop = undefined;
    then(stopped(step));
    pump(run);
  };
  serve(run, rate);
}

/** Waits until the provider allows a request of this size; what is held for it is let go where it is not sent. */
export async function allowed(step: Step, model: ModelIR, amount: Amount): Promise<Use | undefined> {
  const { rate: perSecond, tokensPerMinute } = model;
  if (perSecond === undefined && tokensPerMinute === undefined) return undefined;
  const use = await new Promise<Use | CallFailure>((resolve) => {
    take(step, `model ${model.id}`, { perSecond, tokensPerMinute }, amount.tokens, (found) => resolve(found));
  });
  if ("use" in use && step.halt !== cancelled) return use;
  if ("use" in use) use.use();
  settleRequest(step, step.context.account, amount, nothing, false);
  throw "use" in use ? stopped(step) : use;
}

function rateOf(run: Run, key: string, { perSecond, tokensPerMinute }: Allowance): Rate {
  const known = run.rates.get(key);
  if (known !== undefined) return known;
  const windows: Window[] = [];
  if (perSecond !== undefined) {
    const most = Math.max(1, Math.floor(perSecond));
    windows.push({ most, ms: (most / perSecond) * 1000, weigh: () => 1, head: 0, sum: 0 });
  }
  if (tokensPerMinute !== undefined) windows.push({ most: tokensPerMinute, ms: MINUTE, weigh: (tokens) => tokens, head: 0, sum: 0 });
  // What an earlier part of the run used counts as well, wherever the clock stood then.
  const now = run.clock.now();
  const offset = now - run.clock.wall();
  const taken = (run.past?.starts.get(key) ?? []).map(
    ({ at, tokens }, place): Taken => ({ at: Math.min(at + offset, now), tokens, place }),
  );
  for (const window of windows) window.sum = taken.reduce((sum, { tokens }) => sum + window.weigh(tokens), 0);
  const rate: Rate = { windows, taken, dropped: 0, waiting: line(), timer: false, sequence: 0 };
  run.rates.set(key, rate);
  return rate;
}

/** The window that has no room for one more now. */
function blocking(run: Run, rate: Rate, tokens: number): Window | undefined {
  const now = run.clock.now();
  for (const window of rate.windows) {
    for (let first = at(rate, window.head); first !== undefined && first.at + window.ms <= now; first = at(rate, window.head)) {
      window.sum -= window.weigh(first.tokens);
      window.head++;
    }
  }
  const oldest = Math.min(...rate.windows.map((window) => window.head));
  if (oldest - rate.dropped > 1024) {
    rate.taken.splice(0, oldest - rate.dropped);
    rate.dropped = oldest;
  }
  return rate.windows.find((window) => window.sum > 0 && window.sum + window.weigh(tokens) > window.most);
}

const at = (rate: Rate, place: number): Taken | undefined => rate.taken[place - rate.dropped];

function correct(run: Run, rate: Rate, entry: Taken, tokens: number): void {
  for (const window of rate.windows) if (entry.place >= window.head) window.sum += window.weigh(tokens) - window.weigh(entry.tokens);
  entry.tokens = tokens;
  serve(run, rate);
}

/** Lets in who waits as far as there is room, and looks again when there may be more. */
function serve(run: Run, rate: Rate): void {
  for (let next = rate.waiting.peek(); next !== undefined; next = rate.waiting.peek()) {
    const full = blocking(run, rate, next.tokens);
    if (full === undefined) {
      rate.waiting.pop()?.enter(() => undefined);
      continue;
    }
    const first = at(rate, full.head);
    // What is not used yet looks again when it is.
    if (rate.timer || first === undefined || first.at === Number.POSITIVE_INFINITY) return;
    rate.timer = true;
    run.clock.after(Math.max(0, first.at + full.ms - run.clock.now()), () => {
      rate.timer = false;
      serve(run, rate);
      pump(run);
    });
    return;
  }
}
