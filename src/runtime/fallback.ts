/** `@fallback`: another callable with the same signature takes over after the last attempt has failed. */
import { startCall } from "./call.js";
import { failureValue } from "./failure.js";
import type { Attempt, CompiledCallable, Done, Step } from "./machine.js";
import { failureOf } from "./reuse.js";
import { running } from "./scope.js";
import { setField } from "./values.js";

/** A fallback cannot help against these. */
const final: ReadonlySet<string> = new Set(["budget_exceeded", "denied", "cancelled"]);

export function withFallback(others: readonly (() => CompiledCallable)[], next: Attempt): Attempt {
  return (step, done) => {
    const from = (index: number): Done => {
      return (failed, value) => {
        const other = others[index];
        if (failed === undefined || other === undefined || final.has(failed.kind) || step.halt !== running) {
          done(failed, value);
          return;
        }
        const callee = other();
        if (index >= (step.run.past?.fellBack.get(step.path)?.length ?? 0))
          step.run.emit({ kind: "call.fell_back", path: step.path, to: callee.ir.name, failure: failureValue(failed) });
        const { run, context, frame, rank } = step;
        startCall(
          {
            run,
            scope: step,
            context,
            site: callee.site,
            frame,
            args: renamed(step, callee),
            path: `${step.path}/${callee.ir.name}`,
            rank,
          },
          from(index + 1),
        );
      };
    };
    // An earlier part of the run fell back already: what failed then is not tried again.
    const before = step.run.past?.fellBack.get(step.path);
    const last = before?.at(-1);
    if (before === undefined || last === undefined) next(step, from(0));
    else from(before.length - 1)(failureOf(step, last), null);
  };
}

/** The arguments of a step under the parameter names of another callable, by position. */
function renamed(step: Step, to: CompiledCallable): Readonly<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  const params = step.site?.callee.ir.params ?? [];
  for (const [i, param] of to.ir.params.entries()) setField(out, param.name, step.args[params[i]?.name ?? param.name] ?? null);
  return out;
}
