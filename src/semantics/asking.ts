/** What waits for others: a question to a person, a message to a channel, a plan by a model. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { AskExpr, OrchestrateExpr, SendExpr } from "../syntax/ast.js";
import type { Checker, Context } from "./checker.js";
import { bounded } from "./regions.js";
import { assignable } from "./relate.js";
import type { Env } from "./symbols.js";
import { DURATION, ERROR, isError, NULL, STRING, type Type, typeText } from "./types.js";

export function inferAsk(c: Checker, expr: AskExpr, env: Env, context: Context): Type {
  c.expect(expr.question, env, context, STRING);
  const type = c.typeOf(expr.type, context.scope, context.vars);
  if (expr.within !== undefined) c.expect(expr.within, env, context, DURATION);
  if (expr.otherwise !== undefined) {
    const other = c.infer(expr.otherwise, env, context, type);
    if (!isError(other) && !assignable(other, type)) c.reportMismatch(expr.otherwise, other, type);
  }
  return type;
}

export function inferSend(c: Checker, expr: SendExpr, env: Env, context: Context): Type {
  const symbol = context.scope.names.get(expr.channel.text);
  if (symbol?.decl.kind !== "ChannelDecl") {
    for (const arg of expr.args) c.infer(arg.value, env, context);
    if (expr.channel.text === "" || context.scope.failed.has(expr.channel.text)) return ERROR;
    const channels = [...context.scope.names.values()].filter((s) => s.decl.kind === "ChannelDecl").map((s) => s.name);
    c.problems.report(d.notAChannel, expr.channel.span, { name: expr.channel.text, near: nearest(expr.channel.text, channels) });
    return ERROR;
  }
  context.scope.used.add(expr.channel.text);
  const message = c.typeOf(symbol.decl.message, symbol.scope);
  const [first, second] = expr.args;
  if (first === undefined)
    c.problems.report(d.missingArguments, expr.channel.span, { callee: symbol.name, names: ["message"], types: [typeText(message)] });
  else c.expect(first.value, env, context, message);
  if (second !== undefined)
    c.problems.report(d.tooManyArguments, second.span, { callee: symbol.name, expected: 1, found: expr.args.length });
  return NULL;
}

const ORCHESTRATE = ["goal", "team", "model", "context", "repairs"];

export function inferOrchestrate(c: Checker, expr: OrchestrateExpr, env: Env, context: Context): Type {
  const seen = new Set<string>();
  expr.args.forEach((arg, i) => {
    const name = arg.name?.text ?? (i === 0 ? "goal" : "");
    if (arg.name === undefined && i > 0) {
      c.problems.report(d.tooManyArguments, arg.span, { callee: "orchestrate", expected: 1, found: i + 1 });
      c.infer(arg.value, env, context);
      return;
    }
    seen.add(name);
    switch (name) {
      case "goal":
        c.expect(arg.value, env, context, STRING);
        return;
      case "team":
        if (arg.value.kind === "List") for (const { value } of arg.value.elements) c.callableOf(value, env, context);
        else c.problems.report(d.teamList, arg.value.span, { name: arg.value.kind === "NameExpr" ? arg.value.name : undefined });
        return;
      case "model":
        c.model(arg.value, context);
        return;
      case "context":
        c.infer(arg.value, env, context);
        return;
      case "repairs":
        bounded(c, arg.value, env, context, "repairs", 0);
        return;
      default: {
        const near = nearest(name, ORCHESTRATE);
        c.problems.report(d.unknownParameter, arg.name?.span ?? arg.span, { name, callee: "orchestrate", near, params: ORCHESTRATE });
        c.infer(arg.value, env, context);
      }
    }
  });
  const missing = ["goal", "team", "model"].filter((name) => !seen.has(name));
  if (missing.length > 0) {
    c.problems.report(
      d.missingArguments,
      { ...expr.span, end: expr.span.start + "orchestrate".length },
      {
        callee: "orchestrate",
        names: missing,
        types: missing.map((name) => ({ goal: "string", team: "a list of callables", model: "a model" })[name] ?? ""),
      },
    );
  }
  return c.typeOf(expr.type, context.scope, context.vars);
}
