/**
 * Stubs of a test: what stands in for a callable. Attempts that arrive at one moment are served in the order of the
 * program, so that "the first call fails" means the same whatever runs at once.
 */
import type { AgentIR, Graph, StubIR, StubStepIR, TestIR } from "../plan/ir.js";
import { request, settleRequest } from "./admission.js";
import { begin, instanceOf, pump } from "./body.js";
import type { NewEvent } from "./events.js";
import { failure, isFailureKind } from "./failure.js";
import { type Frame, type Layout, layout, newFrame } from "./frame.js";
import { dollars, nanoDollars, nothing } from "./ledger.js";
import type { Attempt, CompiledBody, CompiledCallable, Done, Intercept, Run, Step } from "./machine.js";
import type { Scope } from "./scope.js";
import { billOf, paramsOf, rootOf, stopped } from "./step.js";

export interface Stubs {
  readonly intercept: Intercept;
  /** Answers in the place of a person. */
  readonly stubbed: (what: "ask" | "approve") => Attempt;
  /** The prompt that a stubbed agent would have sent. */
  readonly promptOf: (path: string) => string | undefined;
  /** Where the values of the test's own names are. */
  readonly within: (scope: Layout, frame: Frame) => void;
  /** Told when the test wants the process to die. */
  readonly onCrash: (crash: (when: "before" | "after") => void) => void;
  /** What was called without a stub since the last time, in the user's words. */
  readonly takeMissing: () => readonly string[];
}

interface Surroundings {
  readonly scope: Layout;
  readonly frame: Frame | undefined;
}

interface Arrival {
  readonly step: Step;
  readonly done: Done;
  readonly order: readonly number[];
}

interface Stub {
  readonly ir: StubIR;
  readonly arrivals: Arrival[];
  attempts: number;
  calls: number;
  /** Which call a step is, by its root. */
  readonly numbers: WeakMap<Step, number>;
}

/** Standard modules that need nothing from outside. */
const harmless: ReadonlySet<string> = new Set(["std:time", "std:random", "std:log"]);

/** Without `taped`, what is called without a stub is refused; with it a recording answers. */
export function stubs(graph: Graph, test: TestIR, taped: boolean): Stubs {
  const byTarget = new Map<string, Stub>(
    test.stubs.map((ir) => [ir.target, { ir, arrivals: [], attempts: 0, calls: 0, numbers: new WeakMap() }]),
  );
  const crashes = test.crashes.map((crash) => ({ ...crash, due: true }));
  const prompts = new Map<string, string>();
  let missing: string[] = [];
  let crash: (when: "before" | "after") => void = () => undefined;
  let around: Surroundings = { scope: layout(undefined), frame: undefined };

  /** Whether the process dies here; each crash happens once. */
  const due = (when: "before" | "after", id: string): boolean => {
    const found = crashes.find((each) => each.when === when && each.callee === id && each.due);
    if (found === undefined) return false;
    found.due = false;
    return true;
  };

  const intercept: Intercept = (callee) => {
    const { ir, ref } = callee;
    const stub = byTarget.get(ref.id);
    if (stub !== undefined) {
      return (step, done) => {
        if (due("before", ref.id)) {
          step.run.dead = true;
          crash("before");
          return;
        }
        if (ir.kind === "agent") prompts.set(step.path, promptOf(step, ir));
        arrive(stub, around, step, (failed, value) => {
          if (failed === undefined && due("after", ref.id)) {
            // The result is made safe, but nothing that waits for it goes on.
            done(failed, value);
            step.run.dead = true;
            crash("after");
          } else done(failed, value);
        });
      };
    }
    if (taped) return undefined;
    if (ir.kind === "tool" && !(ir.binding.kind === "module" && harmless.has(ir.binding.file))) return refuse(callee, "tool");
    if (ir.kind === "agent" && !simulated(graph, ir.model)) return refuse(callee, "agent");
    return undefined;
  };

  const refuse = (callee: CompiledCallable, kind: string): Attempt => {
    const { name, params } = callee.ir;
    const message = `the ${kind} ${name} is not stubbed: add \`stub ${name}(${params.map(() => "_").join(", ")}) => …\` to the test${kind === "agent" ? ', or give it a model with provider "sim"' : ""}; or record what it gives with \`weave test --record\``;
    return (step, done) => {
      if (!missing.includes(message)) missing.push(message);
      done(failure("tool_error", message, { path: step.path }), null);
    };
  };

  const stubbed = (what: "ask" | "approve"): Attempt => {
    const stub = byTarget.get(what);
    if (stub !== undefined) return (step, done) => arrive(stub, around, step, done);
    const message = `nobody can be asked in a test: add \`stub ${what} => …\` to it`;
    return (step, done) => {
      if (!missing.includes(message)) missing.push(message);
      done(failure("denied", message, { path: step.path }), null);
    };
  };

  return {
    intercept,
    stubbed,
    promptOf: (path) => prompts.get(path),
    within(scope, frame) {
      around = { scope, frame };
    },
    onCrash(told) {
      crash = told;
    },
    takeMissing() {
      const found = missing;
      missing = [];
      return found;
    },
  };
}

function simulated(graph: Graph, id: string): boolean {
  const model = graph.models[id];
  if (model === undefined) return false;
  const others = [...(model.fallback ?? []), ...(model.balance ?? [])];
  return others.length > 0 ? others.every((other) => simulated(graph, other)) : model.provider === "sim";
}

function promptOf(step: Step, ir: AgentIR): string {
  const callee = step.site?.callee;
  return callee === undefined ? "" : String(step.run.program.expr(ir.prompt, callee.params)(paramsOf(step)));
}

/** Waits until everything that happens at this moment has happened, then serves in program order. */
function arrive(stub: Stub, around: Surroundings, step: Step, done: Done): void {
  const { run } = step;
  const first = stub.arrivals.length === 0;
  stub.arrivals.push({ step, done, order: orderOf(step) });
  if (!first) return;
  run.clock.after(0, () => {
    const arrived = stub.arrivals.splice(0).sort((a, b) => compareOrder(a.order, b.order));
    for (const arrival of arrived) serve(stub, around, arrival);
    pump(run);
  });
}

/** Places from the outermost to the step. */
function orderOf(step: Step): readonly number[] {
  const places: number[] = [];
  for (let at: Scope | undefined = step; at !== undefined; at = at.parentScope) places.push(at.position);
  return places.reverse();
}

function compareOrder(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function serve(stub: Stub, around: Surroundings, { step, done }: Arrival): void {
  const { run } = step;
  if (run.dead) return;
  const root = rootOf(step);
  let call = stub.numbers.get(root);
  if (call === undefined) {
    call = stub.calls++;
    stub.numbers.set(root, call);
  }
  const chosen = stepFor(stub.ir, stub.attempts++);
  const cost = chosen.costs === undefined ? 0 : nanoDollars(chosen.costs);
  const held = step.context.account;
  const amount = { cost, tokens: 0, calls: 0 };
  const answer = (): void => {
    const end: Done = (failed, value) => {
      if (cost > 0) {
        settleRequest(step, held, amount, amount, false);
        billOf(step).cost += cost;
        run.totals.cost += cost;
        // What a stub costs is written down as the bill of a model is, so that a crash does not forget it.
        if (run.commit !== undefined) run.emit(stubBill(step, cost));
      }
      done(failed, value);
    };
    if (chosen.kind === "fails") {
      const kind = isFailureKind(chosen.failure) ? chosen.failure : "tool_error";
      // A stub that fails says that nothing was done, so that an effect may be tried again.
      end(failure(kind, `stubbed ${kind}`), null);
    } else
      evaluate(stub.ir, chosen, around, step, (failed, value) => end(failed, failed === undefined ? pick(chosen, value, call ?? 0) : null));
  };
  const waited = (): void => {
    if (chosen.takes === undefined) answer();
    else pause(step, chosen.takes, answer, done);
  };
  if (cost === 0) waited();
  else request(step, amount, nothing, (refused) => (refused === undefined ? waited() : done(refused, null)));
}

function stubBill(step: Step, cost: number): NewEvent {
  const text = { text: "", finish: "stop" } as const;
  const { path } = step;
  const attempt = rootOf(step).attempts;
  return {
    kind: "model.answered",
    path,
    model: "a stub",
    turn: 0,
    attempt,
    inputTokens: 0,
    outputTokens: 0,
    costUsd: dollars(cost),
    ...text,
  };
}

function pause(step: Step, ms: number, then: () => void, done: Done): void {
  const { run } = step;
  const cancelTimer = run.clock.after(ms, () => {
    step.onStop = undefined;
    then();
    pump(run);
  });
  step.onStop = (level) => {
    // What was sent is awaited; only a cancellation of something pure ends it.
    if (level !== 2 || step.site?.callee.effect === "effect") return;
    step.onStop = undefined;
    cancelTimer();
    done(stopped(step), null);
    pump(run);
  };
}

/** The step for the n-th attempt: failures are used up first, the last step holds for ever. */
function stepFor(ir: StubIR, attempt: number): StubStepIR {
  let left = attempt;
  for (const [i, step] of ir.steps.entries()) {
    const times = step.kind === "fails" && step.times !== undefined ? step.times : i === ir.steps.length - 1 ? Number.POSITIVE_INFINITY : 1;
    if (left < times) return step;
    left -= times;
  }
  return ir.steps.at(-1) ?? { kind: "value" };
}

/** The value itself, or the one of a list that is due at this call. */
function pick(chosen: StubStepIR, value: unknown, call: number): unknown {
  if (chosen.kind === "value") return value;
  const values = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return values.length === 0 ? null : values[call % values.length];
}

interface CompiledStub {
  readonly scope: Layout;
  readonly body: CompiledBody;
}
const compiled = new WeakMap<Run, Map<StubStepIR, CompiledStub>>();

/** Works out the value of a stub over the arguments of the call. */
function evaluate(ir: StubIR, chosen: StubStepIR, around: Surroundings, step: Step, done: Done): void {
  const { run } = step;
  if (chosen.body === undefined) {
    done(undefined, null);
    return;
  }
  let steps = compiled.get(run);
  if (steps === undefined) {
    steps = new Map();
    compiled.set(run, steps);
  }
  let found = steps.get(chosen);
  if (found === undefined) {
    const scope = layout(
      around.scope,
      ir.params.map((param, i) => param ?? `_${i}`),
    );
    found = { scope, body: run.program.body(chosen.body, scope) };
    steps.set(chosen, found);
  }
  const frame = newFrame(found.scope, around.frame);
  const params = paramsOf(step);
  for (let i = 0; i < ir.params.length; i++) frame.slots[i] = params.slots[i] ?? null;
  const { context, path } = step;
  begin(
    instanceOf({
      run,
      body: found.body,
      frame,
      scope: step,
      context,
      path,
      rank: 0,
      // A stub that fails says that nothing was done.
      done: (failed, value) => done(failed === undefined ? undefined : { ...failed, committed: "no" }, value ?? null),
    }),
  );
}
