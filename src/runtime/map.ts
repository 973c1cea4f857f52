/**
 * `map`: a body for each item, in order, as many at once as allowed. Items may need others and start as soon as those
 * are done. All must succeed, or enough of them, or (`settle`) any number; a fan-out whose first items all fail the same
 * permanent way starts no more.
 */
import type { NodeIR } from "../plan/ir.js";
import { begin, instanceOf } from "./body.js";
import { type CallFailure, failure, failureValue, type ItemFailure, permanentKinds } from "./failure.js";
import { type Frame, type Layout, layout, newFrame, slotFor } from "./frame.js";
import { type Gate, gate, orderOf } from "./gate.js";
import { canonical, contentHash } from "./hash.js";
import type { Attempt, CompiledBody, Done, Step } from "./machine.js";
import { withSaga } from "./notes.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { closing } from "./saga.js";
import { draining, running, stop } from "./scope.js";
import { stopped } from "./step.js";
import { shown } from "./values.js";

type MapNode = Extract<NodeIR, { kind: "map" }>;

/** An item that passed `where`. */
interface Item {
  readonly index: number;
  readonly key: string;
  readonly value: unknown;
}

interface Needs {
  /** Positions of the items each item needs, and of those that need it. */
  readonly on: readonly (readonly number[])[];
  readonly dependents: readonly (readonly number[])[];
}

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

  return (step, done) => {
    const values = listOf(over(step.frame));
    const scratch = newFrame(inner, step.frame);
    const items: Item[] = [];
    const seen = new Map<string, number>();
    for (let index = 0; index < values.length; index++) {
      bind(scratch, slots, values[index], index);
      if (where !== undefined && where(scratch) !== true) continue;
      const text = key === undefined ? keyText(values[index]) : keyText(key(scratch));
      const count = (seen.get(text) ?? 0) + 1;
      seen.set(text, count);
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
    runItems({
      step,
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

/** The text of a key: its content, shortened when long. */
function keyText(value: unknown): string {
  const text = typeof value === "string" ? value : canonical(value);
  return text.length <= 80 && !/[\]\\\n]/.test(text)
    ? text
    : `${text.slice(0, 40).replace(/[\]\\\s]+/g, " ")}…${contentHash(text).slice(0, 12)}`;
}

function linksOf(items: readonly Item[], needsOf: (item: Item) => unknown, path: string): Needs {
  const position = new Map(items.map((item, i) => [item.key, i]));
  const on = items.map((item) => {
    const keys = needsOf(item);
    return (Array.isArray(keys) ? keys : []).map((key: unknown) => {
      const found = position.get(keyText(key));
      if (found === undefined)
        throw failure("assertion", `the item ${shown(item.key)} needs ${shown(key)}, which is not among the items`, { path });
      return found;
    });
  });
  const dependents: number[][] = items.map(() => []);
  for (const [i, needed] of on.entries()) for (const j of new Set(needed)) dependents[j]?.push(i);
  const left = on.map((needed) => new Set(needed).size);
  const ready = left.flatMap((n, i) => (n === 0 ? [i] : []));
  for (let head = 0; head < ready.length; head++) {
    for (const j of dependents[ready[head] ?? 0] ?? []) {
      left[j] = (left[j] ?? 0) - 1;
      if (left[j] === 0) ready.push(j);
    }
  }
  if (ready.length < items.length) throw failure("assertion", `items need each other in a circle: ${circle(items, on, left)}`, { path });
  return { on, dependents };
}

function circle(items: readonly Item[], on: readonly (readonly number[])[], left: readonly number[]): string {
  const way: number[] = [];
  let at = left.findIndex((n) => n > 0);
  while (!way.includes(at)) {
    way.push(at);
    at = (on[at] ?? []).find((j) => (left[j] ?? 0) > 0) ?? at;
  }
  return [...way.slice(way.indexOf(at)), at].map((i) => items[i]?.key).join(" → ");
}

interface Running {
  readonly step: Step;
  readonly done: Done;
  readonly body: CompiledBody;
  readonly slots: Slots;
  readonly items: readonly Item[];
  readonly links: Needs | undefined;
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
  let active = 0;
  let ended = 0;
  let ok = 0;
  let next = 0;
  let hopeless: CallFailure | undefined;
  let failing: CallFailure | undefined;
  let over = false;

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

  const start = (position: number, leave: (() => void) | undefined): void => {
    const item = items[position];
    if (item === undefined || step.halt !== running || hopeless !== undefined || state[position] === 2) {
      active--;
      leave?.();
      settle();
      return;
    }
    const path = `${prefix}[${item.key}]`;
    // An item that may be dropped is undone by itself.
    const context = map.all ? step.context : withSaga(run, step.context);
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
        leave?.();
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
        }
        if (links === undefined) feed();
        settle();
      }),
    });
    bind(instance, map.slots, item.value, item.index);
    if (map.slots.giving !== undefined) instance.slots[map.slots.giving] = (links?.on[position] ?? []).map((i) => values[i]);
    begin(instance);
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
    while (next < items.length && step.halt === running && hopeless === undefined && (limit === undefined || active < limit)) admit(next++);
  };

  const settle = (): void => {
    if (over || active > 0) return;
    if (step.halt === running && hopeless === undefined && ended < items.length) return;
    over = true;
    step.onStop = undefined;
    finish();
  };

  const finish = (): void => {
    if (failing !== undefined) {
      map.done({ ...failing, partial: partial() }, null);
      return;
    }
    if (step.halt !== running) {
      map.done({ ...stopped(step), partial: partial() }, null);
      return;
    }
    for (let i = 0; i < items.length; i++) if (state[i] === 0) itemFailed(i, failure("skipped", hopeless?.message ?? "it was not started"));
    if (map.settle) {
      if (ok < map.required) map.done({ ...tooFew(undefined, map, failures, step.path), partial: partial() }, null);
      else map.done(undefined, settled(items, values, state, failures));
    } else map.done(undefined, failures.length === 0 ? values : okValues(values, state));
  };

  step.onStop = () => settle();
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
