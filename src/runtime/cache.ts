/**
 * `@cache`: a result is used again for the same definition and inputs while it is fresh. Calls that ask while the first
 * one is still going wait for it. The number of a vote's run is part of the key.
 */
import { pump } from "./body.js";
import { guardOf } from "./call.js";
import type { Attempt, CallSite, Step } from "./machine.js";
import type { Read } from "./retry.js";
import { running } from "./scope.js";
import { stopped } from "./step.js";

type Entry =
  | { readonly kind: "value"; readonly value: unknown; readonly until: number; readonly path: string }
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
    const found = run.cache.get(key) ?? before(step, site, key, Number(ttl(step)));
    const now = run.clock.now();
    if (found?.kind === "value" && found.until > now) {
      run.emit({ kind: "call.cached", path: step.path, from: found.path });
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
      if (failed === undefined) run.cache.set(key, { kind: "value", value, until: run.clock.now() + Number(ttl(step)), path: step.path });
      else run.cache.delete(key);
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
