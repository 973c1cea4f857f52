/** How a region is carried out: as a step with its policies around it, told when it starts and ends. */
import { contextAt, inside, nodeDone, pump } from "./body.js";
import { inMicros } from "./clock.js";
import type { NewEvent } from "./events.js";
import { failureValue, located, toFailure } from "./failure.js";
import type { Attempt, CompiledNode, Done, Instance, Step } from "./machine.js";
import { detach } from "./scope.js";
import { asBudget, stepOf } from "./step.js";

type Region = Extract<NewEvent, { kind: "region.completed" }>["region"];

const noArgs = {};

/** A node that is a region; `name` is undefined for those that only choose or group, which tell their choice instead. */
export function executeRegion(attempt: Attempt, name: Region | undefined): CompiledNode["execute"] {
  return (instance: Instance, node: CompiledNode): void => {
    const { run } = instance;
    const step = stepOf({
      run,
      scope: instance,
      context: contextAt(instance, node),
      site: undefined,
      frame: instance,
      args: noArgs,
      path: inside(instance.path, node.ir.segment),
      rank: instance.rank + node.rank,
      position: node.index,
    });
    attempt(step, (failed, value) => {
      detach(step);
      const ended = failed === undefined ? undefined : located(asBudget(step, failed), step.path, Math.max(1, step.attempts));
      if (name !== undefined) {
        const elapsedMs = inMicros(run.clock.now() - step.startedAt);
        if (ended === undefined) run.emit({ kind: "region.completed", path: step.path, region: name, elapsedMs });
        else run.emit({ kind: "region.failed", path: step.path, region: name, failure: failureValue(ended), elapsedMs });
      }
      nodeDone(instance, node, ended, value);
    });
    pump(run);
  };
}

/** What goes wrong while a region is set up is its failure, inside its policies. */
export function guarded(perform: Attempt): Attempt {
  return (step, done) => {
    let ended = false;
    const once: Done = (failed, value) => {
      ended = true;
      done(failed, value);
    };
    try {
      perform(step, once);
    } catch (thrown) {
      if (ended) throw thrown;
      done(toFailure(thrown, "assertion", false), null);
    }
  };
}

/** The number of this attempt of a region, and the path of what is inside it. */
export function attemptPath(step: Step): string {
  const root = step.root ?? step;
  root.attempts++;
  return root.attempts > 1 ? `${step.path}~${root.attempts}` : step.path;
}
