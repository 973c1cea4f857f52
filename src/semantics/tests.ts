/**
 * `test` blocks: stubs against the signatures they stand for, expectations, crashes. Inside a test `xs[i]` is the item
 * itself, `calls(F)` lists the calls of a callable, and `spend` and `elapsed` tell what the test has used so far.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { CallExpr, StubStatement, TestDecl, TestStatement } from "../syntax/ast.js";
import { callableOf } from "./calls.js";
import type { Checker, Context } from "./checker.js";
import { assignable, castable } from "./relate.js";
import { inferStatements } from "./statements.js";
import { type Callable, childEnv, declareLocal, type Env } from "./symbols.js";
import {
  BOOL,
  DURATION,
  ERROR,
  expand,
  INT,
  isError,
  list,
  MONEY,
  members,
  optional,
  record,
  recordOf,
  STRING,
  type Type,
} from "./types.js";

export function checkTest(c: Checker, decl: TestDecl, context: Context): void {
  const env = childEnv(undefined, true);
  const spend = c.resolved.prelude?.names.get("Spend");
  const prepared: readonly (readonly [string, Type])[] = [
    ["spend", spend === undefined ? ERROR : c.declared(spend, [], context)],
    ["elapsed", DURATION],
  ];
  for (const [name, type] of prepared) declareLocal(env, name, { kind: "event", name, span: decl.name.span, type, used: true });
  const body = childEnv(env, true);
  for (const statement of decl.statements) checkStatement(c, statement, body, context);
}

function checkStatement(c: Checker, statement: TestStatement, env: Env, context: Context): void {
  switch (statement.kind) {
    case "Stub":
      checkStub(c, statement, env, context);
      return;
    case "Expect":
      if (statement.fails !== undefined) {
        c.infer(statement.value, env, context);
        failureKind(c, statement.fails.value, statement.fails.span);
      } else {
        const type = c.infer(statement.value, env, context, BOOL);
        if (!assignable(type, BOOL)) c.reportMismatch(statement.value, type, BOOL);
      }
      return;
    case "ExpectOrder":
      for (const { value } of statement.names.elements) callableOf(c, value, env, context);
      return;
    case "Crash":
      callableOf(c, { kind: "NameExpr", name: statement.name.text, span: statement.name.span }, env, context);
      return;
    default:
      inferStatements(c, [statement], env, context);
  }
}

function checkStub(c: Checker, stub: StubStatement, env: Env, context: Context): void {
  const special = stub.name.text === "ask" || stub.name.text === "approve" || stub.name.text === "orchestrate";
  let result: Type | undefined;
  const inner = childEnv(env, true);
  if (special && !context.scope.names.has(stub.name.text)) result = stub.name.text === "approve" ? BOOL : undefined;
  else {
    const callable = callableOf(c, { kind: "NameExpr", name: stub.name.text, span: stub.name.span }, env, context);
    if (callable === undefined) result = ERROR;
    else {
      result = callable.result();
      if (stub.params === undefined || stub.params.length !== callable.params.length) {
        c.problems.report(d.stubParams, stub.name.span, {
          name: stub.name.text,
          params: callable.params.map((p) => p.name),
          found: stub.params?.length ?? 0,
        });
      }
      stub.params?.forEach((name, i) => {
        if (name.text !== "_") c.bind(name, { kind: "stub", type: callable.params[i]?.type ?? ERROR }, inner, context);
      });
    }
  }
  for (const step of stub.steps) {
    if (step.takes !== undefined) c.expect(step.takes, env, context, DURATION);
    if (step.costs !== undefined) c.expect(step.costs, env, context, MONEY);
    if (step.kind === "Fails") {
      failureKind(c, step.failure.value, step.failure.span);
      if (step.times !== undefined) c.expect(step.times, env, context, INT);
      continue;
    }
    const wanted = result === undefined || isError(result) ? undefined : step.oneOf ? list(result) : result;
    const found = c.infer(step.value, inner, context, wanted);
    if (step.oneOf && expand(found).kind !== "list") {
      if (!isError(found)) c.problems.report(d.oneOfList, step.value.span, {});
    } else if (wanted !== undefined && !assignable(found, wanted) && !castable(found, wanted)) {
      // As with the real thing, ranges and lengths are checked when the value is made.
      c.reportMismatch(step.value, found, wanted);
    }
  }
}

function failureKind(c: Checker, text: string, span: { file: string; start: number; end: number }): void {
  const symbol = c.resolved.prelude?.names.get("FailureKind");
  if (symbol === undefined) return;
  const kinds = members(c.declared(symbol, [], { scope: symbol.scope, owner: undefined, inTest: true, secretAllowed: false })).flatMap(
    (m) => {
      const t = expand(m);
      return t.kind === "literal" ? [String(t.value)] : [];
    },
  );
  if (kinds.length > 0 && !kinds.includes(text))
    c.problems.report(d.unknownFailureKind, span, { found: text, near: nearest(text, kinds), kinds });
}

/** `calls(F)`: what was called, in start order. */
export function inferCalls(c: Checker, expr: CallExpr, env: Env, context: Context): Type {
  const [arg, extra] = expr.args;
  if (arg === undefined || extra !== undefined) {
    c.problems.report(d.missingArguments, expr.callee.span, { callee: "calls", names: ["a callable"], types: ["its name"] });
    return ERROR;
  }
  const callable = callableOf(c, arg.value, env, context);
  if (callable === undefined) return ERROR;
  return list(callRecord(c, callable, context));
}

function callRecord(c: Checker, callable: Callable, context: Context): Type {
  const failure = c.resolved.prelude?.names.get("Failure");
  return recordOf({
    args: record(callable.params.map((p) => ({ name: p.name, type: p.type }))),
    value: optional(callable.result()),
    error: failure === undefined ? ERROR : optional(c.declared(failure, [], context)),
    attempts: INT,
    cost: MONEY,
    prompt: optional(STRING),
  });
}
