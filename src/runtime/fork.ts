/**
 * `fork` runs its branches at once and joins them into a record; `race` takes the first that succeeds and cancels the
 * others. Both end only when all their branches have.
 */
import type { NodeIR } from "../plan/ir.js";
import { enter, giveBack } from "./admission.js";
import { begin, instanceOf } from "./body.js";
import { type CallFailure, failure, failureValue, type ItemFailure } from "./failure.js";
import type { Layout } from "./frame.js";
import { gate, orderOf } from "./gate.js";
import { type Claim, claim, move, nothing, resize } from "./ledger.js";
import type { Attempt, CompiledBody, Context, Done, Step } from "./machine.js";
import { passOn, withSaga } from "./notes.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { closing, undo } from "./saga.js";
import { cancelled, draining, running, stop } from "./scope.js";
import { stopped } from "./step.js";
import { setField } from "./values.js";

type ForkNode = Extract<NodeIR, { kind: "fork" }>;
type RaceNode = Extract<NodeIR, { kind: "race" }>;

interface Branch {
  readonly name: string;
  readonly body: CompiledBody;
}

export function compileFork(node: ForkNode, scope: Layout, compiler: Compiler): Attempt {
  const branches = compileBranches(node.branches, scope, compiler);
  const max = node.policies.parallel === undefined ? undefined : compiler.expr(node.policies.parallel.max, scope);
  const least = node.policies.minSuccess;
  const minSuccess = least === undefined ? undefined : { value: compiler.expr(least.value, scope), share: least.share };

  return (step, done) => {
    const share = minSuccess === undefined ? undefined : Number(minSuccess.value(step.frame));
    const required =
      share === undefined
        ? node.settle
          ? 0
          : branches.length
        : Math.ceil(minSuccess?.share === true ? share * branches.length - 1e-9 : share);
    const values = new Map<string, unknown>();
    const failures = new Map<string, CallFailure>();
    let left = branches.length;
    let over = false;
    let failing: CallFailure | undefined;
    const partial = () => ({
      ok: branches.filter((branch) => values.has(branch.name)).map((branch) => values.get(branch.name)),
      failed: branches.flatMap((branch, index): ItemFailure[] => {
        const found = failures.get(branch.name);
        return found === undefined ? [] : [{ index, key: branch.name, error: failureValue(found) }];
      }),
    });
    const finish = (): void => {
      if (failing !== undefined) done({ ...failing, partial: partial() }, null);
      else if (step.halt !== running) done({ ...stopped(step), partial: partial() }, null);
      else done(undefined, joined(branches, values, failures, node.settle));
    };
    step.run.emit({ kind: "region.started", path: step.path, region: "fork", size: branches.length });
    // A branch that may fail without the region is undone by itself.
    const dropping = node.settle || minSuccess !== undefined;
    const contexts = new Map<Branch, Context>();
    const contextOf = (branch: Branch, own: Claim | undefined): Context => {
      const made = { ...(dropping ? withSaga(step.run, step.context) : step.context), claim: own };
      contexts.set(branch, made);
      return made;
    };
    const closed = (branch: Branch, problem: CallFailure | undefined, value: unknown): void =>
      closing(step.run, contexts.get(branch) ?? step.context, step.context, (failed, result) => ended(branch, failed, result))(
        problem,
        value,
      );
    startBranches({
      step,
      branches,
      max: max === undefined ? undefined : Number(max(step.frame)),
      must: !dropping,
      contextOf,
      ended: closed,
    });
    function ended(branch: Branch, problem: CallFailure | undefined, value: unknown): void {
      left--;
      if (problem === undefined) values.set(branch.name, value);
      else {
        failures.set(branch.name, problem);
        if (failing === undefined && step.halt === running && branches.length - failures.size < required) {
          failing = problem;
          stop(step, draining, problem);
        }
      }
      // Stopping the others may have ended the last of them, and the fork with it.
      if (left > 0 || over) return;
      over = true;
      finish();
    }
    if (branches.length === 0) finish();
  };
}

function joined(
  branches: readonly Branch[],
  values: ReadonlyMap<string, unknown>,
  failures: ReadonlyMap<string, CallFailure>,
  settle: boolean,
): unknown {
  const out: Record<string, unknown> = {};
  for (const { name } of branches) {
    const problem = failures.get(name);
    const value = values.get(name) ?? null;
    if (!settle) setField(out, name, value);
    else setField(out, name, problem === undefined ? { ok: true, value } : { ok: false, error: failureValue(problem) });
  }
  return out;
}

export function compileRace(node: RaceNode, scope: Layout, compiler: Compiler): Attempt {
  const branches = compileBranches(node.branches, scope, compiler);
  return (step, done) => {
    let left = branches.length;
    let over = false;
    let winner: { readonly name: string; readonly value: unknown } | undefined;
    const failures: CallFailure[] = [];
    step.run.emit({ kind: "region.started", path: step.path, region: "race", size: branches.length });
    const chosen = step.run.past?.races.get(step.path);
    const contexts = new Map<Branch, Context>();
    const contextOf = (branch: Branch, own: Claim | undefined): Context => {
      const made = {
        ...withSaga(step.run, step.context),
        claim: own,
        replay: step.context.replay || (chosen !== undefined && chosen !== branch.name),
      };
      contexts.set(branch, made);
      return made;
    };
    /** Losers are undone before the region ends; what the winner noted passes on. */
    const end: Done = (problem, value) => {
      const losers = [...contexts].filter(([branch]) => branch.name !== winner?.name).map(([, context]) => context);
      for (const [branch, context] of contexts) if (branch.name === winner?.name) passOn(context, step.context);
      undo(step.run, losers, () => done(problem, value));
    };
    const branchEnded = (branch: Branch, problem: CallFailure | undefined, value: unknown): void => {
      left--;
      if (problem === undefined && chosen !== undefined && chosen !== branch.name) problem = stopped(step);
      if (problem === undefined && winner === undefined) {
        winner = { name: branch.name, value };
        step.run.emit({ kind: "choice", path: step.path, of: "race", chosen: branch.name });
        if (left > 0) stop(step, cancelled, failure("cancelled", `${branch.name} won the race`, { path: step.path }));
      } else if (problem !== undefined && !(winner !== undefined && problem.kind === "cancelled")) failures.push(problem);
      // Stopping the losers may have ended the last of them, and the race with it.
      if (left > 0 || over) return;
      over = true;
      if (winner !== undefined) end(undefined, winner.value);
      else if (step.halt !== running) end(stopped(step), null);
      else end(allFailed(failures, branches.length, step.path), null);
    };
    startBranches({ step, branches, max: undefined, must: false, contextOf, ended: branchEnded });
  };
}

function allFailed(failures: readonly CallFailure[], total: number, path: string): CallFailure {
  const [first] = failures;
  if (first === undefined) return failure("assertion", "a race without branches has no winner", { path });
  return failure(first.kind, `all ${total} branches failed; the first: ${first.message}`, {
    path,
    cause: first,
    ...(first.account === undefined ? {} : { account: first.account }),
  });
}

function compileBranches(branches: ForkNode["branches"], scope: Layout, compiler: Compiler): readonly Branch[] {
  return branches.map((branch) => ({ name: branch.name, body: compiler.body(branch.body, scope) }));
}

interface Starting {
  readonly step: Step;
  readonly branches: readonly Branch[];
  readonly max: number | undefined;
  /** All must succeed, so none has to be let in. */
  readonly must: boolean;
  readonly contextOf: (branch: Branch, own: Claim | undefined) => Context;
  readonly ended: (branch: Branch, ...result: Parameters<Done>) => void;
}

function startBranches({ step, branches, max, must, contextOf, ended }: Starting): void {
  const prefix = attemptPath(step);
  const { run } = step;
  const entry = max === undefined || max >= branches.length ? undefined : gate(max);
  const { account, claim: from } = step.context;
  const needs = branches.map((branch) => (account.limited ? branch.body.keep.needs({ slots: [], parent: step.frame }).total : nothing));
  const entering = new Set<() => void>();
  step.onStop = () => {
    const waiting = [...entering];
    entering.clear();
    for (const takeBack of waiting) takeBack();
  };
  const owns = branches.map((_, position) => {
    if (!must || !account.limited) return undefined;
    const own = claim(account, from?.optional);
    move(from, own, needs[position] ?? nothing);
    resize(own, needs[position] ?? nothing);
    return own;
  });
  const launch = (branch: Branch, position: number, own: Claim | undefined, leave: (() => void) | undefined): void => {
    begin(
      instanceOf({
        run,
        body: branch.body,
        frame: step.frame,
        scope: step,
        context: contextOf(branch, own),
        path: `${prefix}/${branch.name}`,
        rank: step.rank,
        position,
        done: (problem, value) => {
          leave?.();
          giveBack(run, own);
          ended(branch, problem, value);
        },
      }),
      true,
    );
  };
  for (const [position, branch] of branches.entries()) {
    const start = (leave: (() => void) | undefined): void => {
      const refuse = (problem: CallFailure): void => {
        leave?.();
        giveBack(run, owns[position], from);
        ended(branch, problem, null);
      };
      if (step.halt !== running) {
        refuse(stopped(step));
        return;
      }
      if (must) {
        launch(branch, position, owns[position], leave);
        return;
      }
      let takeBack: (() => void) | undefined;
      const place = { account, claim: from, path: `${prefix}/${branch.name}` };
      const cancel = enter(run, place, needs[position] ?? nothing, (refused, own) => {
        if (takeBack !== undefined) entering.delete(takeBack);
        if (refused === undefined) launch(branch, position, own, leave);
        else refuse(refused);
      });
      if (cancel === undefined) return;
      takeBack = () => {
        cancel();
        refuse(stopped(step));
      };
      entering.add(takeBack);
    };
    if (entry === undefined) start(undefined);
    else entry.ask({ order: orderOf(run.clock.now(), step.context.priority, 0), sequence: position, gone: false, enter: start });
  }
}
