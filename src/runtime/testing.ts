/**
 * Runs one `test` block offline: callables are stubbed, time is virtual, statements run one after the other, and every
 * expectation is told with what was expected and found. What is not stubbed is an error that says how to stub it,
 * unless it needs nothing from outside. `crash` ends the machine at a call: what was not made safe by then is forgotten,
 * and another machine carries the statement on from the journal alone.
 */

import type { Problem } from "../diagnostics/problems.js";
import { REACHED } from "../plan/coverage.js";
import type { CalleeRef, Graph, TestIR, TestStepIR } from "../plan/ir.js";
import type { Span } from "../source/source.js";
import { begin, instanceOf } from "./body.js";
import { type CallRecord, recordCalls } from "./call-records.js";
import type { NewEvent, RunEvent, SpendReport } from "./events.js";
import { type CallFailure, failureValue } from "./failure.js";
import { eventFeed } from "./feed.js";
import { type Frame, layout, newFrame, slotFor } from "./frame.js";
import type { CompiledBody, Instance, Run } from "./machine.js";
import type { RunOptions } from "./options.js";
import { type Past, pastOf } from "./past.js";
import { prepareProgram } from "./prepare.js";
import { callsOf } from "./reach.js";
import { machineOf, rootContext } from "./run.js";
import { newScope } from "./scope.js";
import type { StoredResult } from "./store.js";
import { type Stubs, stubs } from "./stubs.js";
import type { Miss } from "./tape.js";
import { shown } from "./values.js";

export interface Unmet {
  /** The expectation as written; empty for another statement. */
  readonly text: string;
  readonly message: string;
  readonly span: Span;
}

export interface TestResult {
  readonly title: string;
  readonly status: "passed" | "failed";
  readonly unmet: readonly Unmet[];
  /** Why the test could not be run at all. */
  readonly problems: readonly Problem[];
  /** Every call in order of start, for the report of a failure. */
  readonly calls: readonly CallRecord[];
  readonly spend: SpendReport;
  /** Virtual time. */
  readonly elapsedMs: number;
  /** Everything that happened, for coverage. */
  readonly events: readonly RunEvent[];
}

export type TestOptions = Pick<RunOptions, "clock" | "tools" | "models" | "environment" | "seed" | "tape"> & {
  /** Told each arm that an instrumented graph enters. */
  readonly reached?: (arm: string) => void;
};

/** How a statement ended. */
type Ended =
  | { readonly kind: "value"; readonly instance: Instance; readonly value: unknown }
  | { readonly kind: "failed"; readonly failure: CallFailure }
  | { readonly kind: "crashed"; readonly when: "before" | "after" };

export async function runTest(graph: Graph, test: TestIR, options: TestOptions): Promise<TestResult> {
  const events: RunEvent[] = [];
  const { clock } = options;
  const startedAt = clock.now();
  const feed = eventFeed(
    (event) => events.push(event),
    () => clock.now() - startedAt,
  );
  const { tape } = options;
  const stubbed = stubs(graph, test, tape !== undefined);
  const recorded = recordCalls(graph, events, stubbed.promptOf);
  const results = new Map<string, StoredResult>();
  /** Events of earlier statements, and those that are safe. */
  let [from, safe] = [0, 0];
  let past: Past | undefined;
  const crashing = test.crashes.length > 0;
  const runOptions: RunOptions = {
    ...options,
    intercept: stubbed.intercept,
    stubbed: stubbed.stubbed,
    hook: (name, args) => {
      if (name !== REACHED) return hook(name, args, recorded.calls, spend, clock.now() - startedAt);
      options.reached?.(String(args[0]));
      return args[1];
    },
    ...(crashing
      ? {
          commit: (then) => {
            const on = machine;
            clock.after(0, () => {
              if (on.dead) return;
              safe = events.length;
              then();
            });
          },
          remember: (path, { guard, value, failed }) => {
            results.set(path, {
              path,
              guard,
              outcome: failed === undefined ? { kind: "value", value } : { kind: "failure", failure: failed },
            });
          },
        }
      : {}),
  };
  const emit = (on: Run | undefined, event: NewEvent): void => {
    if (on?.dead !== true && past?.told(event) !== true) feed.emit(event);
  };
  const prepared = await prepareProgram(graph, rootsOf(test), runOptions);
  const made = (): Run => {
    const own: Run = machineOf(prepared, "test", past === undefined ? runOptions : { ...runOptions, past }, (event) => emit(own, event));
    return own;
  };
  let machine = made();
  /** Of machines that ended with earlier statements. */
  const totals: Run["totals"][] = [];
  function spend(): SpendReport {
    return [...totals, machine.totals].reduce<SpendReport>(
      (sum, t) => ({
        costUsd: sum.costUsd + t.cost / 1e9,
        inputTokens: sum.inputTokens + t.inputTokens,
        outputTokens: sum.outputTokens + t.outputTokens,
        calls: sum.calls + t.calls,
        toolCalls: sum.toolCalls + t.toolCalls,
        reused: sum.reused + t.reused,
      }),
      { costUsd: 0, inputTokens: 0, outputTokens: 0, calls: 0, toolCalls: 0, reused: 0 },
    );
  }
  const unmet: Unmet[] = [];
  if (prepared.problems.length === 0) {
    await machine.loadSchemas();
    const scope = layout(undefined);
    for (const step of test.steps) if (step.kind === "do") slotFor(scope, step.id);
    const frame = newFrame(scope, undefined);
    stubbed.within(scope, frame);
    for (const step of test.steps) {
      if (step.kind === "order") {
        unmet.push(...checkOrder(step, graph, recorded.calls()));
        continue;
      }
      const statement = (on: Run): Promise<Ended> => evaluate(on, on.program.body(step.body, scope), frame, stubbed);
      if (crashing && from < events.length) {
        // Another statement is another flow: its calls have the same paths but are not the same calls.
        totals.push(machine.totals);
        results.clear();
        [from, safe, past] = [events.length, events.length, undefined];
        machine = made();
        await machine.loadSchemas();
      }
      tape?.mark();
      let ended = await statement(machine);
      while (ended.kind === "crashed") {
        machine.dead = true;
        tape?.rewind();
        // After a call its result is safe with all that came before; before a call only what was made safe is.
        events.length = ended.when === "after" ? events.length : safe;
        past = pastOf(events.slice(from), results, clock.wall() - clock.now() + startedAt);
        machine = made();
        await machine.loadSchemas();
        ended = await statement(machine);
      }
      const missing = [...stubbed.takeMissing(), ...(tape?.takeMisses() ?? []).map((miss) => unrecorded(miss, tape?.remedy ?? ""))];
      for (const message of missing) unmet.push({ text: step.kind === "expect" ? step.text : "", message, span: step.span });
      const found = missing.length > 0 ? undefined : judge(step, ended, machine, scope);
      if (found !== undefined) unmet.push(found);
      if (ended.kind === "value" && step.kind === "do") frame.slots[slotFor(scope, step.id)] = ended.value;
      // What comes after a statement that failed has nothing to look at.
      if (ended.kind === "failed" && step.kind === "do") break;
    }
  }
  await options.tools.close("test");
  feed.end();
  return {
    title: test.title,
    status: unmet.length === 0 && prepared.problems.length === 0 ? "passed" : "failed",
    unmet,
    problems: prepared.problems,
    calls: recorded.calls(),
    spend: spend(),
    elapsedMs: clock.now() - startedAt,
    events,
  };
}

function unrecorded({ of, name, path, reason }: Miss, remedy: string): string {
  const what = of === "person" ? "the question" : `the ${of} ${name}`;
  return `${what} is not stubbed, and the recording has no answer for it (asked for by ${path}):\n${reason}\n${remedy}`;
}

function rootsOf(test: TestIR): readonly CalleeRef[] {
  const bodies = [...test.steps, ...test.stubs.flatMap((stub) => stub.steps)];
  return bodies.flatMap((step) => ("body" in step && step.body !== undefined ? callsOf(step.body) : []));
}

/** Runs the body of one statement to its end, or to the crash that the test asks for. */
function evaluate(machine: Run, body: CompiledBody, frame: Frame, stubbed: Stubs): Promise<Ended> {
  return new Promise((resolve) => {
    stubbed.onCrash((when) => resolve({ kind: "crashed", when }));
    const root = newScope();
    const instance = instanceOf({
      run: machine,
      body,
      frame,
      scope: root,
      context: rootContext(machine),
      path: "",
      rank: 0,
      done: (failed, value) => resolve(failed === undefined ? { kind: "value", instance, value } : { kind: "failed", failure: failed }),
    });
    begin(instance);
  });
}

function judge(
  step: Exclude<TestStepIR, { kind: "order" }>,
  ended: Ended,
  machine: Run,
  scope: ReturnType<typeof layout>,
): Unmet | undefined {
  const at = { text: step.kind === "expect" ? step.text : "", span: step.span };
  if (ended.kind === "crashed") return undefined;
  if (step.kind === "expect" && step.fails !== undefined) {
    if (ended.kind === "value")
      return { ...at, message: `expected a failure of kind "${step.fails}", but it gave ${shown(ended.value, 200)}` };
    if (ended.failure.kind === step.fails) return undefined;
    return {
      ...at,
      message: `expected a failure of kind "${step.fails}", found "${ended.failure.kind}": ${ended.failure.message} (in ${ended.failure.path})`,
    };
  }
  if (ended.kind === "failed") {
    const { kind, message, call } = failureValue(ended.failure);
    return { ...at, message: `failed with "${kind}": ${message} (in ${call})` };
  }
  if (step.kind === "do" || ended.value === true) return undefined;
  return { ...at, message: comparison(step, ended.instance, machine, scope) ?? `expected true, found ${shown(ended.value, 200)}` };
}

/** Both sides of a comparison, as they were found. */
function comparison(
  step: Extract<TestStepIR, { kind: "expect" }>,
  instance: Instance,
  machine: Run,
  scope: ReturnType<typeof layout>,
): string | undefined {
  if (step.sides === undefined) return undefined;
  const compiled = machine.program.body({ nodes: instance.body.ir.nodes, result: step.sides.left }, scope);
  const right = machine.program.expr(step.sides.right, compiled.layout);
  const frame = newFrame(compiled.layout, instance.parent);
  for (const [id, slot] of instance.body.layout.slots) {
    const target = compiled.layout.slots.get(id);
    if (target !== undefined) frame.slots[target] = instance.slots[slot];
  }
  const [found, wanted] = [compiled.result(frame), right(frame)];
  if (step.sides.op === "==") return `expected ${shown(wanted, 400)}\n   found ${shown(found, 400)}`;
  return `${shown(found, 200)} ${step.sides.op} ${shown(wanted, 200)} does not hold`;
}

function checkOrder(step: Extract<TestStepIR, { kind: "order" }>, graph: Graph, calls: readonly CallRecord[]): readonly Unmet[] {
  const named = new Set(step.callees);
  const found = calls.filter((call) => named.has(call.id)).map((call) => call.id);
  if (found.length === step.callees.length && found.every((id, i) => id === step.callees[i])) return [];
  const names = (ids: readonly string[]): string =>
    ids.length === 0
      ? "no call of any of them"
      : ids.map((id) => (graph.tools[id] ?? graph.agents[id] ?? graph.flows[id] ?? graph.capabilities[id])?.name ?? id).join(", ");
  return [{ text: step.text, message: `expected ${names(step.callees)}\n   found ${names(found)}`, span: step.span }];
}

function hook(
  name: string,
  args: readonly unknown[],
  calls: () => readonly CallRecord[],
  spend: () => SpendReport,
  elapsed: number,
): unknown {
  if (name === "test.elapsed") return elapsed;
  if (name === "test.spend") {
    const { costUsd, inputTokens, outputTokens, calls: count } = spend();
    return { cost: costUsd, input_tokens: inputTokens, output_tokens: outputTokens, calls: count };
  }
  if (name !== "test.calls") throw new Error(`there is no ${name}`);
  return calls()
    .filter((call) => call.id === args[0])
    .map(({ args: given, value, error, attempts, cost, prompt }) => ({ args: given, value, error, attempts, cost, prompt }));
}
