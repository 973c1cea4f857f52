/**
 * Calls: from arguments to a result that is checked, counted and told. Whatever a call does (a flow's body, a tool's
 * function, an agent's turns) happens inside `site.attempt`, under its policies. A finished call is made safe before
 * anything that depends on it starts.
 */
import { beginWork, endWork } from "./admission.js";
import { askOutcome } from "./ask.js";
import { contextAt, inside, inTurn, nodeDone, pump } from "./body.js";
import { inMicros } from "./clock.js";
import type { Bill, NewEvent } from "./events.js";
import { type CallFailure, causes, failure, failureValue, type KeptFailure, located, thrownMessage } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { canonical } from "./hash.js";
import { dollars } from "./ledger.js";
import type { CallSite, CompiledCallable, CompiledNode, Done, Instance, Run, Step } from "./machine.js";
import { note } from "./notes.js";
import { type Earlier, earlier } from "./reuse.js";
import { detach, running } from "./scope.js";
import { asBudget, type Calling, stepOf, stopped, withSchemas } from "./step.js";
import { copy, isFields, setField } from "./values.js";
import { changes } from "./why.js";

const noArgs: Readonly<Record<string, unknown>> = {};

/** Fills in defaults of parameters that were left out. */
export function withDefaults(callee: CompiledCallable, args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (callee.ir.params.every((param) => args[param.name] !== undefined)) return args;
  const frame = newFrame(callee.params, undefined);
  const out: Record<string, unknown> = {};
  for (const [i, param] of callee.ir.params.entries()) {
    if (args[param.name] !== undefined) frame.slots[i] = args[param.name];
  }
  for (const [i, param] of callee.ir.params.entries()) {
    if (args[param.name] === undefined) frame.slots[i] = callee.defaults[i]?.(frame) ?? null;
    setField(out, param.name, frame.slots[i]);
  }
  return out;
}

/** Carries out a call node. */
export function executeCall(site: CallSite, names: readonly string[], values: readonly ((frame: Frame) => unknown)[], complete: boolean) {
  return (instance: Instance, node: CompiledNode): void => {
    const given: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) setField(given, names[i] ?? "", values[i]?.(instance) ?? null);
    const args = names.length === 0 && complete ? noArgs : complete ? given : withDefaults(site.callee, given);
    startCall(
      {
        run: instance.run,
        scope: instance,
        context: contextAt(instance, node),
        site,
        frame: instance,
        args,
        path: inside(instance.path, node.ir.segment),
        rank: instance.rank + node.rank,
        position: node.index,
      },
      (failed, value) => nodeDone(instance, node, failed, value),
    );
  };
}

/** Starts a call and tells how it ended; used by call nodes, agents with tools, fallbacks, tests and the run itself. */
export function startCall(calling: Calling & { readonly site: CallSite }, done: Done): Step {
  const step = stepOf(calling);
  const { run, site } = calling;
  const { ir } = site.callee;
  const guard = run.guards ? guardOf(site.callee, step) : undefined;
  if (guard !== undefined && step.context.fresh !== true && (run.past !== undefined || run.known !== undefined)) {
    const found = earlier(step, site, guard);
    if (found !== undefined && found.kind !== "unknown") {
      endWithEarlier(step, site, guard, found, done);
      return step;
    }
    if (step.context.replay && ir.kind !== "flow") {
      if (found !== undefined) note(step, site, null, 0, true);
      detach(step);
      done(stopped(step), null);
      return step;
    }
    if (found !== undefined) {
      askOutcome(step, ir.name, (answer) => {
        const told = answer.kind === "value" && isFields(answer.value) ? answer.value : {};
        if (answer.kind === "failed") {
          // Nobody said, and nobody wants it any more: what may have happened is undone as far as that can be.
          note(step, site, null, 0, true);
          detach(step);
          done(answer.failure, null);
        } else if (told["happened"] === true)
          checkResult(step, site.callee, told["value"] ?? null, (failed, value) => finishCall(step, site, failed, value, guard, done));
        else attemptCall(step, site, guard, done);
      });
      return step;
    }
  }
  // A flow is gone into at once, to come to what is known inside it.
  if (run.arrivals === undefined || ir.kind === "flow") attemptCall(step, site, guard, done);
  else {
    inTurn(run, step.path, () => {
      if (step.halt === running) attemptCall(step, site, guard, done);
      else {
        detach(step);
        done(asBudget(step, stopped(step)), null);
      }
    });
  }
  return step;
}

/** A call that was made before ends with what it gave then. */
function endWithEarlier(
  step: Step,
  site: CallSite,
  guard: string,
  found: Exclude<NonNullable<ReturnType<typeof earlier>>, { kind: "unknown" }>,
  done: Done,
): void {
  const { run, path } = step;
  const { ref, ir } = site.callee;
  detach(step);
  if (found.kind === "failure") {
    if (found.failure.committed === "unknown") note(step, site, null, 0, true);
    done(found.failure, null);
    return;
  }
  const { value } = found;
  run.totals.reused++;
  if (site.compensate !== undefined) note(step, site, value, found.order);
  if (!found.told) {
    const shown = toldResult(run, site.callee, value);
    run.remember?.(path, { guard, value }, shown === value);
    run.emit({
      kind: "call.reused",
      path,
      callee: ir.name,
      of: ref.kind,
      value: shown,
      guard,
      ...(found.run === undefined ? {} : { run: found.run }),
      ...(found.from === undefined ? {} : { from: found.from }),
    });
  }
  done(undefined, value);
}

function attemptCall(step: Step, site: CallSite, guard: string | undefined, done: Done): void {
  const { run } = step;
  const { ref, ir } = site.callee;
  const args = toldArgs(run, site.callee, step.args);
  const started: Extract<NewEvent, { kind: "call.started" }> = {
    kind: "call.started",
    path: step.path,
    callee: ir.name,
    of: ref.kind,
    args,
  };
  if (guard !== undefined) {
    if (run.earlier !== undefined) tellChange(step, run.earlier, site.callee, args, guard);
    started.guard = guard;
  }
  run.emit(started);
  site.attempt(step, (failed, value) => finishCall(step, site, failed, value, guard, done));
}

/** Says how a call differs from how it was made before an edit. */
function tellChange({ run, path }: Step, earlier: Earlier, { ir, ref }: CompiledCallable, args: unknown, guard: string): void {
  const before = earlier.call(path);
  if (before === undefined || before.guard === undefined || before.guard === guard) return;
  const because = changes(
    { graph: earlier.graph, callee: before.callee, of: before.of, args: before.args },
    { graph: run.program.graph, callee: ir.name, of: ref.kind, args },
  );
  run.emit({ kind: "call.changed", path, because: [...because], ...(earlier.run === undefined ? {} : { run: earlier.run }) });
}

function finishCall(
  step: Step,
  site: CallSite,
  failed: CallFailure | undefined,
  value: unknown,
  guard: string | undefined,
  done: Done,
): void {
  const { run } = step;
  const { ref, ir } = site.callee;
  const attempts = step.attempts;
  const ended = failed === undefined ? undefined : located(asBudget(step, failed), step.path, attempts);
  const elapsedMs = inMicros(run.clock.now() - step.startedAt);
  run.tallies?.count(step, failed, elapsedMs);
  detach(step);
  const bill = billReport(step);
  if (ended === undefined) {
    const shown = toldResult(run, site.callee, value);
    const completed = {
      kind: "call.completed",
      path: step.path,
      callee: ir.name,
      of: ref.kind,
      value: shown,
      attempts,
      elapsedMs,
    } as const;
    if (guard !== undefined) run.remember?.(step.path, { guard, value }, shown === value);
    if (site.compensate !== undefined) note(step, site, value, 0);
    run.emit(bill === undefined ? completed : { ...completed, bill });
  } else {
    if (guard !== undefined) rememberFailure(step, guard, ended);
    if (ended.committed === "unknown") note(step, site, null, 0, true);
    const told = {
      kind: "call.failed",
      path: step.path,
      callee: ir.name,
      of: ref.kind,
      failure: failureValue(ended),
      attempts,
      elapsedMs,
    } as const;
    run.emit(bill === undefined ? told : { ...told, bill });
  }
  if (run.commit === undefined) {
    done(ended, value);
    return;
  }
  // What follows from it is still to come.
  const working = beginWork(run, step.context.account);
  run.commit(() => {
    done(ended, value);
    endWork(run, working);
    pump(run);
  });
}

/** Keeps what the event of a failure does not show: the budget that refused, what a fan-out still has, what it came from. */
function rememberFailure({ run, path }: Step, guard: string, failed: CallFailure): void {
  if (failed.kind === "cancelled" || run.remember === undefined) return;
  const { account, partial } = failed;
  const opened = account !== undefined && "path" in account ? String(account.path) : undefined;
  const chain = causes(failed).slice(1).map(failureValue);
  const kept: KeptFailure = {
    ...failureValue(failed),
    ...(opened === undefined ? {} : { account: opened }),
    ...(partial === undefined ? {} : { partial }),
    ...(chain.length === 0 ? {} : { causes: chain }),
  };
  run.remember(path, { guard, value: null, failed: kept }, opened === undefined && partial === undefined && chain.length === 0);
}

function billReport(step: Step): Bill | undefined {
  const bill = step.bill;
  if (bill === undefined) return undefined;
  return { costUsd: dollars(bill.cost), inputTokens: bill.inputTokens, outputTokens: bill.outputTokens, requests: bill.requests };
}

/** Guards the reuse of a result: the definition of the callee and its inputs. */
export function guardOf(callee: CompiledCallable, step: Step): string {
  return callee.guard(canonical(step.args));
}

function toldArgs(run: Run, callee: CompiledCallable, args: Readonly<Record<string, unknown>>): unknown {
  return run.scrub.value(callee.redact.args === undefined ? args : callee.redact.args(args));
}

/** A result as it is told: the value itself where nothing in it is hidden. */
function toldResult(run: Run, callee: CompiledCallable, value: unknown): unknown {
  return run.scrub.value(callee.redact.result === undefined ? value : callee.redact.result(value));
}

/** Arguments as the callee declares them: cut to their types, in an object of its own. */
export function checkArgs(
  step: Step,
  callee: CompiledCallable,
  then: (failed: CallFailure | undefined, args: Readonly<Record<string, unknown>>) => void,
): void {
  const { params } = callee.ir;
  const out: Record<string, unknown> = {};
  let exact = true;
  for (let i = 0; i < params.length; i++) {
    const name = params[i]?.name ?? "";
    const value = step.args[name] ?? null;
    if (callee.argTests[i]?.(value) !== true) {
      exact = false;
      break;
    }
    setField(out, name, typeof value === "object" && value !== null ? copy(value) : value);
  }
  if (exact) {
    then(undefined, out);
    return;
  }
  withSchemas(step.run, (schemas) => {
    const types = step.run.program.graph.types;
    for (const param of params) {
      const checked = schemas.validate(param.type, step.args[param.name] ?? null, types);
      if (!checked.ok) {
        then(failure("assertion", `${callee.ir.name} cannot take this \`${param.name}\`: ${checked.message}`), {});
        return;
      }
      setField(out, param.name, checked.value);
    }
    then(undefined, out);
  });
}

/** A result that fits as it is or cut to its type, in an object of its own. */
function taking(callee: CompiledCallable, value: unknown): { readonly value: unknown } | undefined {
  if (callee.resultTest(value)) return { value: typeof value === "object" && value !== null ? copy(value) : value };
  const cut = callee.resultCut(value);
  return callee.resultTest(cut) ? { value: cut } : undefined;
}

/** A result as the callee declares it. */
export function checkResult(step: Step, callee: CompiledCallable, found: unknown, done: Done): void {
  const value = found === undefined ? null : found;
  let taken: { readonly value: unknown } | undefined;
  try {
    taken = taking(callee, value);
  } catch (thrown) {
    // A getter that throws, or a value that holds itself and so has no end.
    const reason = thrown instanceof RangeError ? "it is nested without end" : `reading it failed: ${thrownMessage(thrown)}`;
    const committed = callee.effect === "effect" ? "yes" : "no";
    done(failure("invalid_output", `${callee.ir.name} gave something that is no data: ${reason}`, { committed }), null);
    return;
  }
  if (taken !== undefined) {
    done(undefined, taken.value);
    return;
  }
  withSchemas(step.run, (schemas) => {
    const checked = schemas.validate(callee.ir.result, value, step.run.program.graph.types);
    if (checked.ok) done(undefined, checked.value);
    else {
      const committed = callee.effect === "effect" ? "yes" : "no";
      done(failure("invalid_output", `${callee.ir.name} gave something else than it declares: ${checked.message}`, { committed }), null);
    }
  });
}
