/**
 * Moves values along the edges of a body. An instance knows for each node how many others it still waits for; a node
 * that waits for nothing more goes into the run's queue, which is worked off in order, so that depth of the program or
 * length of a chain never becomes depth of the stack. An instance ends when all its nodes have, or when one failed and
 * what was running has ended.
 */
import { type CallFailure, failure, toFailure } from "./failure.js";
import { type Frame, newFrame } from "./frame.js";
import type { CompiledBody, CompiledNode, Context, Done, Instance, Run } from "./machine.js";
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

/** Starts an instance: its first nodes go into the queue. */
export function begin(instance: Instance): void {
  const { queue } = instance.run;
  if (instance.body.nodes.length === 0) queue.push(instance, -1);
  else for (const root of instance.body.roots) queue.push(instance, root);
  pump(instance.run);
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
  const { queue } = run;
  try {
    for (let head = 0; head < queue.length && !run.dead; head += 2) {
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
    queue.length = 0;
    run.pumping = false;
  }
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
      for (const dependent of node.dependents) {
        const waits = (instance.pending[dependent] ?? 0) - 1;
        instance.pending[dependent] = waits;
        if (waits === 0) queue.push(instance, dependent);
      }
    }
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
