/** What a run with `--reuse` would take from another run, found out without a call: whatever is not known never ends. */
import { virtualClock } from "../host/clock.js";
import type { Inputs } from "../plan/bounds.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import { reusing } from "../runtime/reuse.js";
import { type RunOptions, run } from "../runtime/run.js";
import type { StoredRun } from "../runtime/store.js";

export interface Reused {
  readonly run: string;
  /** How many results of each callable would be taken over; that of a flow is everything inside it. */
  readonly reused: ReadonlyMap<string, number>;
  /** What would be called then, as far as it can be told. */
  readonly called: readonly string[];
}

/** Goes through a flow with the results of an earlier run. */
export async function reusedFrom(stored: StoredRun, graph: Graph, flow: FlowIR, inputs: Inputs, host: RunOptions): Promise<Reused> {
  const reused = new Map<string, number>();
  const called = new Set<string>();
  const clock = virtualClock();
  // Time goes on when nothing is left to do: then everything that is known has been used.
  clock.hold();
  const idle = new Promise<void>((resolve) => clock.after(0, resolve));
  const handle = run(graph, flow.name, inputs, {
    ...host,
    clock,
    ...reusing(stored, graph),
    intercept: ({ ir }) =>
      ir.kind === "agent" || ir.kind === "tool"
        ? () => {
            called.add(ir.name);
          }
        : undefined,
    // Whoever approves says yes; what is asked stays open.
    stubbed: (what) => (_, done) => {
      if (what === "approve") done(undefined, true);
    },
    onEvent: (event) => {
      if (event.kind === "run.started") clock.release();
      if (event.kind === "call.reused") reused.set(event.callee, (reused.get(event.callee) ?? 0) + 1);
    },
  });
  await Promise.race([idle, handle.result]);
  return { run: stored.start.run, reused, called: [...called] };
}
