/**
 * `@rate`, and what the provider of a model allows: no window of time ever sees more starts, or more tokens, than that.
 * What is taken comes back a window after it was used. Tokens count at their worst until the answer tells how many they
 * were; what is more than a whole window goes alone. Who waits is served by priority, with ageing. Shared by all calls of
 * a callable or model in a run, and kept when the run is carried on.
 */
import type { ModelIR } from "../plan/ir.js";
import { beginWork, endWork, settleRequest, type Worker } from "./admission.js";
import { pump } from "./body.js";
import type { CallFailure } from "./failure.js";
import { type Line, line, orderOf, type Waiting } from "./gate.js";
import { type Amount, nothing } from "./ledger.js";
import type { Attempt, Done, Run, Step } from "./machine.js";
import { cancelled } from "./scope.js";
import { stopped, waitingSince } from "./step.js";

/** What may be taken. */
export interface Allowance {
  readonly perSecond: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** What was taken: it counts until a window after it was used. */
export interface Taken {
  /** When it was used; `Infinity` until then. */
  at: number;
  tokens: number;
  /** Its place among all that was ever taken. */
  readonly place: number;
  readonly rate: Rate;
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

export interface Rate {
  readonly windows: readonly Window[];
  readonly taken: Taken[];
  /** How many were taken before the first in `taken`. */
  dropped: number;
  /** How long `taken` gets before what came back is taken out of it. */
  sweepAt: number;
  readonly waiting: Line<Wish>;
  timer: boolean;
  sequence: number;
}

export type Rates = Map<string, Rate>;

const MINUTE = 60_000;
const LONG = 1024;

/** `shared` names what has the rate, where that is not the callable itself. */
export function withRate(perSecond: number, next: Attempt, shared?: string): Attempt {
  const allowance: Allowance = { perSecond, tokensPerMinute: undefined };
  // Functions of their own for the rare ways, so that the usual one allocates nothing for them.
  const waiting = (step: Step, key: string, working: Worker | undefined, done: Done): void => {
    const { run } = step;
    take(step, key, allowance, 0, (taken) => {
      if (!("rate" in taken)) {
        done(taken, null);
        endWork(run, working);
        return;
      }
      const start = (): void => {
        use(run, taken);
        next(step, done);
        endWork(run, working);
      };
      if (run.commit === undefined) start();
      else {
        // It is written down before it is used, so that a process that dies cannot forget it.
        run.commit(() => {
          start();
          pump(run);
        });
      }
    });
  };
  return (step, done) => {
    const { run } = step;
    const working = beginWork(run, step.context.account);
    const key = shared ?? step.site?.callee.ref.id ?? step.path;
    const free = run.commit === undefined ? takeNow(step, rateOf(run, key, allowance), key, allowance, 0) : undefined;
    if (free === undefined) {
      waiting(step, key, working, done);
      return;
    }
    use(run, free);
    next(step, done);
    endWork(run, working);
  };
}

/**
 * Goes on when one more start with so many tokens is allowed, or with a failure when the step is stopped before. In a
 * journaled run what was taken is told; the caller makes that safe before it uses it.
 */
export function take(step: Step, key: string, allowance: Allowance, tokens: number, then: (taken: Taken | CallFailure) => void): void {
  const { run } = step;
  const rate = rateOf(run, key, allowance);
  const free = takeNow(step, rate, key, allowance, tokens);
  if (free !== undefined) {
    then(free);
    return;
  }
  run.emit({ kind: "call.queued", path: step.path, for: "rate" });
  const wish: Wish = {
    order: orderOf(waitingSince(step, "rate"), step.context.priority, step.rank),
    sequence: rate.sequence++,
    tokens,
    gone: false,
    enter: () => {
      step.onStop = undefined;
      then(enter(step, rate, key, allowance, tokens));
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

/** One more start where nobody waits and there is room. */
function takeNow(step: Step, rate: Rate, key: string, allowance: Allowance, tokens: number): Taken | undefined {
  if (rate.waiting.peek() !== undefined || blocking(step.run, rate, tokens) !== undefined) return undefined;
  return enter(step, rate, key, allowance, tokens);
}

function enter({ run, path }: Step, rate: Rate, key: string, { tokensPerMinute }: Allowance, tokens: number): Taken {
  const taken: Taken = { at: Number.POSITIVE_INFINITY, tokens, place: rate.dropped + rate.taken.length, rate };
  rate.taken.push(taken);
  const { windows } = rate;
  for (let i = 0; i < windows.length; i++) {
    const window = windows[i] as Window;
    window.sum += window.weigh(tokens);
  }
  if (run.commit !== undefined) run.emit({ kind: "rate.taken", path, key, ...(tokensPerMinute === undefined ? {} : { tokens }) });
  return taken;
}

/** Says that it is used now: until then it counts, and does not come back. */
export function use(run: Run, taken: Taken): void {
  taken.at = run.clock.now();
  serve(run, taken.rate);
}

/** Says how many tokens they were in the end. */
export function correct(run: Run, taken: Taken, tokens: number): void {
  const { rate, place } = taken;
  for (const window of rate.windows) if (place >= window.head) window.sum += window.weigh(tokens) - window.weigh(taken.tokens);
  taken.tokens = tokens;
  serve(run, rate);
}

/** Waits until the provider allows a request of this size; what is held for it is let go where it is not sent. */
export async function allowed(step: Step, model: ModelIR, amount: Amount): Promise<Taken | undefined> {
  const { rate: perSecond, tokensPerMinute } = model;
  if (perSecond === undefined && tokensPerMinute === undefined) return undefined;
  const taken = await new Promise<Taken | CallFailure>((resolve) => {
    take(step, `model ${model.id}`, { perSecond, tokensPerMinute }, amount.tokens, resolve);
  });
  if ("rate" in taken && step.halt !== cancelled) return taken;
  if ("rate" in taken) use(step.run, taken);
  settleRequest(step, step.context.account, amount, nothing, false);
  throw "rate" in taken ? stopped(step) : taken;
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
  const rate: Rate = { windows, taken: [], dropped: 0, sweepAt: LONG, waiting: line(), timer: false, sequence: 0 };
  for (const [place, { at, tokens }] of (run.past?.starts.get(key) ?? []).entries()) {
    rate.taken.push({ at: Math.min(at + offset, now), tokens, place, rate });
    for (const window of windows) window.sum += window.weigh(tokens);
  }
  run.rates.set(key, rate);
  return rate;
}

/** The window that has no room for one more now. */
function blocking(run: Run, rate: Rate, tokens: number): Window | undefined {
  // As long as there is room, what came back meanwhile need not be looked for; the list of what was taken stays short.
  if (rate.taken.length < rate.sweepAt && full(rate, tokens) === undefined) return undefined;
  const now = run.clock.now();
  let oldest = Number.POSITIVE_INFINITY;
  for (const window of rate.windows) {
    for (let first = at(rate, window.head); first !== undefined && first.at + window.ms <= now; first = at(rate, window.head)) {
      window.sum -= window.weigh(first.tokens);
      window.head++;
    }
    oldest = Math.min(oldest, window.head);
  }
  if (rate.taken.length >= rate.sweepAt) {
    rate.taken.splice(0, oldest - rate.dropped);
    rate.dropped = oldest;
    rate.sweepAt = rate.taken.length + LONG;
  }
  return full(rate, tokens);
}

function full(rate: Rate, tokens: number): Window | undefined {
  const { windows } = rate;
  for (let i = 0; i < windows.length; i++) {
    const window = windows[i] as Window;
    if (window.sum > 0 && window.sum + window.weigh(tokens) > window.most) return window;
  }
  return undefined;
}

const at = (rate: Rate, place: number): Taken | undefined => rate.taken[place - rate.dropped];

/** Lets in who waits as far as there is room, and looks again when there may be more. */
function serve(run: Run, rate: Rate): void {
  for (let next = rate.waiting.peek(); next !== undefined; next = rate.waiting.peek()) {
    const closed = blocking(run, rate, next.tokens);
    if (closed === undefined) {
      rate.waiting.pop()?.enter(() => undefined);
      continue;
    }
    const first = at(rate, closed.head);
    // What is not used yet looks again when it is.
    if (rate.timer || first === undefined || first.at === Number.POSITIVE_INFINITY) return;
    rate.timer = true;
    run.clock.after(Math.max(0, first.at + closed.ms - run.clock.now()), () => {
      rate.timer = false;
      serve(run, rate);
      pump(run);
    });
    return;
  }
}
