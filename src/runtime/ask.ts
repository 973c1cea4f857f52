/**
 * Questions to a person: `ask`, `@approve`, and whether an effect happened whose outcome is not known. An answer comes
 * from the store, from whoever is asked directly, or not at all: then the run waits until it is resumed with one. A
 * question is asked once, its answer is checked against its type, and a deadline counts from the first asking.
 */
import type { Graph, NodeIR, TypeIR } from "../plan/ir.js";
import { begin, contextAt, inside, instanceOf, nodeDone, pump } from "./body.js";
import type { Clock } from "./clock.js";
import { type CallFailure, failure } from "./failure.js";
import type { Layout } from "./frame.js";
import type { Attempt, CompiledBody, CompiledNode, Instance, Step } from "./machine.js";
import type { Compiler } from "./program.js";
import { somewhere } from "./reach.js";
import { cancelled, detach } from "./scope.js";
import { stepOf, stopped, withSchemas } from "./step.js";
import { typeProse } from "./type-prose.js";

export interface Question {
  readonly path: string;
  readonly kind: "ask" | "approve" | "outcome";
  readonly text: string;
  readonly answer: TypeIR;
  /** Milliseconds from the first asking. */
  readonly within?: number | undefined;
}

/** How whoever embeds a run is asked; undefined where nobody can be. */
export type Asker = (question: Question, signal: AbortSignal) => Promise<unknown> | undefined;

export type Answer =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "expired" }
  | { readonly kind: "failed"; readonly failure: CallFailure };

const bool: TypeIR = { kind: "bool" };
/** `{ happened, value }` of an effect whose outcome is not known. */
const outcome: TypeIR = { kind: "json" };

/** Counts the time in which somebody was asked something. */
export interface Asked {
  readonly begin: () => void;
  readonly end: () => void;
  /** Milliseconds so far. */
  readonly total: () => number;
}

export function asked(clock: Clock): Asked {
  let open = 0;
  let since = 0;
  let sum = 0;
  return {
    begin: () => {
      if (open++ === 0) since = clock.now();
    },
    end: () => {
      if (--open === 0) sum += clock.now() - since;
    },
    total: () => sum + (open > 0 ? clock.now() - since : 0),
  };
}

/** Asks, and goes on with the answer; never, when the run ends waiting for it. */
export function question(step: Step, asked: Question, then: (answer: Answer) => void): void {
  const { run } = step;
  const { path } = asked;
  const before = run.past?.questions.get(path);
  const wall = run.clock.wall();
  const deadline = before?.deadline ?? (asked.within === undefined ? undefined : wall + asked.within);
  let over = false;
  run.asked.begin();
  const controller = new AbortController();
  const end = (answer: Answer): void => {
    if (over) return;
    over = true;
    run.asked.end();
    step.onStop = undefined;
    run.suspense?.waiting.delete(path);
    cancelTimer?.();
    controller.abort();
    const go = (): void => {
      then(answer);
      pump(run);
    };
    if (answer.kind === "value") run.emit({ kind: "question.answered", path, value: answer.value });
    if (answer.kind === "expired") run.emit({ kind: "question.expired", path });
    if (run.commit === undefined || answer.kind === "failed") go();
    else run.commit(go);
  };
  const given = (value: unknown, again: () => void): void => {
    withSchemas(run, (schemas) => {
      const checked = schemas.validate(asked.answer, value, run.program.graph.types);
      if (checked.ok) end({ kind: "value", value: checked.value });
      else {
        run.emit({ kind: "question.refused", path, why: checked.message });
        again();
      }
    });
  };
  let cancelTimer: (() => void) | undefined;
  const wait = (): void => {
    if (over) return;
    const { suspense } = run;
    const direct = run.ask?.(asked, controller.signal);
    if (direct !== undefined) {
      run.clock.hold();
      direct.then(
        (value) => {
          run.clock.release();
          given(value, wait);
        },
        () => {
          run.clock.release();
          suspense?.waiting.set(path, (value) => given(value, () => undefined));
          suspense?.look();
        },
      );
      return;
    }
    if (suspense === undefined) end({ kind: "failed", failure: failure("denied", "nobody can be asked here", { path }) });
    else {
      suspense.waiting.set(path, (value) => given(value, () => undefined));
      suspense.look();
    }
  };
  step.onStop = (level) => {
    if (level === cancelled) end({ kind: "failed", failure: stopped(step) });
  };

  if (step.context.replay) {
    end({ kind: "failed", failure: stopped(step) });
    return;
  }
  if (before?.expired === true) {
    end({ kind: "expired" });
    return;
  }
  // An answer that was journaled was acted upon; one that is only in the store waits to be.
  const journaled = run.past?.given;
  if (journaled?.has(path) === true) {
    given(journaled.get(path), wait);
    return;
  }
  const stored = run.answers?.get(path);
  if (stored !== undefined) {
    given(stored, wait);
    return;
  }
  if (deadline !== undefined) {
    if (deadline <= wall) {
      end({ kind: "expired" });
      return;
    }
    cancelTimer = (run.suspense?.deadline ?? run.clock.after)(deadline - wall, () => end({ kind: "expired" }));
  }
  run.emit({
    kind: "question.asked",
    path,
    question: asked.text,
    answer: asked.kind === "outcome" ? "whether it happened" : typeProse(asked.answer),
    ...(asked.kind === "outcome" ? {} : { type: asked.answer }),
    ...(deadline === undefined ? {} : { deadline }),
  });
  if (run.commit === undefined) wait();
  else run.commit(wait);
}

/** Whether a person may be asked something in a program. */
export function asksPeople(graph: Graph): boolean {
  return somewhere(graph, (node, policies) => node?.kind === "ask" || policies.approve !== undefined);
}

type AskNode = Extract<NodeIR, { kind: "ask" }>;

/** `ask "…" as T within d else e`. */
export function compileAsk(node: AskNode, scope: Layout, compiler: Compiler): CompiledNode["execute"] {
  const text = compiler.expr(node.question, scope);
  const within = node.within === undefined ? undefined : compiler.expr(node.within, scope);
  const otherwise = node.otherwise === undefined ? undefined : compiler.body(node.otherwise, scope);
  return (instance, at) => {
    const path = inside(instance.path, node.segment);
    const step = stepOf({
      run: instance.run,
      scope: instance,
      context: contextAt(instance, at),
      site: undefined,
      frame: instance,
      args: {},
      path,
      rank: instance.rank + at.rank,
      position: at.index,
    });
    const end = (failed: CallFailure | undefined, value: unknown): void => {
      detach(step);
      nodeDone(instance, at, failed, value);
    };
    const stub = instance.run.stubbed?.("ask");
    if (stub !== undefined) {
      stubbed(step, path, stub, end);
      return;
    }
    const asked: Question = {
      path,
      kind: "ask",
      text: String(text(instance)),
      answer: node.answer,
      within: within === undefined ? undefined : Number(within(instance)),
    };
    question(step, asked, (answer) => {
      if (answer.kind === "failed") end(answer.failure, null);
      else if (answer.kind === "value") end(undefined, answer.value);
      else if (otherwise === undefined) end(failure("timeout", "nobody answered in time", { path }), null);
      else enterOtherwise(instance, step, otherwise, path, end);
    });
  };
}

function enterOtherwise(
  instance: Instance,
  step: Step,
  body: CompiledBody,
  path: string,
  done: (failed: CallFailure | undefined, value: unknown) => void,
): void {
  begin(
    instanceOf({
      run: instance.run,
      body,
      frame: instance,
      scope: step,
      context: step.context,
      path: `${path}/else`,
      rank: step.rank,
      done,
    }),
  );
}

/** `@approve("why")`: a person agrees before the effect, or it is `denied`. */
export function withApproval(why: (step: Step) => unknown, next: Attempt): Attempt {
  return (step, done) => {
    const { run, path } = step;
    const decide = (agreed: unknown): void => {
      if (agreed === true) next(step, done);
      else done(failure("denied", "a person did not agree to it", { path }), null);
    };
    const stub = run.stubbed?.("approve");
    if (stub !== undefined) {
      stubbed(step, `${path}/approve`, stub, (failed, value) => (failed === undefined ? decide(value) : done(failed, null)));
      return;
    }
    question(step, { path: `${path}/approve`, kind: "approve", text: String(why(step)), answer: bool }, (answer) => {
      if (answer.kind === "value") decide(answer.value);
      else done(answer.kind === "failed" ? answer.failure : failure("denied", "nobody agreed in time", { path }), null);
    });
  };
}

/** What a test answers in the place of a person, once. */
function stubbed(step: Step, path: string, stub: Attempt, done: (failed: CallFailure | undefined, value: unknown) => void): void {
  const { run } = step;
  if (run.past?.given.has(path) === true) {
    done(undefined, run.past.given.get(path));
    return;
  }
  stub(step, (failed, value) => {
    if (failed === undefined && run.commit !== undefined) run.emit({ kind: "question.answered", path, value });
    done(failed, value);
  });
}

/** Asks whether an effect happened: it is made (again) when it did not, else it gives what the person says. */
export function askOutcome(step: Step, name: string, then: (answer: Answer) => void): void {
  const { past } = step.run;
  if (past?.outcomes.has(step.path) === true) {
    then({ kind: "value", value: past.outcomes.get(step.path) });
    return;
  }
  // Each time that it was begun anew is asked about by itself.
  let path = step.path;
  for (let i = 2; past?.given.has(path) === true; i++) path = `${step.path}?${i}`;
  const text = past?.unknown.has(step.path)
    ? `${name} was being carried out when the process died. Did it happen?`
    : `Part of the journal was lost, and ${name} may have been carried out. Did it happen?`;
  question(step, { path, kind: "outcome", text, answer: outcome }, then);
}

/** Asks what an effect gave whose outcome is not known, so that it can be undone. */
export function askToUndo(step: Step, name: string, then: (answer: Answer) => void): void {
  const text = `It is not known whether ${name} was carried out, and it is to be undone. Did it happen?`;
  question(step, { path: step.path, kind: "outcome", text, answer: outcome }, then);
}
