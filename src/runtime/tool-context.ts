/**
 * The second argument of a tool's function. Most tools look at little of it, so it is a small object whose properties
 * are worked out when they are read; the abort signal above all.
 */

import { randomFor } from "./hash.js";
import type { Step } from "./machine.js";
import { cancelled } from "./scope.js";
import { abort, rootOf } from "./step.js";
import type { ToolContext } from "./tool.js";

const held: unique symbol = Symbol("step");
interface Holder {
  readonly [held]: Step;
}

/** The signal of a step, made when first asked for. */
export function signalOf(step: Step): AbortSignal {
  if (step.controller === undefined) {
    step.controller = new AbortController();
    if (step.halt === cancelled) abort(step);
  }
  return step.controller.signal;
}

const properties: ToolContext & ThisType<Holder> = {
  get signal(): AbortSignal {
    return signalOf((this as unknown as Holder)[held]);
  },
  get run(): string {
    return (this as unknown as Holder)[held].run.id;
  },
  get call(): string {
    return (this as unknown as Holder)[held].path;
  },
  get attempt(): number {
    return rootOf((this as unknown as Holder)[held]).attempts;
  },
  get cwd(): string {
    const { context, run } = (this as unknown as Holder)[held];
    return context.directory ?? run.tools.directory;
  },
  get idempotencyKey(): string | undefined {
    const step = (this as unknown as Holder)[held];
    const key = step.site?.idempotent?.(step);
    return typeof key === "string" ? key : step.site?.idempotent === undefined ? undefined : `${step.run.id}:${step.path}`;
  },
  get log(): (message: string) => void {
    const { run, path } = (this as unknown as Holder)[held];
    return (message) => run.emit({ kind: "tool.log", path, message: run.scrub.text(String(message)) });
  },
  get emit(): (name: string, data: unknown) => void {
    const { run, path } = (this as unknown as Holder)[held];
    return (name, data) => run.emit({ kind: "tool.emitted", path, name: String(name), data: run.scrub.value(data) });
  },
  get clock() {
    return (this as unknown as Holder)[held].run.clock;
  },
  get random(): () => number {
    const { run, path } = (this as unknown as Holder)[held];
    return randomFor(run.seed, path);
  },
};

export function toolContext(step: Step): ToolContext {
  const made = Object.create(properties) as ToolContext & { [held]: Step };
  made[held] = step;
  return made;
}
