/** `@hedge`: when a pure call is slow a second attempt is started; the first answer wins and the other is aborted. */
import { pump } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
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

    const launch = (): void => {
      const attempt = attemptOf(step);
      going.add(attempt);
      next(attempt, (problem, answer) => {
        going.delete(attempt);
        detach(attempt);
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
      run.emit({ kind: "call.hedged", path: step.path, afterMs: ms });
      launch();
      pump(run);
    });
    launch();
  };
}
