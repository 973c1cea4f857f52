/** How a tool's declaration says it is carried out: a function, a program, or a request, with its templates filled in. */
import type { BindingIR, ExprIR, ToolIR } from "../plan/ir.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { failure } from "./failure.js";
import { type Eval, type Frame, newFrame } from "./frame.js";
import type { CompiledCallable } from "./machine.js";
import type { Invoke } from "./perform.js";
import { compileAddress } from "./template.js";
import type { ExecRequest, HttpRequest } from "./tool.js";
import { toolContext } from "./tool-context.js";
import { assertNever, isFields, plainText } from "./values.js";

export function binding(tool: ToolIR, callee: CompiledCallable, context: EvalContext): Invoke {
  const bound = tool.binding;
  const compile = (expr: ExprIR): Eval => compileExpr(expr, callee.params, context);
  const frameOf = (args: Readonly<Record<string, unknown>>): Frame => {
    const frame = newFrame(callee.params, undefined);
    for (const [i, param] of tool.params.entries()) frame.slots[i] = args[param.name] ?? null;
    return frame;
  };
  switch (bound.kind) {
    case "module":
      return (step, args) => {
        const found = step.run.toolFunctions.get(tool.id);
        if (found === undefined) throw failure("tool_error", `the tool ${tool.name} was not loaded`);
        return found(args, toolContext(step));
      };
    case "exec": {
      const request = execRequest(bound, compile);
      return (step, args) => step.run.tools.exec(request(frameOf(args)), toolContext(step));
    }
    case "http": {
      const request = httpRequest(bound, tool, compile, callee);
      return (step, args) => step.run.tools.http(request(frameOf(args)), toolContext(step));
    }
    case "mcp":
      return () => {
        throw failure("tool_error", "tools of an MCP server cannot be called yet");
      };
    default:
      return assertNever(bound);
  }
}

function optional(expr: ExprIR | undefined, compile: (expr: ExprIR) => Eval): Eval {
  return expr === undefined ? () => undefined : compile(expr);
}

function execRequest(bound: Extract<BindingIR, { kind: "exec" }>, compile: (expr: ExprIR) => Eval): (frame: Frame) => ExecRequest {
  const argv = bound.argv.map(compile);
  const cwd = optional(bound.cwd, compile);
  const input = optional(bound.input, compile);
  const env = optional(bound.env, compile);
  const text = (value: unknown): string | undefined => (value === undefined || value === null ? undefined : plainText(value));
  return (frame) => {
    const variables: Record<string, string> = {};
    const given = env(frame);
    if (isFields(given)) for (const [name, value] of Object.entries(given)) if (value !== null) variables[name] = plainText(value);
    return {
      argv: argv.map((part) => plainText(part(frame))),
      cwd: text(cwd(frame)),
      input: text(input(frame)),
      env: variables,
      parse: bound.parse,
    };
  };
}

function httpRequest(
  bound: Extract<BindingIR, { kind: "http" }>,
  tool: ToolIR,
  compile: (expr: ExprIR) => Eval,
  callee: CompiledCallable,
): (frame: Frame) => HttpRequest {
  const url = bound.url.kind === "template" ? compileAddress(bound.url.parts, callee.params, compile) : compile(bound.url);
  const query = optional(bound.query, compile);
  const headers = optional(bound.headers, compile);
  const body = optional(bound.body, compile);
  const fields = (value: unknown): Readonly<Record<string, unknown>> | undefined => (isFields(value) ? value : undefined);
  return (frame) => ({
    method: bound.method,
    url: String(url(frame)),
    query: fields(query(frame)),
    headers: fields(headers(frame)),
    body: body(frame),
    pick: bound.pick,
    as: tool.result.kind === "string" ? "text" : "json",
  });
}
