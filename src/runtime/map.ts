/**
 * `map`: a body for each item, in order, as many at once as allowed. Items may need others and start as soon as those
 * are done. All must succeed, or enough of them, or (`settle`) any number; a fan-out whose first items all fail the same
 * permanent way starts no more. Under a budget items are let in one after the other; when one cannot be, the map ends
 * with those before it, if they are enough.
 */
import type { NodeIR } from "../plan/ir.js";
import { enter, giveBack } from "./admission.js";
import { begin, instanceOf } from "./body.js";
import { type CallFailure, failure, failureValue, type ItemFailure, permanentKinds } from "./failure.js";
import { type Frame, type Layout, layout, newFrame, slotFor } from "./frame.js";
import { type Gate, gate, orderOf } from "./gate.js";
import { type Item, keyText, knownItems, type Links, leftOut, linksOf, notStarted } from "./items.js";
import { type Account, type Amount, type Claim, expiry, claim as newClaim, nothing, resize, times, within } from "./ledger.js";
import type { Attempt, CompiledBody, Done, Step } from "./machine.js";
import { withSaga } from "./notes.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { closing } from "./saga.js";
import { draining, running, stop } from "./scope.js";
import { stopped } from "./step.js";
import { shown } from "./values.js";

type MapNode = Extract<NodeIR, { kind: "map" }>;

export function compileMap(node: MapNode, scope: Layout, compiler: Compiler): Attempt {
  const over = compiler.expr(node.over, scope);
  const inner = layout(scope, [
    node.item,
    ...(node.index === undefined ? [] : [node.index]),
    ...(node.giving === undefined ? [] : [node.giving]),
  ]);
  const where = node.where === undefined ? undefined : compiler.expr(node.where, inner);
  const key = node.key === undefined ? undefined : compiler.expr(node.key, inner);
  const needs = node.needs === undefined ? undefined : compiler.expr(node.needs, inner);
  const body = compiler.body(node.body, scope, [], inner);
  const slots = {
    item: slotFor(inner, node.item),
    index: node.index === undefined ? undefined : slotFor(inner, node.index),
    giving: node.giving === undefined ? undefined : slotFor(inner, node.giving),
  };
  const max = node.policies.parallel === undefined ? undefined : compiler.expr(node.policies.parallel.max, scope);
  const least = node.policies.minSuccess;
  const minSuccess = least === undefined ? undefined : { value: compiler.expr(least.value, scope), share: least.share };
  const needsAtLeast = compiler.needs(node, scope);

  return (step, done) => {
    const values = listOf(over(step.frame));
    const scratch = newFrame(inner, step.frame);
    const items: Item[] = [];
    const seen = new Set<string>();
    const repeated = new Map<string, number>();
    for (let index = 0; index < values.length; index++) {
      bind(scratch, slots, values[index], index);
      if (where !== undefined && where(scratch) !== true) continue;
      const text = key === undefined ? keyText(values[index]) : keyText(key(scratch));
      const isNew = seen.size < seen.add(text).size;
      const count = isNew ? 1 : (repeated.get(text) ?? 1) + 1;
      if (!isNew) repeated.set(text, count);
      if (count > 1 && needs !== undefined) throw failure("assertion", `two items have the key ${shown(text)}`, { path: step.path });
      items.push({ index, key: count > 1 ? `${text}#${count}` : text, value: values[index] });
    }
    const required =
      minSuccess === undefined
        ? node.settle
          ? 0
          : items.length
        : minSuccess.share
          ? Math.ceil(Number(minSuccess.value(step.frame)) * items.length - 1e-9)
          : Math.ceil(Number(minSuccess.value(step.frame)));
    const links =
      needs === undefined
        ? undefined
        : linksOf(
            items,
            (item) => {
              bind(scratch, slots, item.value, item.index);
              return needs(scratch);
            },
            step.path,
          );
    const limit = max === undefined ? undefined : Math.max(1, Number(max(step.frame)));
    if (body.nodes.length === 0 && links === undefined && minSuccess === undefined && !node.settle) {
      done(undefined, pureItems(items, scratch, slots, body));
      return;
    }
    const one = step.context.account.limited ? needsAtLeast(step.frame).one : nothing;
    runItems({
      step,
      one,
      done,
      body,
      slots,
      items,
      links,
      limit,
      required,
      all: minSuccess === undefined && !node.settle,
      settle: node.settle,
    });
  };
}

/** A body without calls needs no instances. */
function pureItems(items: readonly Item[], frame: Frame, slots: Slots, body: CompiledBody): unknown[] {
  return items.map((item) => {
    bind(frame, slots, item.value, item.index);
    return body.result(frame) ?? null;
  });
}

interface Slots {
  readonly item: number;
  readonly index: number | undefined;
  readonly giving: number | undefined;
}

function bind(frame: Frame, slots: Slots, value: unknown, index: number): void {
  frame.slots[slots.item] = value;
  if (slots.index !== undefined) frame.slots[slots.index] = index;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

interface Running {
  readonly step: Step;
  /** What an item needs at least. */
  readonly one: Amount;
  readonly done: Done;
  readonly body: CompiledBody;
  readonly slots: Slots;
  readonly items: readonly Item[];
  readonly links: Links | undefined;
  readonly limit: number | undefined;
  readonly required: number;
  readonly all: boolean;
  readonly settle: boolean;
}

function runItems(map: Running): void {
  const { step, items, links, limit } = map;
  const { run } = step;
  const prefix = attemptPath(step);
  run.emit({ kind: "region.started", path: step.path, region: "map", size: items.length });
  const values = new Array<unknown>(items.length);
  const state = new Uint8Array(items.length);
  const failures: ItemFailure[] = [];
  const waits = links?.on.map((needed) => new Set(needed).size);
  // Without needs `feed` keeps to the limit by itself; with them, what becomes ready has to queue.
  const entry: Gate | undefined = limit === undefined || limit >= items.length || links === undefined ? undefined : gate(limit);
  const firstFew = Math.min(5, limit ?? 5);
  /** Items that were let through the limit, and those of them that run. */
  let active = 0;
  let going = 0;
  let ended = 0;
  let ok = 0;
  let next = 0;
  let hopeless: CallFailure | undefined;
  let failing: CallFailure | undefined;
  /** Why no more items are let in: the budget is short. */
  let landed: CallFailure | undefined;
  let over = false;
  /** Items that wait for the budget, and how each is taken back. */
  const entering = new Map<number, () => void>();
  /** Items that an earlier part of the run had left out, once those before them have ended. */
  const leftOutLater: (() => void)[] = [];
  const landedBefore = links === undefined ? run.past?.landed.get(step.path) : undefined;
  const { claim } = step.context;

  /** Items that an earlier part of the run had done and that this one has not come to: they need nothing more. */
  const known = knownItems(step, items);

  /** What must still succeed and has not begun stays kept back. */
  const keepRest = (): void => {
    if (claim === undefined || over) return;
    // Never more than there is still to begin: what failed is not made up for.
    const left = step.halt === running ? Math.min(map.required - ok - going - known.size, items.length - ended - going) : 0;
    resize(claim, times(map.one, Math.max(0, left)));
  };

  const itemFailed = (position: number, problem: CallFailure): void => {
    const item = items[position];
    if (item === undefined || state[position] === 2) return;
    state[position] = 2;
    ended++;
    const error = failureValue(problem.path === "" ? { ...problem, path: `${prefix}[${item.key}]` } : problem);
    failures.push({ index: item.index, key: item.key, error });
    run.emit({ kind: "item.failed", path: step.path, index: item.index, key: item.key, failure: error });
    for (const dependent of links?.dependents[position] ?? []) {
      itemFailed(
        dependent,
        failure("skipped", `it needs ${item.key}, which failed`, { path: `${prefix}[${items[dependent]?.key ?? ""}]` }),
      );
    }
  };

  const partial = () => ({ ok: okValues(values, state), failed: inOrder(failures) });

  const consider = (problem: CallFailure): void => {
    if (failing !== undefined || hopeless !== undefined || step.halt !== running) return;
    if (map.all) failing = { ...problem, partial: partial() };
    else if (items.length - failures.length < map.required) failing = tooFew(problem, map, failures, step.path);
    else if (
      ok === 0 &&
      run.past?.fruitful.has(step.path) !== true &&
      ended >= Math.min(firstFew, items.length) &&
      permanentKinds.has(problem.kind) &&
      failures.every((f) => f.error.kind === problem.kind)
    ) {
      hopeless = failure(
        problem.kind,
        `the first ${failures.length} of ${items.length} items all failed the same way: ${problem.message}`,
        { path: step.path, cause: problem, ...(problem.account === undefined ? {} : { account: problem.account }) },
      );
      if (!map.settle) failing = hopeless;
    }
    if (failing !== undefined) stop(step, draining, failing);
  };

  /** An item is not let in: the map ends with those before it. */
  const land = (why: CallFailure): void => {
    if (landed !== undefined || step.halt !== running) return;
    landed = why;
    if (map.all) failing = { ...why, partial: partial() };
    else {
      const after = ended + going;
      const message = `no more items are started after ${after} of ${items.length}: ${why.message}`;
      run.emit({ kind: "budget.landed", path: step.path, region: "map", after, message });
      if (ok + going < map.required) failing = notEnough(why, map, ok, step.path);
    }
    if (failing !== undefined) stop(step, draining, failing);
  };

  const start = (position: number, leave: (() => void) | undefined): void => {
    const item = items[position];
    const dropped = (): void => {
      active--;
      leave?.();
      settle();
    };
    if (item === undefined || step.halt !== running || hopeless !== undefined || landed !== undefined || state[position] === 2) {
      dropped();
      return;
    }
    const path = `${prefix}[${item.key}]`;
    if (landedBefore !== undefined && position >= landedBefore.after) {
      const leaveOut = (): void => {
        entering.delete(position);
        land(failure("budget_exceeded", landedBefore.message, { path, account: step.context.account }));
        dropped();
      };
      // What was done before it counts.
      if (ended >= landedBefore.after) leaveOut();
      else {
        entering.set(position, dropped);
        leftOutLater.push(() => (entering.has(position) ? leaveOut() : undefined));
      }
      return;
    }
    let waited = false;
    // What an item of several steps needs is known only by declared sizes: alone it goes as far as real ones allow.
    const goesOn = (): boolean =>
      going === 0 && map.body.keep.working > 1 && step.halt === running && expiry(step.context.account) === undefined;
    const entered = (refused: CallFailure | undefined, own: Claim | undefined): void => {
      entering.delete(position);
      if (refused === undefined) launch(position, item, path, own, leave);
      else if (goesOn()) {
        // One that must succeed may use what is kept back for those after it: without it they would be of no use.
        const must = ok < map.required;
        launch(position, item, path, claim === undefined || must ? undefined : newClaim(claim.account, true), leave);
      } else {
        land(refused);
        dropped();
      }
      if (waited && links === undefined) feed();
    };
    const needs = known.delete(position) ? nothing : map.one;
    const cancel = enter(run, { account: step.context.account, claim, path, goesOn }, needs, entered);
    if (cancel === undefined) return;
    waited = true;
    entering.set(position, () => {
      cancel();
      dropped();
    });
  };

  const launch = (position: number, item: Item, path: string, own: Claim | undefined, leave: (() => void) | undefined): void => {
    going++;
    // An item that may be dropped is undone by itself.
    const outer = own === undefined ? step.context : { ...step.context, claim: own };
    const context = map.all ? outer : withSaga(run, outer);
    const instance = instanceOf({
      run,
      body: map.body,
      frame: step.frame,
      scope: step,
      context,
      path,
      rank: step.rank,
      position,
      done: closing(run, context, step.context, (problem, value) => {
        active--;
        going--;
        leave?.();
        giveBack(run, own);
        if (problem === undefined) {
          values[position] = value;
          state[position] = 1;
          ok++;
          ended++;
          run.emit({ kind: "item.completed", path: step.path, index: item.index, key: item.key });
          release(position);
        } else if (step.halt === running || problem.kind !== "cancelled") {
          itemFailed(position, problem);
          consider(problem);
          const short = problem.kind === "budget_exceeded" && problem.account !== undefined;
          if (short && !map.all && within(step.context.account, problem.account as Account)) land(problem);
        }
        keepRest();
        if (landedBefore !== undefined && ended >= landedBefore.after) for (const leaveOut of leftOutLater.splice(0)) leaveOut();
        if (links === undefined) feed();
        settle();
      }),
    });
    bind(instance, map.slots, item.value, item.index);
    if (map.slots.giving !== undefined) instance.slots[map.slots.giving] = (links?.on[position] ?? []).map((i) => values[i]);
    begin(instance, true);
  };

  const admit = (position: number): void => {
    active++;
    if (entry === undefined) start(position, undefined);
    else {
      entry.ask({
        order: orderOf(run.clock.now(), step.context.priority, 0),
        sequence: position,
        gone: false,
        enter: (leave) => start(position, leave),
      });
    }
  };

  const release = (position: number): void => {
    for (const dependent of links?.dependents[position] ?? []) {
      const left = (waits?.[dependent] ?? 0) - 1;
      if (waits !== undefined) waits[dependent] = left;
      if (left === 0 && state[dependent] === 0) admit(dependent);
    }
  };

  /** Keeps the gate full without queueing all that is to come. */
  const feed = (): void => {
    while (
      next < items.length &&
      step.halt === running &&
      hopeless === undefined &&
      landed === undefined &&
      entering.size === 0 &&
      (limit === undefined || active < limit)
    )
      admit(next++);
  };

  const settle = (): void => {
    if (over || active > 0) return;
    if (step.halt === running && hopeless === undefined && landed === undefined && ended < items.length) return;
    over = true;
    step.onStop = undefined;
    finish();
  };

  const finish = (): void => {
    if (failing !== undefined) {
      const short = landed === undefined || map.all ? failing : notEnough(landed, map, ok, step.path);
      map.done({ ...short, partial: partial() }, null);
      return;
    }
    if (step.halt !== running) {
      map.done({ ...stopped(step), partial: partial() }, null);
      return;
    }
    for (let i = 0; i < items.length; i++) if (state[i] === 0) itemFailed(i, landed === undefined ? notStarted(hopeless) : leftOut(landed));
    if (map.settle || landed !== undefined) {
      const short = landed === undefined ? tooFew(undefined, map, failures, step.path) : notEnough(landed, map, ok, step.path);
      if (ok < map.required) map.done({ ...short, partial: partial() }, null);
      else if (!map.settle) map.done(undefined, okValues(values, state));
      else map.done(undefined, settled(items, values, state, failures));
    } else map.done(undefined, failures.length === 0 ? values : okValues(values, state));
  };

  step.onStop = () => {
    const waiting = [...entering.values()];
    entering.clear();
    for (const takeBack of waiting) takeBack();
    settle();
  };
  keepRest();
  if (links === undefined) feed();
  else for (const [i, n] of (waits ?? []).entries()) if (n === 0) admit(i);
  settle();
}

function okValues(values: readonly unknown[], state: Uint8Array): unknown[] {
  return values.filter((_, i) => state[i] === 1);
}

function inOrder(failures: readonly ItemFailure[]): ItemFailure[] {
  return [...failures].sort((a, b) => a.index - b.index);
}

/** Not enough items could be let in. */
function notEnough(why: CallFailure, map: Running, ok: number, path: string): CallFailure {
  const text = `${ok} of ${map.items.length} items are done, ${map.required} must succeed: ${why.message}`;
  return failure("budget_exceeded", text, { path, cause: why, ...(why.account === undefined ? {} : { account: why.account }) });
}

function tooFew(problem: CallFailure | undefined, map: Running, failures: readonly ItemFailure[], path: string): CallFailure {
  const first = inOrder(failures)[0]?.error;
  const total = map.items.length;
  const text = `${failures.length} of ${total} items failed, ${map.required} must succeed${first === undefined ? "" : `; the first: ${first.message}`}`;
  return failure(problem?.kind ?? first?.kind ?? "assertion", text, {
    path,
    ...(problem === undefined ? {} : { cause: problem }),
    ...(problem?.account === undefined ? {} : { account: problem.account }),
  });
}

function settled(items: readonly Item[], values: readonly unknown[], state: Uint8Array, failures: readonly ItemFailure[]): unknown {
  const byIndex = new Map(failures.map((failed) => [failed.index, failed.error]));
  const ok = okValues(values, state);
  return {
    ok,
    failed: inOrder(failures),
    outcomes: items.map((item, i) =>
      state[i] === 1 ? { ok: true, value: values[i] } : { ok: false, error: byIndex.get(item.index) ?? null },
    ),
    rate: items.length === 0 ? 1 : ok.length / items.length,
  };
}
