/** Regions that choose or group: `if`, `match`, `try` with `recover`, and blocks under annotations. */
import type { NodeIR } from "../plan/ir.js";
import { begin, instanceOf } from "./body.js";
import { compilePattern } from "./evaluate.js";
import { type CallFailure, failure, failureValue } from "./failure.js";
import { type Layout, layout, newFrame, slotFor } from "./frame.js";
import { type Account, within } from "./ledger.js";
import type { Attempt, CompiledBody, Done, Step } from "./machine.js";
import { withSaga } from "./notes.js";
import type { Compiler } from "./program.js";
import { attemptPath } from "./region.js";
import { closing } from "./saga.js";
import { running } from "./scope.js";
import { assertNever, shown } from "./values.js";

type Branching = Extract<NodeIR, { kind: "if" | "match" | "try" | "scope" }>;

export function compileBranching(node: Branching, scope: Layout, compiler: Compiler): Attempt {
  switch (node.kind) {
    case "if":
      return compileIf(node, scope, compiler);
    case "match":
      return compileMatch(node, scope, compiler);
    case "try":
      return compileTry(node, scope, compiler);
    case "scope": {
      const body = compiler.body(node.body, scope);
      return (step, done) => enter(step, body, attemptPath(step), [], done);
    }
    default:
      return assertNever(node);
  }
}

function enter(
  step: Step,
  body: CompiledBody,
  path: string,
  slots: readonly (readonly [number, unknown])[],
  done: Done,
  context = step.context,
): void {
  const instance = instanceOf({ run: step.run, body, frame: step.frame, scope: step, context, path, rank: step.rank, done });
  for (const [slot, value] of slots) instance.slots[slot] = value;
  begin(instance);
}

function compileIf(node: Extract<NodeIR, { kind: "if" }>, scope: Layout, compiler: Compiler): Attempt {
  const test = compiler.expr(node.test, scope);
  const then = compiler.body(node.then, scope);
  const otherwise = compiler.body(node.else, scope);
  return (step, done) => {
    const holds = test(step.frame) === true;
    const name = holds ? "then" : "else";
    step.run.emit({ kind: "choice", path: step.path, of: "if", chosen: name });
    enter(step, holds ? then : otherwise, `${attemptPath(step)}/${name}`, [], done);
  };
}

function compileMatch(node: Extract<NodeIR, { kind: "match" }>, scope: Layout, compiler: Compiler): Attempt {
  const value = compiler.expr(node.value, scope);
  const arms = node.arms.map((arm) => {
    const inner = layout(scope);
    const patterns = arm.patterns.map((pattern) => compilePattern(pattern, inner));
    const bound = [...inner.slots.values()];
    return { name: arm.name, patterns, bound, inner, body: compiler.body(arm.body, scope, [], inner) };
  });
  return (step, done) => {
    const found = value(step.frame);
    for (const arm of arms) {
      const frame = newFrame(arm.inner, step.frame);
      if (!arm.patterns.some((matches) => matches(found, frame))) continue;
      step.run.emit({ kind: "choice", path: step.path, of: "match", chosen: arm.name });
      const bound = arm.bound.map((slot) => [slot, frame.slots[slot]] as const);
      enter(step, arm.body, `${attemptPath(step)}/${arm.name}`, bound, done);
      return;
    }
    done(failure("assertion", `no arm of this match fits ${shown(found)}`, { path: step.path }), null);
  };
}

function compileTry(node: Extract<NodeIR, { kind: "try" }>, scope: Layout, compiler: Compiler): Attempt {
  const body = compiler.body(node.body, scope);
  const recover = compiler.body(node.recover, scope, [node.error]);
  const slot = slotFor(recover.layout, node.error);
  return (step, done) => {
    const path = attemptPath(step);
    const outer = step.context;
    const inner = withSaga(step.run, outer);
    const tried: Done = (problem, value) => {
      if (problem === undefined || !recoverable(problem, step)) {
        done(problem, value);
        return;
      }
      step.run.emit({ kind: "choice", path: step.path, of: "recover", chosen: problem.kind });
      const told = failureValue(problem);
      const error = node.partial ? { ...told, ok: problem.partial?.ok ?? [], failed: problem.partial?.failed ?? [] } : told;
      enter(step, recover, `${path}/recover`, [[slot, error]], done);
    };
    enter(step, body, path, [], closing(step.run, inner, outer, tried), inner);
  };
}

/** Cancellation passes through; a budget that was opened outside is still short inside `recover`. */
function recoverable(problem: CallFailure, step: Step): boolean {
  if (problem.kind === "cancelled" || step.halt !== running) return false;
  if (problem.kind !== "budget_exceeded") return true;
  return problem.account === undefined || !within(step.context.account, problem.account as Account);
}
