/**
 * `@hedge`: when a pure call is slow a second attempt is started; the first answer wins and the other is aborted. Under a
 * budget it is started only if all that it needs can be paid beside what must be done.
 */
import { giveBack, tryEnter } from "./admission.js";
import { pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import type { Claim } from "./ledger.js";
import type { Attempt, Step } from "./machine.js";
import type { Read } from "./retry.js";
import { cancelled, detach, running, stop } from "./scope.js";
import { attemptOf } from "./step.js";

export function withHedge(after: Read, next: Attempt): Attempt {
  return (step, done) => {
    const { run } = step;
    const ms = Number(after(step));
    const going = new Set<Step>();
    let won = false;
    let value: unknown;
    let failed: CallFailure | undefined;
    let ended = false;

    const launch = (own: Claim | undefined): void => {
      const attempt = attemptOf(step);
      if (own !== undefined) attempt.context = { ...step.context, claim: own };
      going.add(attempt);
      next(attempt, (problem, answer) => {
        going.delete(attempt);
        detach(attempt);
        giveBack(run, own);
        if (problem === undefined && !won) {
          won = true;
          value = answer;
          for (const other of [...going])
            stop(other, cancelled, failure("cancelled", "the other attempt answered first", { path: step.path }));
        } else if (problem !== undefined && !won) failed ??= problem;
        settle();
      });
    };
    const settle = (): void => {
      if (ended || going.size > 0) return;
      ended = true;
      cancelTimer();
      if (won) done(undefined, value);
      else done(failed, null);
    };
    const cancelTimer = run.clock.after(ms, () => {
      if (ended || won || step.halt !== running) return;
      const { account } = step.context;
      let own: Claim | undefined;
      if (account.limited) {
        const { site, args } = step;
        own = site === undefined ? undefined : tryEnter(run, account, run.program.analysis.call(site.callee.ref, args));
        if (own === undefined) {
          const message = "no second attempt is started: what is left of the budget is kept back for what must be done";
          run.emit({ kind: "budget.landed", path: step.path, region: "call", after: 1, message });
          return;
        }
      }
      run.emit({ kind: "call.hedged", path: step.path, afterMs: ms });
      launch(own);
      pump(run);
    });
    launch(undefined);
  };
}
