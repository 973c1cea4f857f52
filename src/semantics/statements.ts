/** Statements of a block, in order; a test that must have passed narrows what stands below it. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { BlockExpr, Expr, Statement } from "../syntax/ast.js";
import { walk } from "../syntax/walk.js";
import type { Checker, Context } from "./checker.js";
import { narrow } from "./narrow.js";
import { condition } from "./operators.js";
import { childEnv, type Env, isCallableDecl } from "./symbols.js";
import { ERROR, fieldNames, fieldOf, isError, NEVER, NULL, STRING, type Type, typeText } from "./types.js";

export function inferBlock(c: Checker, expr: BlockExpr, env: Env, context: Context, expected?: Type): Type {
  const { type } = inferStatements(c, expr.statements, childEnv(env), context, expected);
  return type;
}

/** Checks statements in order; returns the value's type and the environment after the last. */
export function inferStatements(
  c: Checker,
  statements: readonly Statement[],
  start: Env,
  context: Context,
  expected?: Type,
  loop?: LoopChecks,
): { type: Type; env: Env } {
  let env = start;
  let type: Type = NULL;
  if (statements.length > 1)
    start.later = new Map(statements.flatMap((s) => (s.kind === "Let" ? s.names.map((n) => [n.text, n.span] as const) : [])));
  statements.forEach((statement, i) => {
    const last = i === statements.length - 1;
    switch (statement.kind) {
      case "Let": {
        const declared = statement.type === undefined ? undefined : c.typeOf(statement.type, context.scope, context.vars);
        const value = declared === undefined ? c.infer(statement.value, env, context) : c.expect(statement.value, env, context, declared);
        const known = declared ?? value;
        if (!statement.destructured) {
          const name = statement.names[0];
          if (name !== undefined) c.bind(name, { kind: "let", type: known }, start, context);
        } else {
          for (const name of statement.names) {
            const field = isError(known) ? ERROR : fieldOf(known, name.text);
            if (field === undefined && name.text !== "") {
              const near = nearest(name.text, fieldNames(known));
              c.problems.report(d.unknownField, name.span, {
                name: name.text,
                near,
                type: typeText(known),
                subject: undefined,
                fields: fieldNames(known),
              });
            }
            c.bind(name, { kind: "let", type: field ?? ERROR }, start, context);
          }
        }
        type = NULL;
        break;
      }
      case "Set": {
        const symbol = context.scope.names.get(statement.name.text);
        const call = firstCall(statement.value, context);
        if (call !== undefined) c.problems.report(d.callInSet, call, {});
        if (symbol?.decl.kind === "StateDecl") {
          context.scope.used.add(statement.name.text);
          c.expect(statement.value, env, context, c.typeOf(symbol.decl.type, symbol.scope));
        } else {
          c.infer(statement.value, env, context);
          if (statement.name.text !== "") c.problems.report(d.setNeedsState, statement.name.span, { name: statement.name.text });
        }
        type = NULL;
        break;
      }
      case "Assert":
        condition(c, statement.test, env, context);
        if (statement.message !== undefined) c.expect(statement.message, env, context, STRING);
        env = narrow(statement.test, true, env);
        type = NULL;
        break;
      case "Stop":
        if (loop === undefined) c.problems.report(d.stopOutsideLoop, statement.span, {});
        condition(c, statement.test, env, context);
        env = narrow(statement.test, false, env);
        type = NULL;
        break;
      case "Next":
        if (loop === undefined) {
          c.problems.report(d.nextOutsideLoop, statement.span, {});
          c.infer(statement.value, env, context);
        } else {
          if (!last) c.problems.report(d.nextNotLast, statement.span, {});
          loop.next(c.infer(statement.value, env, context, loop.state), statement.value);
        }
        type = NULL;
        break;
      case "Expr": {
        const value = c.infer(statement.value, env, context, last ? expected : undefined);
        if (last) type = value;
        else {
          if (value.kind === "never") c.problems.report(d.unreachableCode, statements[i + 1]?.span ?? statement.span, {});
          type = value.kind === "never" ? NEVER : NULL;
        }
      }
    }
  });
  return { type, env };
}

/** Where an expression calls something that is no pure function. */
function firstCall(expr: Expr, context: Context): Span | undefined {
  let found: Span | undefined;
  walk(expr, (node) => {
    if (found !== undefined || !("kind" in node)) return false;
    const callee =
      node.kind === "Call" && node.callee.kind === "NameExpr"
        ? { text: node.callee.name, span: node.callee.span }
        : node.kind === "Stage"
          ? node.callee
          : undefined;
    const symbol = callee === undefined ? undefined : context.scope.names.get(callee.text);
    if (callee !== undefined && symbol !== undefined && isCallableDecl(symbol.decl)) found = callee.span;
    else if (node.kind === "Ask" || node.kind === "Orchestrate" || node.kind === "Send") found = node.span;
    return;
  });
  return found;
}

export interface LoopChecks {
  readonly state: Type;
  next(type: Type, value: Expr): void;
}
