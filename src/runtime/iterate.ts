/** Regions that go step by step: `loop` (bounded refinement), `fold` (left to right) and `reduce` (a tree, in parallel). */
import type { ExprIR, NodeIR } from "../plan/ir.js";
import { enter, giveBack } from "./admission.js";
import { begin, instanceOf, stopSignal } from "./body.js";
import { type CallFailure, failure } from "./failure.js";
import { type Layout, slotFor } from "./frame.js";
import { gate, orderOf } from "./gate.js";
import { type Account, type Claim, claim, move, resize, within } from "./ledger.js";
import type { Attempt, CompiledBody, Done, Step } from "./machine.js";
import { listOf } from "./map.js";
import { type RegionNeeds, sizeOf } from "./needs.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { draining, running, stop } from "./scope.js";
import { stopped } from "./step.js";

type LoopNode = Extract<NodeIR, { kind: "loop" }>;
type FoldNode = Extract<NodeIR, { kind: "fold" }>;
type ReduceNode = Extract<NodeIR, { kind: "reduce" }>;

/** Starts a body with some of its slots filled. */
function startWith(
  step: Step,
  body: CompiledBody,
  path: string,
  slots: readonly (readonly [number, unknown])[],
  position: number,
  done: Done,
  own?: Claim,
): void {
  const instance = instanceOf({
    run: step.run,
    body,
    frame: step.frame,
    scope: step,
    context: own === undefined ? step.context : { ...step.context, claim: own },
    path,
    rank: step.rank,
    position,
    done,
  });
  for (const [slot, value] of slots) instance.slots[slot] = value;
  begin(instance);
}

export function compileLoop(node: LoopNode, scope: Layout, compiler: Compiler): Attempt {
  const init = compiler.expr(node.init, scope);
  const times = compiler.expr(node.times, scope);
  const body = compiler.body(node.body, scope, [node.state]);
  const slot = slotFor(body.layout, node.state);
  return (step, done) => {
    const { run } = step;
    const rounds = Number(times(step.frame));
    const prefix = attemptPath(step);
    run.emit({ kind: "region.started", path: step.path, region: "loop", size: rounds });
    const { account, claim } = step.context;
    const landedBefore = run.past?.landed.get(step.path);
    const land = (number: number, state: unknown, why: string): void => {
      const message = `the loop ends with its state before round ${number}: ${why}`;
      run.emit({ kind: "budget.landed", path: step.path, region: "loop", after: number - 1, message });
      done(undefined, state);
    };
    const round = (number: number, state: unknown): void => {
      if (number > rounds) {
        done(undefined, state);
        return;
      }
      if (step.halt !== running) {
        done(stopped(step), null);
        return;
      }
      if (landedBefore !== undefined && number > landedBefore.after) {
        land(number, state, landedBefore.message);
        return;
      }
      const path = `${prefix}[${number}]`;
      const start = (own: Claim | undefined): void => {
        const ended: Done = (problem, value) => {
          giveBack(run, own);
          if (problem === undefined) {
            if (value === stopSignal) done(undefined, state);
            else round(number + 1, value);
          } else if (landsOn(problem, step)) land(number, state, problem.message);
          else done(problem, null);
        };
        startWith(step, body, path, [[slot, state]], number, ended, own);
      };
      if (!account.limited) {
        start(undefined);
        return;
      }
      // A round that could not be ended is not begun.
      const { total } = body.keep.needs({ slots: [], parent: step.frame }, new Map([[node.state, sizeOf(state)]]));
      const cancel = enter(run, { account, claim, path }, total, (refused, own) => {
        step.onStop = undefined;
        if (refused === undefined) start(own);
        else land(number, state, refused.message);
      });
      if (cancel === undefined) return;
      step.onStop = () => {
        step.onStop = undefined;
        cancel();
        done(stopped(step), null);
      };
    };
    round(1, init(step.frame));
  };
}

/** Short of money a loop ends with what it has, unless the budget was opened inside the round. */
function landsOn(problem: CallFailure, step: Step): boolean {
  return (
    problem.kind === "budget_exceeded" &&
    step.halt === running &&
    problem.account !== undefined &&
    within(step.context.account, problem.account as Account)
  );
}

export function compileFold(node: FoldNode, scope: Layout, compiler: Compiler): Attempt {
  const over = compiler.expr(node.over, scope);
  const start = compiler.expr(node.start, scope);
  const body = compiler.body(node.body, scope, [node.acc, node.item]);
  const needsAtLeast = compiler.needs(node, scope);
  const accSlot = slotFor(body.layout, node.acc);
  const itemSlot = slotFor(body.layout, node.item);
  return (step, done) => {
    const items = listOf(over(step.frame));
    const prefix = attemptPath(step);
    step.run.emit({ kind: "region.started", path: step.path, region: "fold", size: items.length });
    const keep = keeping(step, needsAtLeast);
    const next = (index: number, acc: unknown): void => {
      if (index >= items.length) done(undefined, acc);
      else if (step.halt !== running) done(stopped(step), null);
      else {
        const slots = [
          [accSlot, acc],
          [itemSlot, items[index]],
        ] as const;
        const own = keep(items.length - index);
        const ended: Done = (problem, value) => {
          giveBack(step.run, own);
          if (problem === undefined) next(index + 1, value);
          else done(problem, null);
        };
        startWith(step, body, `${prefix}[${index + 1}]`, slots, index, ended, own);
      }
    };
    next(0, start(step.frame));
  };
}

/** Keeps back what a region needs that has a known number of steps, and hands out a share of it for each. */
function keeping(step: Step, needs: (frame: Step["frame"]) => RegionNeeds): (left: number) => Claim | undefined {
  const { account, claim: from } = step.context;
  if (!account.limited || from === undefined) return () => undefined;
  resize(from, needs(step.frame).total);
  return (left) => {
    const own = claim(account, from.optional);
    const share = (of: number): number => Math.ceil(of / Math.max(1, left));
    move(from, own, { cost: share(from.held.cost), tokens: share(from.held.tokens), calls: share(from.held.calls) });
    return own;
  };
}

export function compileReduce(node: ReduceNode, scope: Layout, compiler: Compiler): Attempt {
  const over = compiler.expr(node.over, scope);
  const groups = node.groups === undefined ? undefined : compiler.expr(node.groups, scope);
  const body = compiler.body(node.body, scope, node.params);
  const slots = node.params.map((param) => slotFor(body.layout, param));
  const max: ExprIR | undefined = node.policies.parallel?.max;
  const limit = max === undefined ? undefined : compiler.expr(max, scope);
  const needsAtLeast = compiler.needs(node, scope);
  return (step, done) => {
    const items = listOf(over(step.frame));
    const size = groups === undefined ? 2 : Number(groups(step.frame));
    if (!(size >= 2)) throw failure("assertion", `groups of ${size} never become one`, { path: step.path });
    step.run.emit({ kind: "region.started", path: step.path, region: "reduce", size: items.length });
    const bind =
      groups === undefined
        ? (values: readonly unknown[]) => slots.map((slot, i) => [slot, values[i]] as const)
        : (values: readonly unknown[]) => [[slots[0] ?? 0, values] as const];
    const keep = keeping(step, needsAtLeast);
    const atOnce = limit === undefined ? undefined : Math.max(1, Number(limit(step.frame)));
    reduceTree({ step, items, size, body, bind, max: atOnce, keep, done });
  };
}

interface TreeNode {
  readonly values: unknown[];
  missing: number;
}

interface Reducing {
  readonly step: Step;
  readonly items: readonly unknown[];
  readonly size: number;
  readonly body: CompiledBody;
  readonly bind: (values: readonly unknown[]) => readonly (readonly [number, unknown])[];
  readonly max: number | undefined;
  /** What is kept back for a call, where so many are left. */
  readonly keep: (left: number) => Claim | undefined;
  readonly done: Done;
}

/** Each group becomes one as soon as its own members are there, whatever the rest of the level does. */
function reduceTree({ step, items, size, body, bind, max, keep, done }: Reducing): void {
  if (items.length <= 1) {
    done(undefined, items[0] ?? null);
    return;
  }
  const prefix = attemptPath(step);
  const entry = max === undefined ? undefined : gate(max);
  const levels: TreeNode[][] = [];
  for (let width = items.length; width > 1; width = Math.ceil(width / size)) {
    const below = width;
    levels.push(
      Array.from({ length: Math.ceil(width / size) }, (_, i) => {
        const members = Math.min(size, below - i * size);
        return { values: new Array<unknown>(members).fill(null), missing: members };
      }),
    );
  }
  let left = levels.reduce((sum, level) => sum + level.filter((group) => group.values.length > 1).length, 0);
  let active = 0;
  let failing: CallFailure | undefined;
  let over = false;

  const ended = (level: number, index: number, problem: CallFailure | undefined, value: unknown): void => {
    active--;
    if (problem !== undefined) {
      if (failing === undefined && step.halt === running) {
        failing = problem;
        stop(step, draining, problem);
      }
    } else if (step.halt === running) put(level + 1, index, value);
    // Groups that fail at once do so while others are still being made.
    if (over || step.halt === running || active > 0) return;
    over = true;
    done(failing ?? stopped(step), null);
  };
  const put = (level: number, position: number, value: unknown): void => {
    const group = levels[level]?.[Math.floor(position / size)];
    if (group === undefined) {
      done(undefined, value);
      return;
    }
    group.values[position % size] = value;
    group.missing--;
    if (group.missing > 0) return;
    const index = Math.floor(position / size);
    // A group of one is what it holds.
    if (group.values.length === 1) {
      put(level + 1, index, value);
      return;
    }
    active++;
    const start = (leave: (() => void) | undefined): void => {
      if (step.halt !== running) {
        leave?.();
        ended(level, index, stopped(step), null);
        return;
      }
      const own = keep(left--);
      const over: Done = (problem, result) => {
        leave?.();
        giveBack(step.run, own);
        ended(level, index, problem, result);
      };
      startWith(step, body, `${prefix}[${level + 1}.${index + 1}]`, bind(group.values), level * 1e7 + index, over, own);
    };
    if (entry === undefined) start(undefined);
    else
      entry.ask({
        order: orderOf(step.run.clock.now(), step.context.priority, levels.length - level),
        sequence: index,
        gone: false,
        enter: start,
      });
  };
  for (const [position, item] of items.entries()) put(0, position, item);
}
