/** `test` blocks: stubs, crashes, and the statements in between as bodies that run one after the other. */
import type { Expr, StubStatement, TestDecl } from "../syntax/ast.js";
import type { ExprIR, StubIR, StubStepIR, TestIR, TestStepIR } from "./ir.js";
import { lowerStatements } from "./lower-body.js";
import { builder, freshId, type Lowering, ref, typeOf, type Unit } from "./lowering.js";
import { fieldPath } from "./nodes.js";

export function lowerTest(l: Lowering, decl: TestDecl, u: Unit): TestIR {
  const stubs: StubIR[] = [];
  const crashes: { when: "before" | "after"; callee: string }[] = [];
  const steps: TestStepIR[] = [];
  for (const statement of decl.statements) {
    switch (statement.kind) {
      case "Stub":
        stubs.push(lowerStub(l, statement, u));
        break;
      case "Crash": {
        const id = calleeId(l, statement.name.text, u);
        if (id !== undefined) crashes.push({ when: statement.when, callee: id });
        break;
      }
      case "ExpectOrder":
        steps.push({
          kind: "order",
          callees: statement.names.elements.flatMap(({ value }) => (value.kind === "NameExpr" ? (calleeId(l, value.name, u) ?? []) : [])),
          text: textOf(l, statement, u),
          span: statement.span,
        });
        break;
      case "Expect": {
        const b = builder(u);
        const result = l.expr(statement.value, b);
        const sides = statement.value.kind === "Binary" && COMPARISONS.has(statement.value.op) ? comparison(result) : undefined;
        steps.push({
          kind: "expect",
          body: l.finish(b, result),
          text: textOf(l, statement, u),
          span: statement.span,
          ...(statement.fails === undefined ? {} : { fails: statement.fails.value }),
          ...(sides === undefined ? {} : { sides }),
        });
        break;
      }
      case "Let": {
        const b = builder(u);
        const id = freshId(u, statement.names[0]?.text ?? "value");
        b.naming = statement.names[0]?.text;
        const body = l.finish(b, l.expr(statement.value, b));
        for (const name of statement.names) {
          const local = l.checker.tables.locals.get(name);
          if (local !== undefined) u.values.set(local, statement.destructured ? fieldPath(ref(id), [name.text]) : ref(id));
        }
        steps.push({ kind: "do", id, body, span: statement.span });
        break;
      }
      default: {
        const b = builder(u);
        const result = lowerStatements(l, [statement], b);
        steps.push({ kind: "do", id: freshId(u, "step"), body: l.finish(b, result), span: statement.span });
      }
    }
  }
  return { title: decl.name.text, span: decl.span, stubs, crashes, steps };
}

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);

function comparison(result: ExprIR): { op: string; left: ExprIR; right: ExprIR } | undefined {
  return result.kind === "binary" ? { op: result.op, left: result.left, right: result.right } : undefined;
}

function calleeId(l: Lowering, name: string, u: Unit): string | undefined {
  const symbol = u.scope.names.get(name);
  const callable = symbol === undefined ? undefined : l.checker.signature(symbol);
  return callable === undefined ? undefined : l.callee(callable, new Map(), new Map()).ref.id;
}

function textOf(l: Lowering, at: { readonly span: { file: string; start: number; end: number } }, u: Unit): string {
  const file = l.checker.resolved.files.get(u.scope.module.file);
  return file?.text.slice(at.span.start, at.span.end).replace(/\s+/g, " ") ?? "";
}

function lowerStub(l: Lowering, stub: StubStatement, u: Unit): StubIR {
  const params = (stub.params ?? []).map((name) => {
    const local = l.checker.tables.locals.get(name);
    if (name.text === "_" || local === undefined) return null;
    const id = freshId(u, name.text);
    u.values.set(local, ref(id));
    return id;
  });
  const steps = stub.steps.map((step): StubStepIR => {
    const takes = numberOf(l, step.takes, u);
    const costs = numberOf(l, step.costs, u);
    const suffix = { ...(takes === undefined ? {} : { takes }), ...(costs === undefined ? {} : { costs }) };
    if (step.kind === "Fails") {
      const times = numberOf(l, step.times, u);
      return { kind: "fails", failure: step.failure.value, ...(times === undefined ? {} : { times }), ...suffix };
    }
    const b = builder(u);
    return { kind: step.oneOf ? "each" : "value", body: l.finish(b, l.expr(step.value, b)), ...suffix };
  });
  return { target: calleeId(l, stub.name.text, u) ?? stub.name.text, params, steps, span: stub.span };
}

function numberOf(l: Lowering, e: Expr | undefined, u: Unit): number | undefined {
  if (e === undefined) return undefined;
  if (e.kind === "Number") return e.value;
  const lowered = l.expr(e, builder(u));
  if (lowered.kind === "const" && typeof lowered.value === "number") return lowered.value;
  const type = typeOf(l, e, u);
  return type.kind === "literal" && typeof type.value === "number" ? type.value : undefined;
}
