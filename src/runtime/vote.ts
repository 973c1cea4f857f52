/**
 * `vote`: the same block several times, and the evidence of what it answers. With `early` it stops as soon as the
 * leading group cannot be overtaken or is certain enough. Runs are numbered from 1; equal counts go to the group that
 * was seen first in the order of runs. Under a budget it ends with the runs that could be let in, if they are enough.
 */
import type { NodeIR } from "../plan/ir.js";
import { enter, giveBack } from "./admission.js";
import { begin, instanceOf } from "./body.js";
import { type CallFailure, failure, failureValue, type ItemFailure } from "./failure.js";
import { type Layout, layout, newFrame } from "./frame.js";
import { gate, orderOf } from "./gate.js";
import { canonical } from "./hash.js";
import { type Claim, nothing, resize, times } from "./ledger.js";
import type { Attempt, Context } from "./machine.js";
import { passOn, withSaga } from "./notes.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { undo } from "./saga.js";
import { cancelled, draining, running, stop } from "./scope.js";
import { stopped } from "./step.js";
import { deepEqual, type Fields, isFields } from "./values.js";

type VoteNode = Extract<NodeIR, { kind: "vote" }>;

export interface Answer {
  readonly run: number;
  readonly value: unknown;
}

export function compileVote(node: VoteNode, scope: Layout, compiler: Compiler): Attempt {
  const count = compiler.expr(node.times, scope);
  const body = compiler.body(node.body, scope);
  const early = node.early === undefined ? undefined : compiler.expr(node.early, scope);
  const keyed = node.key === undefined ? undefined : layout(scope, [node.key.param]);
  const key = node.key === undefined || keyed === undefined ? undefined : compiler.expr(node.key.value, keyed);
  const max = node.policies.parallel === undefined ? undefined : compiler.expr(node.policies.parallel.max, scope);
  const least = node.policies.minSuccess;
  const minSuccess = least === undefined ? undefined : { value: compiler.expr(least.value, scope), share: least.share };

  const needsAtLeast = compiler.needs(node, scope);

  return (step, done) => {
    const { run } = step;
    const planned = Number(count(step.frame));
    const certain = early === undefined ? undefined : Number(early(step.frame));
    const share = minSuccess === undefined ? undefined : Number(minSuccess.value(step.frame));
    const required = Math.max(1, share === undefined ? 1 : Math.ceil(minSuccess?.share === true ? share * planned - 1e-9 : share));
    const limit = max === undefined ? undefined : Number(max(step.frame));
    const entry = limit === undefined || limit >= planned ? undefined : gate(limit);
    const prefix = attemptPath(step);
    const answers: Answer[] = [];
    const failures: ItemFailure[] = [];
    let first: CallFailure | undefined;
    let failing: CallFailure | undefined;
    let decided = false;
    const contexts = new Map<number, Context>();
    const isDecided = (): boolean => decided || run.past?.votes.has(step.path) === true;
    let left = planned;
    let over = false;
    const keyOf = (value: unknown): unknown => {
      if (key === undefined || keyed === undefined) return value;
      const frame = newFrame(keyed, step.frame);
      frame.slots[0] = value;
      return key(frame);
    };

    const finish = (): void => {
      const partial = { ok: ordered(answers).map((answer) => answer.value), failed: [...failures].sort((a, b) => a.index - b.index) };
      const fail = (problem: CallFailure): void => close([], () => done({ ...problem, partial }, null));
      if (failing !== undefined) fail(failing);
      else if (step.halt !== running && !isDecided()) fail(stopped(step));
      else if (answers.length < required) fail(failed(first, answers.length, planned, required, step.path));
      else {
        const evident = evidence(ordered(answers), planned, keyOf, partial.failed);
        close(evident.groups[0]?.runs ?? [], () => done(undefined, evident));
      }
    };
    /** Runs that did not give the leading answer are undone; what the others noted passes on. */
    const close = (leading: readonly number[], then: () => void): void => {
      for (const [number, context] of contexts) if (leading.includes(number)) passOn(context, step.context);
      undo(run, [...contexts.values()], then);
    };
    const ended = (number: number, problem: CallFailure | undefined, value: unknown): void => {
      left--;
      if (problem === undefined && !decided) answers.push({ run: number, value });
      else if (problem !== undefined && !(isDecided() && problem.kind === "cancelled")) {
        first ??= problem;
        failures.push({ index: number - 1, key: String(number), error: failureValue(problem) });
        if (failing === undefined && step.halt === running && planned - failures.length < required) {
          failing = failed(problem, answers.length, planned, required, step.path);
          stop(step, draining, failing);
        }
      }
      if (!isDecided() && certain !== undefined && left > 0 && answers.length >= required && isCertain(answers, keyOf, left, certain)) {
        decided = true;
        run.emit({
          kind: "choice",
          path: step.path,
          of: "vote",
          chosen: `decided after ${answers.length} of ${planned} runs`,
          runs: answers.map((answer) => answer.run),
        });
        stop(step, cancelled, failure("cancelled", "the vote was decided", { path: step.path }));
      }
      // Stopping the others may have ended the last of them, and the vote with it.
      if (left > 0 || over) return;
      over = true;
      finish();
    };

    run.emit({ kind: "region.started", path: step.path, region: "vote", size: planned });
    const { account, claim } = step.context;
    const one = account.limited ? needsAtLeast(step.frame).one : nothing;
    if (claim !== undefined) resize(claim, times(one, required));
    const entering = new Set<() => void>();
    let landed: CallFailure | undefined;
    const land = (problem: CallFailure, number: number): void => {
      if (landed !== undefined) return;
      landed = problem;
      const message = `no more runs are started after ${number - 1} of ${planned}: ${problem.message}`;
      run.emit({ kind: "budget.landed", path: step.path, region: "vote", after: number - 1, message });
    };
    step.onStop = () => {
      const waiting = [...entering];
      entering.clear();
      for (const takeBack of waiting) takeBack();
    };
    const counted = run.past?.votes.get(step.path);
    for (let number = 1; number <= planned; number++) {
      const start = (leave: (() => void) | undefined): void => {
        if (step.halt !== running) {
          leave?.();
          ended(number, stopped(step), null);
          return;
        }
        const before = run.past?.landed.get(step.path);
        if (before !== undefined && number > before.after)
          landed ??= failure("budget_exceeded", before.message, { path: step.path, account });
        if (landed !== undefined) {
          leave?.();
          ended(number, landed, null);
          return;
        }
        let takeBack: (() => void) | undefined;
        const path = `${prefix}[${number}]`;
        const cancel = enter(run, { account, claim, path }, one, (refused, own) => {
          if (takeBack !== undefined) entering.delete(takeBack);
          if (refused === undefined && landed === undefined) launch(number, own, leave);
          else {
            giveBack(run, own, claim);
            if (refused !== undefined) land(refused, number);
            leave?.();
            ended(number, refused ?? stopped(step), null);
          }
        });
        if (cancel === undefined) return;
        takeBack = () => {
          cancel();
          leave?.();
          ended(number, stopped(step), null);
        };
        entering.add(takeBack);
      };
      if (entry === undefined) start(undefined);
      else entry.ask({ order: orderOf(run.clock.now(), step.context.priority, 0), sequence: number, gone: false, enter: start });
    }
    function launch(number: number, own: Claim | undefined, leave: (() => void) | undefined): void {
      // An earlier part of the run has counted these runs and no others.
      const others = counted !== undefined && !counted.includes(number);
      const context = {
        ...withSaga(run, step.context),
        claim: own,
        votes: `${step.context.votes}.${number}`,
        replay: step.context.replay || others,
      };
      contexts.set(number, context);
      begin(
        instanceOf({
          run,
          body,
          frame: step.frame,
          scope: step,
          context,
          path: `${prefix}[${number}]`,
          rank: step.rank,
          position: number,
          done: (problem, value) => {
            leave?.();
            giveBack(run, own);
            ended(number, problem ?? (others ? stopped(step) : undefined), value);
          },
        }),
        true,
      );
    }
    if (planned < 1) done(failure("assertion", "a vote needs at least one run", { path: step.path }), null);
  };
}

function failed(first: CallFailure | undefined, answers: number, planned: number, required: number, path: string): CallFailure {
  const text = `${answers} of ${planned} runs answered, ${required} must${first === undefined ? "" : `; the first failure: ${first.message}`}`;
  return failure(first?.kind ?? "assertion", text, {
    path,
    ...(first === undefined ? {} : { cause: first }),
    ...(first?.account === undefined ? {} : { account: first.account }),
  });
}

function ordered(answers: readonly Answer[]): readonly Answer[] {
  return [...answers].sort((a, b) => a.run - b.run);
}

interface Group {
  readonly value: unknown;
  readonly key: string;
  readonly runs: number[];
}

/** Groups of equal answers, largest first, ties in the order of runs. */
function groupsOf(answers: readonly Answer[], keyOf: (value: unknown) => unknown): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const answer of answers) {
    const key = canonical(keyOf(answer.value));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { value: answer.value, key, runs: [answer.run] });
    else group.runs.push(answer.run);
  }
  return [...groups.values()].sort((a, b) => b.runs.length - a.runs.length || (a.runs[0] ?? 0) - (b.runs[0] ?? 0));
}

function isCertain(answers: readonly Answer[], keyOf: (value: unknown) => unknown, left: number, certain: number): boolean {
  const [lead, second] = groupsOf(ordered(answers), keyOf);
  if (lead === undefined) return false;
  if (lead.runs.length > (second?.runs.length ?? 0) + left) return true;
  return wilson(lead.runs.length, answers.length) >= certain;
}

/** Lower end of the 95 % Wilson interval of a share. */
export function wilson(count: number, total: number): number {
  if (total === 0) return 0;
  const z = 1.959963984540054;
  const share = count / total;
  const middle = share + (z * z) / (2 * total);
  const spread = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  return Math.max(0, Math.min(1, (middle - spread) / (1 + (z * z) / total)));
}

export function evidence(
  answers: readonly Answer[],
  planned: number,
  keyOf: (value: unknown) => unknown,
  failures: readonly ItemFailure[],
) {
  const groups = groupsOf(answers, keyOf);
  const lead = groups[0];
  const inLead = new Set(lead?.runs ?? []);
  const { means, spreads } = moments(answers);
  return {
    value: lead?.value ?? null,
    agreement: answers.length === 0 ? 0 : inLead.size / answers.length,
    confidence: wilson(inLead.size, answers.length),
    runs: answers.length,
    planned,
    groups: groups.map((group) => ({ value: group.value, count: group.runs.length, runs: group.runs })),
    dissent: answers.filter((answer) => !inLead.has(answer.run)).map((answer) => answer.value),
    answers,
    means,
    spreads,
    distances: distances(answers, lead?.value),
    failures,
  };
}

/** The fields of an answer; a plain value is the field `value`. */
function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : { value };
}

function fieldNames(answers: readonly Answer[]): readonly string[] {
  return [...new Set(answers.flatMap((answer) => Object.keys(fieldsOf(answer.value))))];
}

function moments(answers: readonly Answer[]): { means: Record<string, number>; spreads: Record<string, number> } {
  const means: Record<string, number> = {};
  const spreads: Record<string, number> = {};
  for (const name of fieldNames(answers)) {
    const numbers = answers.map((answer) => fieldsOf(answer.value)[name]).filter((x) => typeof x === "number");
    if (numbers.length === 0) continue;
    const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
    means[name] = mean;
    spreads[name] = Math.sqrt(numbers.reduce((a, x) => a + (x - mean) ** 2, 0) / numbers.length);
  }
  return { means, spreads };
}

/** Mean distance from the leading answer: of numbers the difference, of anything else 0 for equal and 1 for different. */
function distances(answers: readonly Answer[], lead: unknown): Record<string, number> {
  const out: Record<string, number> = {};
  if (answers.length === 0) return out;
  const leading = fieldsOf(lead);
  for (const name of fieldNames(answers)) {
    const total = answers.reduce((sum, answer) => {
      const [a, b] = [fieldsOf(answer.value)[name] ?? null, leading[name] ?? null];
      if (typeof a === "number" && typeof b === "number") return sum + Math.abs(a - b);
      return sum + (deepEqual(a, b) ? 0 : 1);
    }, 0);
    out[name] = total / answers.length;
  }
  return out;
}
