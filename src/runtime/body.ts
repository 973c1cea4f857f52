/**
 * Moves values along the edges of a body. An instance knows for each node how many others it still waits for; a node
 * that waits for nothing more goes into the run's queue, which is worked off in order, so that depth of the program or
 * length of a chain never becomes depth of the stack. An instance ends when all its nodes have, or when one failed and
 * what was running has ended.
 */
import { type CallFailure, failure, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import { claim, move, release, resize } from "./ledger.js";
import type { CompiledBody, CompiledNode, Context, Done, Instance, Keeping, Run } from "./machine.js";
import { remaining } from "./past-begun.js";
import { attach, cancelled, detach, draining, type Halt, running, type Scope, stop, stopChildren } from "./scope.js";

/** The path of a node; what stands outside of any flow, as in tests, has no path of its own. */
export function inside(path: string, segment: string): string {
  return path === "" ? segment : `${path}/${segment}`;
}

/** The value of a loop's body that was ended by `stop when`. */
export const stopSignal: unique symbol = Symbol("stop");

/** What an instance is started with. */
export interface Start {
  readonly run: Run;
  readonly body: CompiledBody;
  readonly frame: Frame | undefined;
  readonly scope: Scope;
  readonly context: Context;
  readonly path: string;
  readonly rank: number;
  /** Place among the bodies that its region starts. */
  readonly position?: number;
  readonly done: Done;
}

/** Makes an instance; the caller may fill slots before `begin`. */
export function instanceOf(start: Start): Instance {
  const { body } = start;
  const made: Instance = {
    part: "body",
    slots: newFrame(body.layout, undefined).slots,
    parent: start.frame,
    position: start.position ?? 0,
    parentScope: undefined,
    firstChild: undefined,
    nextSibling: undefined,
    previousSibling: undefined,
    halt: running,
    cause: undefined,
    sealed: false,
    onStop: settleStopped,
    body,
    run: start.run,
    context: start.context,
    path: start.path,
    pending: body.pending.length === 0 ? noPending : body.pending.slice(),
    rank: start.rank,
    keeping: undefined,
    left: body.nodes.length,
    active: 0,
    failure: undefined,
    stopped: false,
    ended: false,
    done: start.done,
  };
  attach(start.scope, made);
  return made;
}

const noPending: number[] = [];

/**
 * Starts an instance: its first nodes go into the queue. `exact`: what its context keeps back is what the body needs now,
 * so that where only one node does something it is that node's.
 */
export function begin(instance: Instance, exact = false): void {
  const { queue } = instance.run;
  if (instance.context.account.limited) keepBack(instance, exact);
  if (instance.body.nodes.length === 0) queue.push(instance, -1);
  else for (const root of instance.body.roots) queue.push(instance, root);
  pump(instance.run);
}

/** Divides what is kept back for a body among its nodes, each as far as there is room for all it needs. */
function keepBack(instance: Instance, exact: boolean): void {
  const { body, context } = instance;
  const { keep } = body;
  if (keep.working === 0 || (exact && keep.working === 1)) return;
  const { claim: from, account } = context;
  const needs = keep.needs(instance);
  const { past } = instance.run;
  const claims = body.nodes.map((node, i) => {
    const all = needs.of[i];
    if (node.ir.kind === "value" || all === undefined) return undefined;
    const wanted = remaining(past, inside(instance.path, node.ir.segment), all);
    const own = claim(account, from?.optional);
    move(from, own, wanted);
    resize(own, wanted);
    own.extra = Math.min(needs.extra[i] ?? 0, own.held.cost);
    return own;
  });
  if (from !== undefined) release(from);
  instance.keeping = { claims, ended: body.nodes.map(() => false) };
}

/** The context of a node: with what is kept back for it. */
export function contextAt(instance: Instance, node: CompiledNode): Context {
  const own = instance.keeping?.claims[node.index];
  return own === undefined ? instance.context : { ...instance.context, claim: own };
}

/** A node has ended: what is kept back for it is free, and what others need is known better. */
function keepLess(instance: Instance, { claims, ended }: Keeping, at: number): void {
  const own = claims[at];
  claims[at] = undefined;
  ended[at] = true;
  if (own !== undefined) release(own);
  const { keep } = instance.body;
  const later = keep.sized(at).filter((j) => claims[j] !== undefined && (instance.pending[j] ?? 0) > 0);
  if (later.length > 0 && instance.halt === running) {
    const needs = keep.needs(instance, undefined, ended);
    for (const j of later) {
      const each = claims[j];
      const [node, all] = [instance.body.nodes[j], needs.of[j]];
      if (each === undefined || node === undefined || all === undefined) continue;
      const wanted = remaining(instance.run.past, inside(instance.path, node.ir.segment), all);
      resize(each, wanted);
      each.extra = Math.min(needs.extra[j] ?? 0, each.held.cost);
    }
  }
  if (instance.run.admission.lines.size > 0) instance.run.admission.due = true;
}

/** Gives back what is kept back for nodes that will not run. */
function keepNothing(instance: Instance, { claims }: Keeping): void {
  for (const own of claims) if (own !== undefined) release(own, instance.context.claim);
  instance.keeping = undefined;
}

/** Makes and starts an instance in one go. */
export function startBody(start: Start): Instance {
  const made = instanceOf(start);
  begin(made);
  return made;
}

/** Works off the queue; safe to call from anywhere, at any depth. */
export function pump(run: Run): void {
  if (run.pumping || run.dead) return;
  run.pumping = true;
  const { queue, admission } = run;
  try {
    for (let head = 0; !run.dead; head += 2) {
      // What was begun before a crash goes on when all that is known has been taken from what is known.
      if (head >= queue.length && run.arrivals !== undefined) arrive(run);
      // Who waits for a budget is looked at when all that happens now has happened.
      while (head >= queue.length && admission.due) admission.look(run);
      if (head >= queue.length) break;
      const instance = queue[head] as Instance;
      const index = queue[head + 1] as number;
      // What was worked off is dropped now and then, so that a long run does not keep it alive.
      if (head > 4096) {
        queue.splice(0, head);
        head = 0;
      }
      runNode(instance, index);
    }
  } finally {
    // One by one, since setting the length of a list leaves compiled code: it is done for each call that was waited for.
    while (queue.length > 0) queue.pop();
    run.pumping = false;
  }
}

/**
 * Goes on with something now, or in a run that is carried on after all that is known: what is `over` ends first, then who
 * `had` something has it again, then all goes on in the order in which it was begun before, and what is new after that.
 */
export function inTurn(run: Run, path: string, go: () => void, turn?: "over" | "had"): void {
  if (run.arrivals === undefined) go();
  else {
    const order = turn === "over" ? -2 : turn === "had" ? -1 : (run.past?.begun().get(path)?.order ?? Number.POSITIVE_INFINITY);
    run.arrivals.push({ order, go });
  }
}

function arrive(run: Run): void {
  const { arrivals = [] } = run;
  run.arrivals = undefined;
  arrivals.sort((a, b) => (a.order === b.order ? 0 : a.order - b.order));
  for (const { go } of arrivals) go();
}

function runNode(instance: Instance, index: number): void {
  if (instance.ended) return;
  const node = instance.body.nodes[index];
  if (node === undefined) {
    settle(instance);
    return;
  }
  if (instance.halt !== running) return;
  instance.active++;
  try {
    node.execute(instance, node);
  } catch (thrown) {
    nodeDone(instance, node, toFailure(thrown, "assertion", false), null);
  }
}

/** A node has ended: its value goes to those who wait, or its failure ends the instance. */
export function nodeDone(instance: Instance, node: CompiledNode, failed: CallFailure | undefined, value: unknown): void {
  instance.active--;
  if (failed === undefined) {
    instance.left--;
    instance.slots[node.slot] = value;
    if (instance.halt === running) {
      const { queue } = instance.run;
      const { dependents } = node;
      for (let i = 0; i < dependents.length; i++) {
        const dependent = dependents[i] as number;
        const waits = (instance.pending[dependent] ?? 0) - 1;
        instance.pending[dependent] = waits;
        if (waits === 0) queue.push(instance, dependent);
      }
    }
    if (instance.keeping !== undefined) keepLess(instance, instance.keeping, node.index);
  } else if (instance.failure === undefined && !(instance.halt !== running && failed.kind === "cancelled")) {
    instance.failure = failed.path === "" ? { ...failed, path: inside(instance.path, node.ir.segment) } : failed;
    if (instance.halt === running) {
      instance.halt = draining;
      instance.cause = instance.failure;
      stopChildren(instance, draining, instance.failure);
    }
  }
  settle(instance);
  pump(instance.run);
}

/** Ends a loop's round with its current state. */
export function stopRound(instance: Instance): void {
  instance.stopped = true;
  stop(instance, cancelled, failure("cancelled", "the loop ended", { path: instance.path }));
}

function settleStopped(_level: Halt, _cause: CallFailure, scope: Scope): void {
  settle(scope as Instance);
}

/** Ends the instance if nothing of it is left to do. */
function settle(instance: Instance): void {
  if (instance.ended || instance.active > 0 || (instance.left > 0 && instance.halt === running)) return;
  instance.ended = true;
  detach(instance);
  if (instance.keeping !== undefined) keepNothing(instance, instance.keeping);
  if (instance.failure !== undefined) instance.done(instance.failure, null);
  else if (instance.stopped) instance.done(undefined, stopSignal);
  else if (instance.halt !== running && instance.left > 0) {
    instance.done(
      failure("cancelled", instance.cause?.message ?? "cancelled", {
        path: instance.path,
        ...(instance.cause === undefined ? {} : { cause: instance.cause }),
      }),
      null,
    );
  } else finish(instance);
}

function finish(instance: Instance): void {
  let value: unknown;
  try {
    value = instance.body.result(instance) ?? null;
  } catch (thrown) {
    const failed = toFailure(thrown, "assertion", false);
    instance.done(failed.path === "" ? { ...failed, path: instance.path } : failed, null);
    return;
  }
  instance.done(undefined, value);
}
