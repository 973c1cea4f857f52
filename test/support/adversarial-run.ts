/** A run with models and tools at their worst, and what it used, to be compared with a bound. */

import { virtualClock } from "../../src/host/clock.js";
import type { Count } from "../../src/plan/bound-algebra.js";
import { valueAt } from "../../src/plan/bound-algebra.js";
import type { Amounts } from "../../src/plan/bounds.js";
import type { Graph, ToolIR } from "../../src/plan/ir.js";
import { pump } from "../../src/runtime/body.js";
import { startCall } from "../../src/runtime/call.js";
import type { NewEvent, RunEvent } from "../../src/runtime/events.js";
import type { CallFailure } from "../../src/runtime/failure.js";
import type { Account } from "../../src/runtime/ledger.js";
import { prepare } from "../../src/runtime/prepare.js";
import { machineOf, type RunOptions, type RunResult, rootContext, run } from "../../src/runtime/run.js";
import { newScope } from "../../src/runtime/scope.js";
import { adversarialTool, adversary, diligent, diligentTool, type Malice } from "./adversary.js";
import { functionsOnly } from "./tools.js";

export interface Tried {
  readonly result: RunResult;
  readonly events: readonly RunEvent[];
  /** What was used, as bounds count it. */
  readonly used: Amounts<number>;
  /** A bound for lists as long as the longest that this run went through. */
  readonly at: (count: Count) => number;
}

/** How bad it gets, by a number: from answers that are only long to failures everywhere. */
export const maliceOf = (seed: number): Malice => ({
  seed,
  failing: [0, 0.05, 0.4][seed % 3] ?? 0,
  wrong: [0.95, 0.5][seed % 2] ?? 0,
});

/** What a run at its worst is started with. */
function optionsFor(graph: Graph, malice: Malice, events: RunEvent[]): RunOptions {
  const provider = adversary(malice);
  return {
    clock: virtualClock(),
    seed: malice.seed,
    tools: functionsOnly((tool) => Promise.resolve(adversarialTool(tool, graph.types, malice))),
    models: { provider: () => provider },
    environment: () => undefined,
    onEvent: (event) => {
      events.push(event);
    },
  };
}

/** Runs the flow `main` in virtual time as a machine whose accounts can be looked at; attempts are told. */
export async function machineRun(
  graph: Graph,
  inputs: Readonly<Record<string, unknown>>,
  malice: Malice,
): Promise<{ readonly failed: CallFailure | undefined; readonly events: readonly RunEvent[]; readonly root: Account }> {
  const events: RunEvent[] = [];
  const options: RunOptions = { ...optionsFor(graph, malice, events), commit: (then) => then() };
  const flow = graph.flows[graph.entries["main"] ?? ""];
  if (flow === undefined) throw new Error("no flow main");
  const prepared = await prepare(graph, flow, inputs, { ...options });
  let seq = 0;
  const emit = (event: NewEvent): void => void events.push({ ...event, seq: seq++, at: options.clock.now() } as RunEvent);
  const machine = machineOf(prepared, "law", options, emit);
  const site = machine.program.callable({ kind: "flow", id: flow.id }).site;
  const frame = { slots: [], parent: undefined };
  return new Promise((resolve) => {
    startCall(
      { run: machine, scope: newScope(), context: rootContext(machine), site, frame, args: prepared.inputs, path: "main", rank: 0 },
      // What was aborted last is charged when the other side has noticed.
      (failed) => setImmediate(() => resolve({ failed, events, root: machine.root })),
    );
    pump(machine);
  });
}

/** Runs the flow `main` in virtual time. */
export async function adversarialRun(graph: Graph, inputs: Readonly<Record<string, unknown>>, malice: Malice): Promise<Tried> {
  const events: RunEvent[] = [];
  const handle = run(graph, "main", inputs, optionsFor(graph, malice, events));
  const result = await handle.result;
  const { spend } = result;
  const size = Math.max(10, ...events.map((event) => (event.kind === "region.started" ? (event.size ?? 0) : 0)));
  return {
    result,
    events,
    used: {
      calls: spend.calls,
      toolCalls: spend.toolCalls,
      requests: events.filter((event) => event.kind === "model.requested").length,
      inputTokens: spend.inputTokens,
      outputTokens: spend.outputTokens,
      cost: Math.round(spend.costUsd * 1e9),
    },
    at: (count) => valueAt(count, () => size),
  };
}

/** Runs the flow `main` in virtual time with models and tools that do what is asked of them, as long as it may be, and use all that they may. */
export async function diligentRun(
  graph: Graph,
  inputs: Readonly<Record<string, unknown>>,
  seed: number,
): Promise<Pick<Tried, "result" | "events">> {
  const events: RunEvent[] = [];
  const options = optionsFor(graph, { seed, failing: 0, wrong: 0 }, events);
  const provider = diligent(seed);
  const load = (tool: ToolIR) => Promise.resolve(diligentTool(tool, graph.types, seed));
  const result = await run(graph, "main", inputs, { ...options, models: { provider: () => provider }, tools: { ...options.tools, load } })
    .result;
  return { result, events };
}
