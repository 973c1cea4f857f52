/**
 * `@cache`: a result is used again for the same definition and inputs while it is fresh. Calls that ask while the first
 * one is still going wait for it. The number of a vote's run is part of the key. Where runs are kept, what is pure and
 * reads nothing is shared among them; times are then those of the calendar, so that it ages while nothing runs.
 */
import { pump } from "./body.js";
import { guardOf } from "./call.js";
import type { Attempt, CallSite, Step } from "./machine.js";
import type { Read } from "./retry.js";
import { running } from "./scope.js";
import { stopped } from "./step.js";
import type { CachedResult } from "./store.js";

/** Results that runs share. */
export interface SharedCache {
  readonly find: (key: string) => CachedResult | undefined;
  readonly keep: (result: Omit<CachedResult, "run">) => void;
}

type Entry =
  | { readonly kind: "value"; readonly value: unknown; readonly until: number; readonly path: string; readonly run?: string }
  | { readonly kind: "going"; readonly path: string; readonly waiting: (() => void)[] };

export type ResultCache = Map<string, Entry>;

export function withCache(ttl: Read, next: Attempt): Attempt {
  const attempt: Attempt = (step, done) => {
    const { run, site } = step;
    if (site === undefined) {
      next(step, done);
      return;
    }
    const key = `${guardOf(site.callee, step)} ${step.context.votes}`;
    const now = run.clock.now();
    const here = run.cache.get(key) ?? before(step, site, key, Number(ttl(step)));
    const found = here === undefined || (here.kind === "value" && here.until <= now) ? elsewhere(step, site, key, Number(ttl(step))) : here;
    if (found?.kind === "value" && found.until > now) {
      const from = found.run === undefined ? { from: found.path } : { from: found.path, run: found.run };
      run.emit({ kind: "call.cached", path: step.path, ...from });
      done(undefined, found.value);
      return;
    }
    if (found?.kind === "going") {
      waitFor(step, found.waiting, () => (step.halt === running ? attempt(step, done) : done(stopped(step), null)));
      return;
    }
    const waiting: (() => void)[] = [];
    run.cache.set(key, { kind: "going", path: step.path, waiting });
    next(step, (failed, value) => {
      if (failed === undefined) {
        const fresh = Number(ttl(step));
        run.cache.set(key, { kind: "value", value, until: run.clock.now() + fresh, path: step.path });
        const at = run.clock.wall();
        if (site.callee.effect === "none") run.shared?.keep({ key, value, path: step.path, at, until: at + fresh });
      } else run.cache.delete(key);
      done(failed, value);
      for (const wake of waiting) wake();
    });
  };
  return attempt;
}

/** What an earlier part of the run found for the same inputs, while it is fresh. */
function before(step: Step, { callee }: CallSite, key: string, ttl: number): Entry | undefined {
  const { run } = step;
  if (run.past === undefined || step.context.votes !== "") return undefined;
  const found = run.past.byGuard().get(guardOf(callee, step));
  if (found === undefined) return undefined;
  const entry: Entry = { kind: "value", value: found.value, until: run.clock.now() - run.clock.wall() + found.at + ttl, path: found.path };
  run.cache.set(key, entry);
  return entry;
}

/** What another run found, while it is fresh by this call's own time to live. */
function elsewhere(step: Step, { callee }: CallSite, key: string, ttl: number): Entry | undefined {
  const { run } = step;
  const found = callee.effect === "none" ? run.shared?.find(key) : undefined;
  if (found === undefined) return undefined;
  const wall = run.clock.wall();
  // A clock that was set back makes nothing fresh for longer than its time to live.
  const left = Math.min(found.until - wall, found.at + ttl - wall, ttl);
  return { kind: "value", value: found.value, until: run.clock.now() + left, path: found.path, run: found.run };
}

function waitFor(step: Step, waiting: (() => void)[], then: () => void): void {
  let woken = false;
  const wake = (): void => {
    if (woken) return;
    woken = true;
    step.onStop = undefined;
    then();
    pump(step.run);
  };
  waiting.push(wake);
  step.onStop = wake;
}
