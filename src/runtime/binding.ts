/** How a tool's declaration says it is carried out: a function, a program, or a request, with its templates filled in. */
import type { BindingIR, ExprIR, Graph, ToolIR, TypeIR } from "../plan/ir.js";
import { compileExpr, type EvalContext } from "./evaluate.js";
import { failure } from "./failure.js";
import { type Eval, type Frame, newFrame } from "./frame.js";
import type { CompiledCallable } from "./machine.js";
import { mcpServer, texts } from "./mcp-server.js";
import type { Invoke } from "./perform.js";
import { compileAddress } from "./template.js";
import type { ExecRequest, HttpRequest } from "./tool.js";
import { toolContext } from "./tool-context.js";
import { assertNever, isFields, plainText, setField } from "./values.js";

export function binding(graph: Graph, tool: ToolIR, callee: CompiledCallable, context: EvalContext): Invoke {
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
    case "mcp": {
      const server = mcpServer(graph.mcps[bound.server], context);
      const { result } = tool;
      const fits = (value: unknown): boolean => callee.resultTest(value) || callee.resultTest(callee.resultCut(value));
      const sent = bound.args === undefined ? undefined : compile(bound.args);
      return (step, args) => {
        const values = sent?.(frameOf(args)) ?? args;
        return step.run.tools.mcp(
          { server: server(), tool: bound.tool, args: isFields(values) ? given(values) : {}, result, fits },
          toolContext(step),
        );
      };
    }
    default:
      return assertNever(bound);
  }
}

const isMediaType = ({ kind }: TypeIR): boolean => kind === "image" || kind === "audio" || kind === "document";

function optional(expr: ExprIR | undefined, compile: (expr: ExprIR) => Eval): Eval {
  return expr === undefined ? () => undefined : compile(expr);
}

/** What is null is not sent: a server's parameter that may be left out need not take null. */
function given(args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(args)) if (value !== null) setField(out, name, withoutAbsent(value));
  return out;
}

function withoutAbsent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAbsent);
  return isFields(value) ? given(value) : value;
}

function execRequest(bound: Extract<BindingIR, { kind: "exec" }>, compile: (expr: ExprIR) => Eval): (frame: Frame) => ExecRequest {
  const argv = bound.argv.map(compile);
  const cwd = optional(bound.cwd, compile);
  const input = optional(bound.input, compile);
  const env = optional(bound.env, compile);
  const text = (value: unknown): string | undefined => (value === undefined || value === null ? undefined : plainText(value));
  return (frame) => {
    return {
      argv: argv.map((part) => plainText(part(frame))),
      cwd: text(cwd(frame)),
      input: text(input(frame)),
      env: texts(env(frame)),
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
    as: tool.result.kind === "string" ? "text" : isMediaType(tool.result) ? "media" : "json",
  });
}
